"""The server around the models: keys, models, quotas, latency, the journal."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import anthropic
import anyio
import httpx2
import openai
import pytest
from anyio.from_thread import start_blocking_portal
from fake.clients import anthropic_of, openai_of
from support import WAIT

from solvers.fake import Asked, Latency, Model, Provider, Quota, fake_provider, read_latency
from solvers.types import Usage

pytestmark = pytest.mark.anyio

PROMPT: Any = [{"role": "user", "content": "What is 6 × 7?"}]


async def chat(provider: Provider, model: str = "medium", **more: Any) -> str | None:
    async with openai_of(provider) as client:
        completion = await client.chat.completions.create(model=model, messages=PROMPT, **more)
    text: str | None = completion.choices[0].message.content
    return text


async def claude(provider: Provider, model: str = "medium", **more: Any) -> str:
    request: dict[str, Any] = {"max_tokens": 1_000, "messages": PROMPT, **more}
    async with anthropic_of(provider) as client:
        message = await client.messages.create(model=model, **request)
    return "".join(block.text for block in message.content if block.type == "text")


async def test_a_list_is_said_in_turn_and_again() -> None:
    async with fake_provider(["one", "two"]) as provider:
        assert [await chat(provider) for _ in range(3)] == ["one", "two", "one"]


async def test_a_script_can_hold_a_reply_back() -> None:
    here, go = anyio.Event(), anyio.Event()

    async def script(asked: Asked) -> str:
        here.set()
        await go.wait()
        return f"to {asked.said}"

    said: list[str | None] = []

    async def ask() -> None:
        said.append(await chat(provider))

    async with fake_provider(script) as provider, anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        with anyio.fail_after(WAIT):
            await here.wait()
        assert not said
        assert provider.journal.calls[0].outcome == "open"
        go.set()
    assert said == ["to What is 6 × 7?"]


async def test_a_client_that_gives_up_is_seen_to_leave() -> None:
    async def script(asked: Asked) -> str:
        await anyio.sleep_forever()
        return "never"

    for options in ({"script": script}, {"latency": 3_600.0}):
        async with fake_provider(**options) as provider:
            with pytest.raises(openai.APITimeoutError):
                async with openai_of(provider, timeout=0.2) as client:
                    await client.responses.create(model="medium", input="?")
            with anyio.fail_after(WAIT):
                await provider.journal.settled()
        (call,) = provider.journal
        assert (call.outcome, call.status, call.usage) == ("client left", None, None)


async def test_a_call_that_is_open_when_the_provider_ends_was_stopped() -> None:
    async with anyio.create_task_group() as tasks:
        async with fake_provider("42", latency=3_600.0) as provider:
            tasks.start_soon(swallow, chat, provider)
            with anyio.fail_after(WAIT):
                while not provider.journal.open:
                    await anyio.lowlevel.checkpoint()
    assert [one.outcome for one in provider.journal] == ["stopped"]


async def swallow(ask: Any, provider: Provider) -> None:
    with pytest.raises(openai.APIConnectionError):
        await ask(provider)


async def test_what_a_script_raises_ends_the_block() -> None:
    def script(asked: Asked) -> str:
        raise AssertionError("not what was agreed")

    with pytest.RaisesGroup(
        pytest.RaisesExc(AssertionError, match="agreed"), flatten_subgroups=True
    ):
        async with fake_provider(script) as provider:
            await chat(provider)


@pytest.mark.parametrize("kind", [LookupError, pytest.fail.Exception])
async def test_what_the_block_raises_comes_out_as_it_is(kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        async with fake_provider():
            raise kind


async def test_a_key_is_required_unless_it_is_said_otherwise() -> None:
    async with httpx2.AsyncClient() as client:
        async with fake_provider() as provider:
            refused = await client.get(f"{provider.url}/v1/models")
            assert (await client.get(f"{provider.url}/healthz")).json() == {"status": "ok"}
        async with fake_provider(needs_key=False) as provider:
            taken = await client.get(f"{provider.url}/v1/models")
    assert (refused.status_code, taken.status_code) == (401, 200)
    assert refused.json()["error"]["code"] == "invalid_api_key"


async def test_an_unknown_path_is_not_found() -> None:
    async with fake_provider() as provider, openai_of(provider) as client:
        with pytest.raises(openai.NotFoundError, match="POST /v1/embeddings"):
            await client.embeddings.create(model="medium", input="?")


async def test_what_is_no_request_gets_a_400() -> None:
    async with fake_provider() as provider:
        port = int(provider.url.rpartition(":")[2])
        with anyio.fail_after(WAIT):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"hello there\r\n\r\n")
                assert (await stream.receive()).startswith(b"HTTP/1.1 400 ")
        async with httpx2.AsyncClient(headers={"x-api-key": "k"}) as client:
            for body in (b"{", b"[]", b'{"model": "m", "messages": 7}'):
                reply = await client.post(f"{provider.url}/v1/chat/completions", content=body)
                assert reply.status_code == 400


MODELS = {
    "plain": Model(efforts=(), schema=False, tools=False, images=False, context=100, output=500),
    "old": Model(retires=date(2026, 12, 11)),
    "strict": Model(efforts=("low", "high"), completion_tokens=True, refuses=("temperature",)),
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("plain", {"reasoning_effort": "low"}, "'reasoning_effort' is not supported"),
        ("plain", {"response_format": SCHEMA}, "'response_format' is not supported"),
        ("plain", {"tools": [TOOL]}, "'tools' is not supported"),
        ("plain", {"max_tokens": 501}, "501 > 500"),
        ("strict", {"reasoning_effort": "max"}, "does not support 'max'"),
        ("strict", {"temperature": 0.2}, "'temperature' is not supported"),
        ("strict", {"max_tokens": 9}, "Use 'max_completion_tokens' instead"),
    ],
)
async def test_a_model_refuses_what_it_lacks(model: str, more: dict[str, Any], said: str) -> None:
    async with fake_provider("42", models=MODELS) as provider:
        with pytest.raises(openai.BadRequestError, match=said):
            await chat(provider, model, **more)
        assert await chat(provider, model) == "42"


async def test_a_model_refuses_images_and_long_prompts() -> None:
    async with fake_provider("42", models=MODELS) as provider, openai_of(provider) as client:
        seen: Any = [{"role": "user", "content": IMAGE}]
        with pytest.raises(openai.BadRequestError, match="does not take images"):
            await client.chat.completions.create(model="plain", messages=seen)
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="plain", input="x" * 1_000)
        assert caught.value.code == "context_length_exceeded"
        with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
            await claude(provider, "plain", messages=[{"role": "user", "content": "x" * 1_000}])


async def test_models_are_listed_as_either_provider_lists_them() -> None:
    async with fake_provider(models=MODELS) as provider:
        async with anthropic_of(provider) as claude_client:
            listed = [model async for model in claude_client.models.list()]
            strict = await claude_client.models.retrieve("strict")
            old = await claude_client.models.retrieve("old")
            with pytest.raises(anthropic.NotFoundError, match="there are: plain, old, strict"):
                await claude_client.models.retrieve("none")
        async with openai_of(provider) as openai_client:
            names = [model.id async for model in openai_client.models.list()]
            retiring = await openai_client.models.retrieve("old")
            with pytest.raises(openai.NotFoundError):
                await chat(provider, "none")
    assert [model.id for model in listed] == names == ["plain", "old", "strict"]
    assert strict.capabilities is not None
    assert strict.capabilities.effort.high.supported
    assert not strict.capabilities.effort.max.supported
    assert (old.lifecycle, old.retires_at is not None) == ("deprecated", True)
    assert retiring.shutdown_date == "2026-12-11"


async def test_a_quota_of_requests_is_told_and_held() -> None:
    async with fake_provider("42", quota=Quota(requests=2)) as provider:
        async with openai_of(provider) as client:
            raw = await client.chat.completions.with_raw_response.create(
                model="medium", messages=PROMPT
            )
            assert raw.headers["x-ratelimit-limit-requests"] == "2"
            assert raw.headers["x-ratelimit-remaining-requests"] == "1"
        async with anthropic_of(provider) as claude_client:
            reply = await claude_client.messages.with_raw_response.create(
                model="medium", max_tokens=10, messages=PROMPT
            )
            assert reply.headers["anthropic-ratelimit-requests-remaining"] == "0"
            with pytest.raises(anthropic.RateLimitError) as caught:
                await claude(provider)
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
        assert await claude(provider, "other") == "42"


async def test_a_quota_of_tokens_counts_prompt_and_reply() -> None:
    async with fake_provider("word " * 400, quota=Quota(tokens=400)) as provider:
        await chat(provider)
        with pytest.raises(openai.RateLimitError):
            await chat(provider)


async def test_latency_holds_every_reply_back() -> None:
    async with fake_provider("42 " * 20, latency=Latency(median=0.1, between=0.02)) as provider:
        begun = time.monotonic()
        await chat(provider)
        assert time.monotonic() - begun >= 0.1
        async with openai_of(provider) as client:
            stream = await client.responses.create(model="medium", input="?", stream=True)
            events = [event async for event in stream]
    assert provider.journal.calls[1].seconds is not None
    assert provider.journal.calls[1].seconds >= 0.1 + 0.02 * (len(events) - 1)


def test_latency_is_read_from_words() -> None:
    assert read_latency("0.2") == Latency(median=0.2)
    assert read_latency("lognormal:0.5:0.6+0.01") == Latency(median=0.5, sigma=0.6, between=0.01)


@pytest.mark.parametrize("wrong", ["soon", "lognormal:1", "-1", "inf", "nan", "normal:1:2"])
def test_other_words_are_no_latency(wrong: str) -> None:
    with pytest.raises(ValueError, match="SECONDS or lognormal:MEDIAN:SIGMA"):
        read_latency(wrong)


async def test_the_journal_tells_all_that_was_sent_but_the_keys() -> None:
    async with fake_provider("42") as provider:
        await chat(provider)
        await claude(provider, "large")
        async with httpx2.AsyncClient() as client:
            shown = (await client.get(f"{provider.url}/journal")).json()
        first, second = provider.journal.calls
        assert [(one.method, one.path) for one in provider.journal] == [
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/messages"),
            ("GET", "/journal"),
        ]
    assert (first.api, first.model, first.status, first.outcome) == (
        "chat",
        "medium",
        200,
        "answered",
    )
    assert first.body == {"model": "medium", "messages": PROMPT}
    assert first.usage is not None
    assert second.usage is not None
    assert provider.journal.usage == first.usage + second.usage
    assert "sk-secret" not in str(shown) + str(list(provider.journal))
    assert shown["entries"][0]["headers"]["authorization"] == "***"
    assert Usage(**shown["usage"]) == provider.journal.usage


async def test_the_journal_knows_how_many_were_in_flight() -> None:
    here, everybody = [0], anyio.Event()

    async def script(asked: Asked) -> str:
        here[0] += 1
        if here[0] == 5:
            everybody.set()
        await everybody.wait()
        return "42"

    async with fake_provider(script) as provider, openai_of(provider) as client:
        async with anyio.create_task_group() as tasks:
            for n in range(5):
                tasks.start_soon(lambda n: client.responses.create(model="medium", input=str(n)), n)
        await chat(provider)
    assert provider.journal.most_in_flight == 5
    assert [one.in_flight for one in provider.journal] == [1, 2, 3, 4, 5, 1]


async def test_a_journal_can_forget_old_bodies() -> None:
    async with fake_provider("42", keep=1) as provider:
        await chat(provider)
        await chat(provider)
    old, new = provider.journal
    assert (old.body, old.usage, new.body["model"]) == (None, new.usage, "medium")


async def test_a_connection_serves_one_request_after_another() -> None:
    async with fake_provider("42") as provider:
        port = int(provider.url.rpartition(":")[2])
        request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        received = b""
        with anyio.fail_after(WAIT):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(request + request + last)
                async for data in stream:
                    received += data
    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_a_program_without_a_loop_can_have_one_too() -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fake_provider("42")) as provider,
        anthropic.Anthropic(base_url=provider.url, api_key="k", max_retries=0) as client,
    ):
        client.messages.create(model="medium", max_tokens=10, messages=PROMPT)
        assert len(provider.journal.calls) == 1
