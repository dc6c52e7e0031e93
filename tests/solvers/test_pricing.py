"""Prices: the user's own, the public list's, or unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.pricing import Price, Pricer, pricer
from solvers.types import UNKNOWN_USAGE, Usage

USAGE = Usage(
    requests=1,
    input_tokens=1_000,
    cached_tokens=200,
    cache_write_tokens=300,
    output_tokens=100,
)


def listed(api: str, model: str, base_url: str = "http://127.0.0.1:1") -> Pricer:
    return pricer(model, own=None, api=api, base_url=base_url)


@pytest.mark.parametrize(
    ("api", "model", "usd"),
    [
        ("anthropic", "claude-sonnet-5-5", 0.00277),
        ("anthropic", "claude-haiku-5-5", 0.0001395),
        ("openai", "gpt-6.1-sol", 0.00277),
    ],
)
def test_a_listed_model_is_priced_wherever_it_is_reached(api: str, model: str, usd: float) -> None:
    assert listed(api, model)(USAGE) == pytest.approx(usd)


def test_a_long_prompt_has_its_own_price() -> None:
    price = listed("anthropic", "claude-haiku-5-5")
    assert price(Usage(input_tokens=100_000)) == pytest.approx(0.01)
    assert price(Usage(input_tokens=300_000)) == pytest.approx(0.15)


def test_a_compatible_server_is_known_by_its_address() -> None:
    google = "https://generativelanguage.googleapis.com/v1beta/openai"
    assert listed("chat", "gemini-2.5-flash", google)(USAGE)
    assert listed("chat", "gpt-4o", "http://localhost:11434/v1")(USAGE) is None


@pytest.mark.parametrize(
    "price",
    [
        listed("openai", "model-of-nobody"),
        listed("openai", "gpt-6-luna"),
        Price(input=1, output=1).usd,
        Price(input=1, output=1, cached=0.1, cache_write=1.25).usd,
    ],
)
def test_an_unknown_usage_has_an_unknown_price_and_none_is_free(price: Pricer) -> None:
    assert price(UNKNOWN_USAGE) is None
    assert price(Usage(requests=1)) == 0


def test_the_users_price_wins() -> None:
    own = Price(input=0, output=1)
    assert pricer("gpt-6-luna", own=own, api="openai", base_url="")(USAGE) == pytest.approx(1e-4)


def test_a_count_that_has_no_price_of_its_own_may_be_unknown() -> None:
    unknown = Usage(requests=1, input_tokens=10, output_tokens=10, cached_tokens=None)
    assert Price(input=1, output=1).usd(unknown) == pytest.approx(20e-6)
    assert Price(input=1, output=1, cached=0.5).usd(unknown) is None


counts = st.integers(0, 10_000_000)


@given(counts, counts, counts, counts)
def test_the_parts_of_a_prompt_are_each_paid_once(
    plain: int, cached: int, written: int, out: int
) -> None:
    usage = Usage(
        requests=1,
        input_tokens=plain + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=out,
    )
    price = Price(input=4, cached=0.2, cache_write=5, output=20)
    paid = price.usd(usage)
    assert paid == pytest.approx((4 * plain + 0.2 * cached + 5 * written + 20 * out) / 1e6)
    assert listed("anthropic", "claude-opus-5-5")(usage) == pytest.approx(paid)
