"""Every fault by name, and what the official clients make of it."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from fake.clients import anthropic_of, openai_of

from solvers.fake import FAULTS, Provider, fake_provider, nobody, structured
from solvers.fake.faults import ordered
from solvers.types import Usage

pytestmark = pytest.mark.anyio

PROMPT: Any = [{"role": "user", "content": "What is 6 × 7?"}]
LONG = structured("42", reasoning="Six sevens are 42. " * 20)


async def claude(provider: Provider, model: str, timeout: float = 5.0) -> anthropic.types.Message:
    async with anthropic_of(provider, timeout) as client:
        return await client.messages.create(model=model, max_tokens=2_000, messages=PROMPT)


async def claude_stream(
    provider: Provider, model: str, timeout: float = 5.0
) -> anthropic.types.Message:
    async with (
        anthropic_of(provider, timeout) as client,
        client.messages.stream(model=model, max_tokens=2_000, messages=PROMPT) as events,
    ):
        return await events.get_final_message()


async def responses(
    provider: Provider, model: str, timeout: float = 5.0
) -> openai.types.responses.Response:
    async with openai_of(provider, timeout) as client:
        return await client.responses.create(model=model, input="What is 6 × 7?")


async def responses_stream(
    provider: Provider, model: str, timeout: float = 5.0
) -> openai.types.responses.Response:
    async with (
        openai_of(provider, timeout) as client,
        client.responses.stream(model=model, input="What is 6 × 7?") as events,
    ):
        return await events.get_final_response()


async def chat(
    provider: Provider, model: str, timeout: float = 5.0
) -> openai.types.chat.ChatCompletion:
    async with openai_of(provider, timeout) as client:
        return await client.chat.completions.create(model=model, messages=PROMPT)


async def chat_chunks(provider: Provider, model: str, timeout: float = 5.0) -> list[str | None]:
    """The reasons to finish that the chunks of a stream give."""
    async with openai_of(provider, timeout) as client:
        stream = await client.chat.completions.create(model=model, messages=PROMPT, stream=True)
        return [chunk.choices[0].finish_reason async for chunk in stream]


STATUSES: list[tuple[str, int, type[Exception], type[Exception]]] = [
    ("400", 400, anthropic.BadRequestError, openai.BadRequestError),
    ("401", 401, anthropic.AuthenticationError, openai.AuthenticationError),
    ("402", 402, anthropic.PaymentRequiredError, openai.APIStatusError),
    ("403", 403, anthropic.PermissionDeniedError, openai.PermissionDeniedError),
    ("404", 404, anthropic.NotFoundError, openai.NotFoundError),
    ("retired", 404, anthropic.NotFoundError, openai.NotFoundError),
    ("408", 408, anthropic.RequestTimeoutError, openai.APIStatusError),
    ("409", 409, anthropic.ConflictError, openai.ConflictError),
    ("413", 413, anthropic.ContentTooLargeError, openai.APIStatusError),
    ("429", 429, anthropic.RateLimitError, openai.RateLimitError),
    ("500", 500, anthropic.InternalServerError, openai.InternalServerError),
    ("503", 503, anthropic.ServiceUnavailableError, openai.InternalServerError),
    ("504", 504, anthropic.GatewayTimeoutError, openai.InternalServerError),
    ("529", 529, anthropic.OverloadedError, openai.InternalServerError),
    ("bad-effort", 400, anthropic.BadRequestError, openai.BadRequestError),
    ("bad-parameter", 400, anthropic.BadRequestError, openai.BadRequestError),
    ("overflow", 400, anthropic.BadRequestError, openai.BadRequestError),
    ("quota", 429, anthropic.RateLimitError, openai.RateLimitError),
]


@pytest.mark.parametrize(
    ("name", "status", "of_anthropic", "of_openai"), STATUSES, ids=[one[0] for one in STATUSES]
)
async def test_an_http_error_is_the_class_that_each_client_has_for_it(
    name: str, status: int, of_anthropic: type[Exception], of_openai: type[Exception]
) -> None:
    async with fake_provider() as provider:
        for ask, kind in (
            (claude, of_anthropic),
            (claude_stream, of_anthropic),
            (responses, of_openai),
            (responses_stream, of_openai),
            (chat, of_openai),
        ):
            with pytest.raises(kind) as caught:
                await ask(provider, f"f{name}:large")
            assert getattr(caught.value, "status_code", None) == status
    assert {one.fault for one in provider.journal} == {name}
    assert {one.status for one in provider.journal} == {status}


async def test_openai_names_the_code_and_anthropic_the_type() -> None:
    async with fake_provider() as provider:
        for name, code in (
            ("quota", "insufficient_quota"),
            ("overflow", "context_length_exceeded"),
            ("404", "model_not_found"),
            ("bad-effort", "unsupported_value"),
        ):
            with pytest.raises(openai.APIStatusError) as of_openai:
                await responses(provider, f"f{name}:large")
            assert of_openai.value.code == code
        for name, kind in (
            ("402", "billing_error"),
            ("529", "overloaded_error"),
            ("500", "api_error"),
        ):
            with pytest.raises(anthropic.APIStatusError) as of_anthropic:
                await claude(provider, f"f{name}:large")
            assert of_anthropic.value.type == kind
        with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
            await claude(provider, "foverflow:large")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("429", None),
        ("429-seconds", "1"),
        ("429-absurd", "999999999"),
        ("429-negative", "-5"),
        ("429-junk", "soon"),
    ],
)
async def test_a_limit_says_when_to_come_again_or_nonsense(name: str, header: str | None) -> None:
    async with fake_provider() as provider:
        with pytest.raises(anthropic.RateLimitError) as caught:
            await claude(provider, f"f{name}:large")
    assert caught.value.response.headers.get("retry-after") == header


async def test_a_limit_can_name_a_date() -> None:
    async with fake_provider() as provider:
        with pytest.raises(openai.RateLimitError) as caught:
            await chat(provider, "f429-date:large")
    assert caught.value.response.headers["retry-after"].endswith(" GMT")


async def test_a_fault_can_strike_the_first_calls_of_each_conversation_only() -> None:
    async with fake_provider("42") as provider:
        for prompt in ("one", "two"):
            async with openai_of(provider) as client:
                for _ in range(2):
                    with pytest.raises(openai.InternalServerError):
                        await client.responses.create(model="f503x2:large", input=prompt)
                reply = await client.responses.create(model="f503x2:large", input=prompt)
            assert (reply.output_text, reply.model) == ("42", "large")
    assert [one.fault for one in provider.journal] == ["503", "503", None] * 2


async def test_a_script_can_return_a_fault() -> None:
    async with fake_provider([FAULTS["529"], "42"]) as provider:
        with pytest.raises(anthropic.OverloadedError):
            await claude(provider, "large")
        assert (await claude(provider, "large")).stop_reason == "end_turn"


async def test_an_unknown_fault_is_told_with_those_that_there_are() -> None:
    async with fake_provider() as provider:
        with pytest.raises(openai.BadRequestError, match=r"unknown fault 'typo'.*stream-error"):
            await chat(provider, "ftypo:large")


@pytest.mark.parametrize("model", ["ft:gpt-6:me", "fable", "f:x", "claude-fable-5-2"])
def test_other_model_ids_order_no_fault(model: str) -> None:
    assert ordered(model) is None


@pytest.mark.parametrize("name", ["reset", "reset-body", "cut"])
async def test_a_connection_that_breaks_is_a_connection_error(name: str) -> None:
    async with fake_provider(LONG) as provider:
        for ask in (responses, responses_stream, chat, chat_chunks):
            with pytest.raises(openai.APIConnectionError):
                await ask(provider, f"f{name}:large")
        with pytest.raises(anthropic.APIConnectionError):
            await claude(provider, f"f{name}:large")
        # Anthropic's client lets the error of its transport through when a stream breaks.
        raw = anthropic.APIConnectionError if name == "reset" else httpx2.TransportError
        with pytest.raises(raw):
            await claude_stream(provider, f"f{name}:large")
    assert {one.outcome for one in provider.journal} == {"broken"}


async def test_a_reset_is_no_orderly_end() -> None:
    async with fake_provider(LONG) as provider:
        for name, kind in (("reset-body", httpx2.ReadError), ("cut", httpx2.RemoteProtocolError)):
            with pytest.raises(kind):
                await claude_stream(provider, f"f{name}:large")


@pytest.mark.parametrize("name", ["stall", "stall-body"])
async def test_a_call_that_stalls_runs_into_the_time_limit_of_the_client(name: str) -> None:
    async with fake_provider(LONG) as provider:
        with pytest.raises(anthropic.APITimeoutError):
            await claude(provider, f"f{name}:large", timeout=0.2)
        raw = anthropic.APITimeoutError if name == "stall" else httpx2.ReadTimeout
        with pytest.raises(raw):
            await claude_stream(provider, f"f{name}:large", timeout=0.2)
        for ask in (responses, responses_stream, chat):
            with pytest.raises(openai.APITimeoutError):
                await ask(provider, f"f{name}:large", timeout=0.2)
        await provider.journal.settled()
    assert {one.outcome for one in provider.journal} == {"client left"}


async def test_a_refused_connection_is_a_connection_error() -> None:
    async with openai.AsyncOpenAI(base_url=nobody(), api_key="k", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.responses.create(model="large", input="?")


async def test_a_page_instead_of_a_reply_comes_through_as_it_is() -> None:
    async with fake_provider() as provider:
        for ask in (claude, responses, chat):
            assert str(await ask(provider, "fhtml:large")).startswith("<html>")
        with pytest.raises(AssertionError):
            await claude_stream(provider, "fhtml:large")


async def test_broken_json_is_an_error_of_the_parser() -> None:
    async with fake_provider() as provider:
        for ask in (claude, responses, chat):
            with pytest.raises(json.JSONDecodeError):
                await ask(provider, "fbroken-json:large")


async def test_an_empty_body_is_no_reply() -> None:
    async with fake_provider("42") as provider:
        for ask in (claude, responses, chat):
            with pytest.raises(json.JSONDecodeError):
                await ask(provider, "fempty:large")


async def test_a_wrong_content_type_does_not_disturb_the_clients() -> None:
    async with fake_provider("42") as provider:
        assert (await claude(provider, "fwrong-type:large")).stop_reason == "end_turn"
        assert (await responses(provider, "fwrong-type:large")).output_text == "42"
        async with httpx2.AsyncClient(headers={"x-api-key": "k"}) as client:
            body = {"model": "fwrong-type:large", "messages": PROMPT}
            plain = await client.post(f"{provider.url}/v1/chat/completions", json=body)
        assert plain.headers["content-type"] == "text/plain"


async def test_a_stream_that_ends_without_its_stop_event_has_no_stop_reason() -> None:
    async with fake_provider(LONG) as provider:
        message = await claude_stream(provider, "fno-stop:large")
        assert message.stop_reason is None
        with pytest.raises(RuntimeError):
            await responses_stream(provider, "fno-stop:large")
        assert set(await chat_chunks(provider, "fno-stop:large")) == {None}


async def test_an_error_event_ends_a_stream() -> None:
    async with fake_provider(LONG) as provider:
        with pytest.raises(anthropic.APIStatusError) as of_anthropic:
            await claude_stream(provider, "fstream-error:large")
        assert (of_anthropic.value.status_code, of_anthropic.value.type) == (
            200,
            "overloaded_error",
        )
        with pytest.raises(openai.APIError, match="server had an error"):
            await chat_chunks(provider, "fstream-error:large")
        async with openai_of(provider) as client:
            stream = await client.responses.create(
                model="fstream-error:large", input="?", stream=True
            )
            kinds = [event.type async for event in stream]
        assert kinds[-1] == "error"
        assert "response.completed" not in kinds


async def test_a_refusal_has_the_form_of_each_api() -> None:
    async with fake_provider() as provider:
        message = await claude(provider, "frefusal:large")
        assert (message.stop_reason, message.content) == ("refusal", [])
        assert message.stop_details is not None
        response = await responses(provider, "frefusal:large")
        item = response.output[0]
        assert item.type == "message"
        assert item.content[0].type == "refusal"
        completion = await chat(provider, "frefusal:large")
        assert completion.choices[0].message.refusal
        streamed = (await responses_stream(provider, "frefusal:large")).output[0]
        assert streamed.type == "message"
        assert streamed.content[0].type == "refusal"


async def test_a_truncated_reply_has_the_form_of_each_api() -> None:
    async with fake_provider(LONG) as provider:
        assert (await claude(provider, "ftruncated:large")).stop_reason == "max_tokens"
        assert (await responses(provider, "ftruncated:large")).status == "incomplete"
        completion = await chat(provider, "ftruncated:large")
        assert completion.choices[0].finish_reason == "length"
        assert (await chat_chunks(provider, "ftruncated:large"))[-1] == "length"


async def test_the_stops_that_only_claude_has() -> None:
    async with fake_provider(LONG) as provider:
        full = await claude(provider, "fcontext-stop:large")
        assert full.stop_reason == "model_context_window_exceeded"
        paused = await claude_stream(provider, "fpause:large")
        assert paused.stop_reason == "pause_turn"


async def test_a_response_can_fail_with_http_200() -> None:
    async with fake_provider() as provider:
        response = await responses(provider, "ffailed:large")
        assert response.status == "failed"
        assert response.error is not None
        assert response.error.code == "server_error"
        with pytest.raises(openai.InternalServerError):
            await chat(provider, "ffailed:large")


async def test_a_reply_may_lack_its_choices() -> None:
    async with fake_provider() as provider:
        completion = await chat(provider, "fno-choices:large")
        assert not completion.choices
        assert "Provider returned error" in completion.model_dump_json()


async def test_a_reply_may_lack_its_usage() -> None:
    async with fake_provider() as provider:
        assert (await chat(provider, "fno-usage:large")).usage is None
        assert (await responses(provider, "fno-usage:large")).usage is None
        assert (await claude(provider, "fno-usage:large")).content
        assert [one.usage for one in provider.journal] == [None, None, None]


async def test_a_model_may_break_the_schema_or_call_what_was_not_offered() -> None:
    async with fake_provider() as provider:
        broken = await responses(provider, "fbroken-answer:large")
        assert "answer" not in json.loads(broken.output_text)
        surprise = await claude(provider, "fsurprise-tool:large")
        assert surprise.stop_reason == "tool_use"
        called = (await chat(provider, "fsurprise-tool:large")).choices[0].message.tool_calls
        assert called


async def test_of_a_broken_stream_the_journal_tells_what_the_client_heard() -> None:
    async with fake_provider(LONG) as provider:
        whole = (await claude_stream(provider, "large")).usage
        for model in ("fcut:large", "freset:large"):
            with pytest.raises((httpx2.TransportError, anthropic.APIConnectionError)):
                await claude_stream(provider, model)
        with pytest.raises(openai.APIConnectionError):
            await responses_stream(provider, "fcut:large")
    heard = [one.usage for one in provider.journal][1:]
    prompt = Usage(
        requests=1, input_tokens=whole.input_tokens, output_tokens=None, reasoning_tokens=None
    )
    assert heard == [prompt, None, None]
