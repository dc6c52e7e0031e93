"""Arithmetic of the fake: tokens, the cache, quotas, the pieces of a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from solvers.fake import Asked, Reply
from solvers.fake.quota import Bucket
from solvers.fake.sse import pieces
from solvers.fake.tokens import Cache, bounded, prompt_tokens, reply_tokens
from solvers.model import Message


def asked(prompt: str) -> Asked:
    return Asked(api="chat", model="medium", messages=(Message(role="user", text=prompt),))


@given(text=st.text(max_size=5_000))
def test_the_pieces_of_a_stream_are_the_text(text: str) -> None:
    parts = list(pieces(text))
    assert "".join(parts) == text
    assert len(parts) <= 32
    assert all(parts)


@given(text=st.text(), thought=st.integers(0, 200), most=st.integers(0, 300))
def test_a_bounded_reply_is_never_longer_than_its_bound(text: str, thought: int, most: int) -> None:
    reply = Reply(text=text, reasoning_tokens=thought)
    cut = bounded(reply, most)
    assert reply_tokens(cut) <= most or cut is reply
    assert (cut is reply) == (reply_tokens(reply) <= most)
    assert text.startswith(cut.text)


@given(prompts=st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 3)), max_size=8))
def test_what_is_cached_was_read_before_and_is_part_of_the_prompt(
    prompts: list[tuple[int, int]],
) -> None:
    cache, longest = Cache(), 0
    for shared, own in prompts:
        prompt = "x" * shared + "abcd"[own] * 2_000
        usage = cache.usage(asked(prompt), Reply(text="42"))
        cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
        assert cached + written <= prompt_tokens(asked(prompt)) == usage.input_tokens
        assert cached <= longest
        assert cached == 0 or cached >= 1_024
        again = cache.usage(asked(prompt), Reply(text="42"))
        assert again.cached_tokens == cached + written
        assert again.cache_write_tokens == 0
        longest = max(longest, usage.input_tokens or 0)


@given(
    per_minute=st.integers(1, 1_000),
    calls=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100)), max_size=40),
)
def test_a_bucket_gives_no_more_than_its_limit_and_what_a_time_adds(
    per_minute: int, calls: list[tuple[float, int]]
) -> None:
    bucket, now, taken = Bucket(per_minute), 0.0, 0
    for later, amount in calls:
        now += later
        amount = min(amount, per_minute)
        if bucket.seconds_until(amount, now) == 0:
            bucket.take(amount, now)
            taken += amount
        assert taken <= per_minute * (1 + now / 60) + 1e-6


@given(per_minute=st.integers(1, 1_000), spent=st.integers(0, 5_000), amount=st.integers(1, 5_000))
def test_after_the_wait_that_it_names_a_bucket_gives(
    per_minute: int, spent: int, amount: int
) -> None:
    bucket = Bucket(per_minute)
    bucket.take(spent, 0.0)
    wait = bucket.seconds_until(amount, 0.0)
    assert bucket.seconds_until(amount, wait + 1e-6) == 0
