"""Odd replies of compatible servers, and the words by which providers tell what is wrong."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from solvers.endpoint import Endpoint
from solvers.errors import (
    AuthenticationError,
    BrokenReplyError,
    BudgetSpentError,
    ContextOverflowError,
    FixRequestError,
    OverloadedError,
    RateLimitedError,
    SolverError,
)
from solvers.faults import Complaint, complaint_of, error_of
from solvers.model import Message, ModelReply, ModelRequest
from solvers.openai_chat import ChatWire, Dialect, Taste
from solvers.openai_responses import ResponsesWire
from solvers.provided import Receipt, Turn, Wire
from solvers.types import UNKNOWN_USAGE

pytestmark = pytest.mark.anyio

AT = Endpoint(api="chat", model="m", base_url="http://h/v1")
TURN = Turn(
    request=ModelRequest(messages=(Message(role="user", text="Hello"),)),
    effort=None,
    max_tokens=100,
)


async def reply_to(body: Any, *, api: str = "chat") -> tuple[ModelReply, Receipt]:
    """What a turn makes of a server that answers this."""
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=body))
    receipt = Receipt()
    async with openai.AsyncOpenAI(
        api_key="k",
        base_url=AT.base_url,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpx2Client(transport=transport),
    ) as client:
        wire: Wire = (
            ChatWire(client, AT, Taste(Dialect())) if api == "chat" else ResponsesWire(client, AT)
        )
        return await wire.send(TURN, receipt), receipt


def choice(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}}]}


async def test_the_least_that_a_server_may_say_is_a_reply() -> None:
    reply, receipt = await reply_to(choice(content="Hi"))
    assert reply == ModelReply(text="Hi", model="m")
    assert (receipt.usage, receipt.usd) == (UNKNOWN_USAGE, None)


async def test_text_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}, "?", None]
    reply, _ = await reply_to(choice(content=parts))
    assert reply.text == "Hi there"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_thought_has_two_names(name: str) -> None:
    reply, _ = await reply_to(choice(content="Hi", **{name: "Hm."}))
    assert (reply.text, reply.thought) == ("Hi", "Hm.")


async def test_calls_may_lack_an_id_and_hold_objects() -> None:
    calls = [
        {"function": {"name": "add", "arguments": {"a": 1}}},
        {"id": None, "function": {"name": "add", "arguments": ""}},
        {"id": "x", "function": {"name": "add", "arguments": "[1]"}},
    ]
    reply, _ = await reply_to(choice(content=None, tool_calls=calls))
    assert reply.finish == "tools"
    assert [one.id for one in reply.tool_calls] == ["call_0", "call_1", "x"]
    assert [one.arguments for one in reply.tool_calls] == [{"a": 1}, {}, None]
    assert [one["id"] for one in reply.native["written"]["tool_calls"]] == ["call_0", "call_1", "x"]


async def test_a_servers_own_cost_counts() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.25}
    _, receipt = await reply_to({**choice(content="Hi"), "usage": usage})
    assert receipt.usd == 0.25
    assert (receipt.usage.input_tokens, receipt.usage.cached_tokens) == (10, None)


async def test_details_that_leave_a_kind_out_have_none_of_it() -> None:
    details = {"cached_tokens": 4}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": details}
    _, receipt = await reply_to({**choice(content="Hi"), "usage": usage})
    assert (receipt.usage.cached_tokens, receipt.usage.cache_write_tokens) == (4, 0)
    assert receipt.usage.reasoning_tokens is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], BrokenReplyError),
        ("Hello", BrokenReplyError),
        ({}, BrokenReplyError),
        ({"choices": []}, BrokenReplyError),
        ({"choices": None}, BrokenReplyError),
        ({"error": {"code": 429, "message": "slow down"}}, RateLimitedError),
        ({"error": {"code": 402, "message": "no credits"}}, BudgetSpentError),
        ({"error": "upstream died"}, OverloadedError),
        ({"choices": [{"error": {"code": 502, "message": "upstream"}}]}, OverloadedError),
    ],
)
async def test_a_reply_without_a_reply_is_an_error(body: Any, error: type[SolverError]) -> None:
    with pytest.raises(error):
        await reply_to(body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, BrokenReplyError),
        ({"status": "queued"}, BrokenReplyError),
        ({"status": "failed", "error": None}, OverloadedError),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, RateLimitedError),
        ({"status": "failed", "error": {"code": "insufficient_quota"}}, BudgetSpentError),
        ({"status": "failed", "error": {"code": "invalid_prompt"}}, FixRequestError),
    ],
)
async def test_a_response_that_failed_is_an_error(body: Any, error: type[SolverError]) -> None:
    with pytest.raises(error):
        await reply_to(body, api="openai")


async def test_a_filtered_response_is_a_refusal() -> None:
    body = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    reply, _ = await reply_to(body, api="openai")
    assert reply == ModelReply(text="", model="m", finish="refusal")


@pytest.mark.parametrize(
    "said",
    [
        "prompt is too long: 1000001 tokens > 1000000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "This model's maximum context length is 8192 tokens.",
        "the request exceeds the available context size, try increasing it",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
        "Trying to keep the first 9000 tokens when context the overflows. context length 4096",
    ],
)
def test_every_way_to_say_that_a_prompt_is_too_long_is_understood(said: str) -> None:
    assert type(error_of(Complaint(status=400, said=said), AT)) is ContextOverflowError


def test_an_effort_that_is_refused_has_a_cure() -> None:
    said = "output_config.effort: This model does not support the effort parameter."
    error = error_of(Complaint(status=400, said=said), AT)
    assert type(error) is FixRequestError
    assert "`efforts` in its roster entry" in str(error)


def test_a_rate_limit_that_speaks_of_billing_is_one() -> None:
    said = "You exceeded your current quota, please check your plan and billing details."
    assert type(error_of(Complaint(status=429, said=said), AT)) is RateLimitedError
    spent = Complaint(status=429, kind="insufficient_quota", said=said)
    assert type(error_of(spent, AT)) is BudgetSpentError


def test_a_server_that_wants_a_key_says_how_to_give_one() -> None:
    error = error_of(Complaint(status=401), AT)
    assert type(error) is AuthenticationError
    assert "key_env" in str(error)


def test_what_a_provider_says_is_shortened_and_holds_no_key() -> None:
    at = Endpoint(api="chat", model="m", base_url="http://h/v1", key="secret-key")
    text = str(error_of(Complaint(status=400, said="bad secret-key\n" + "x" * 10_000), at))
    assert "secret-key" not in text
    assert len(text) < 400
    assert "secret-key" not in repr(at)


def test_an_error_of_no_known_kind_may_pass() -> None:
    assert complaint_of({"message": "?"}).status == 500
    assert complaint_of(None).said == "no reason given"
