"""Conversations with a model: tools, what is sent back, images, thought."""

from __future__ import annotations

import json
from typing import Any

import pytest
from providing import APIS, Access, Serve

from solvers.errors import BrokenReplyError, FixRequestError
from solvers.fake import Asked, Reply
from solvers.model import Message, ModelReply, ModelRequest, ToolCall, ToolResult, ToolSpec
from solvers.types import Attachment, Meter

pytestmark = pytest.mark.anyio

ADD = ToolSpec(
    name="add",
    description="Adds two numbers.",
    schema={
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
    },
)
CALL = ToolCall(id="call_1", name="add", arguments={"a": 1, "b": 2}, raw='{"a": 1, "b": 2}')
OTHER = ToolCall(id="call_2", name="add", arguments={"a": 3, "b": 4}, raw='{"a": 3, "b": 4}')
QUESTION = Message(role="user", text="1 + 2 and 3 + 4?")
RESULTS = Message(
    role="user",
    tool_results=(
        ToolResult(call_id="call_1", text="3"),
        ToolResult(call_id="call_2", text="no such thing", is_error=True),
    ),
)
PNG = Attachment(media_type="image/png", data=b"\x89PNG\r\n\x1a\n rest", name="a.png")


def request(*messages: Message, **more: Any) -> ModelRequest:
    return ModelRequest(messages=messages or (QUESTION,), system="Be brief.", **more)


async def first_turn(access: Access, api: str) -> ModelReply:
    return await access.model(api).reply(request(tools=(ADD,)), Meter())


@pytest.mark.parametrize("api", APIS)
async def test_calls_are_read_and_their_results_answered_in_one_turn(
    serve: Serve, api: str
) -> None:
    thinking = Reply(text="Let me see.", thought="Two sums.", tool_calls=(CALL, OTHER))
    asked: list[Asked] = []

    def script(one: Asked) -> Reply:
        asked.append(one)
        return thinking if len(asked) == 1 else Reply(text="3 and 7")

    async with serve(script) as access:
        reply = await first_turn(access, api)
        messages = (QUESTION, reply.as_message(), RESULTS)
        last = await access.model(api).reply(request(*messages, tools=(ADD,)), Meter())
    assert (reply.finish, reply.text) == ("tools", "Let me see.")
    assert [(one.name, one.arguments) for one in reply.tool_calls] == [
        (one.name, one.arguments) for one in (CALL, OTHER)
    ]
    assert asked[0].tools == (ADD,)
    seen = asked[1].messages
    assert [(one.id, one.arguments) for m in seen for one in m.tool_calls] == [
        (one.id, one.arguments) for one in reply.tool_calls
    ]
    results = [one for m in seen for one in m.tool_results]
    assert [one.call_id for one in results] == ["call_1", "call_2"]
    assert "no such thing" in results[1].text
    assert (last.finish, last.text) == ("stop", "3 and 7")


@pytest.mark.parametrize("api", APIS)
async def test_a_reply_survives_being_written_down(serve: Serve, api: str) -> None:
    async with serve(Reply(tool_calls=(CALL,), thought="Hm.")) as access:
        reply = await first_turn(access, api)
    assert json.loads(json.dumps(reply.native)) == reply.native


@pytest.mark.parametrize(("api", "where"), [("anthropic", "messages"), ("openai", "input")])
async def test_thoughts_are_sent_back_to_the_letter(serve: Serve, api: str, where: str) -> None:
    async with serve(Reply(text="So.", thought="Hm.", tool_calls=(CALL,))) as access:
        reply = await first_turn(access, api)
        messages = (QUESTION, reply.as_message(), RESULTS)
        await access.model(api).reply(request(*messages, tools=(ADD,)), Meter())
        sent = access.provider.journal.calls[1].body[where]
    written = reply.native["written"]
    assert any("thinking" in one["type"] or "reasoning" in one["type"] for one in written)
    assert written in ([one["content"] for one in sent if "content" in one], *windows(sent))


async def test_blank_text_is_not_sent_back(serve: Serve) -> None:
    async with serve(Reply(text=" \n", tool_calls=(CALL,))) as access:
        reply = await first_turn(access, "anthropic")
        messages = (QUESTION, reply.as_message(), RESULTS)
        await access.model("anthropic").reply(request(*messages, tools=(ADD,)), Meter())
        sent = access.provider.journal.calls[1].body["messages"][1]
    assert [one["type"] for one in sent["content"]] == ["tool_use"]


def windows(items: list[Any]) -> list[Any]:
    """Every run of items, and what each holds."""
    runs = [items[a:b] for a in range(len(items)) for b in range(a + 1, len(items) + 1)]
    return [*runs, *(one["content"] for one in items if "content" in one)]


@pytest.mark.parametrize("api", APIS)
async def test_nothing_native_is_sent_to_another_model(serve: Serve, api: str) -> None:
    async with serve(Reply(text="So.", thought="Secret.", tool_calls=(CALL,))) as access:
        reply = await first_turn(access, api)
        messages = (QUESTION, reply.as_message(), RESULTS)
        for other in APIS:
            await access.model(other, "another").reply(request(*messages, tools=(ADD,)), Meter())
        bodies = [json.dumps(seen.body) for seen in access.provider.journal.calls[1:]]
    assert len(bodies) == 3
    for body in bodies:
        assert "Secret." not in body
        assert "call_1" in body
        assert "So." in body


@pytest.mark.parametrize("api", ["openai", "chat"])
async def test_arguments_that_are_no_object_are_told_as_they_came(serve: Serve, api: str) -> None:
    broken = ToolCall(id="c", name="add", arguments=None, raw='{"a": 1,')
    async with serve(Reply(tool_calls=(broken,))) as access:
        reply = await first_turn(access, api)
    assert reply.finish == "tools"
    assert (reply.tool_calls[0].arguments, reply.tool_calls[0].raw) == (None, '{"a": 1,')


@pytest.mark.parametrize("api", APIS)
async def test_a_call_where_no_tool_was_offered_is_left_out_of_the_text(
    serve: Serve, api: str
) -> None:
    async with serve(Reply(text="It is 3.", tool_calls=(CALL,)), Reply(tool_calls=(CALL,))) as one:
        reply = await one.model(api).reply(request(), Meter())
        meter = Meter()
        with pytest.raises(BrokenReplyError, match="where none was offered"):
            await one.model(api).reply(request(), meter)
    assert (reply.text, reply.tool_calls, reply.finish) == ("It is 3.", (), "stop")
    assert meter.usage.output_tokens


@pytest.mark.parametrize("api", APIS)
async def test_a_call_that_was_cut_off_is_none(serve: Serve, api: str) -> None:
    async with serve(Reply(text="So.", tool_calls=(CALL,), finish="length")) as access:
        reply = await first_turn(access, api)
    assert (reply.finish, reply.tool_calls) == ("length", ())


@pytest.mark.parametrize("api", APIS)
async def test_an_image_is_shown_in_the_form_of_the_api(serve: Serve, api: str) -> None:
    asked: list[Asked] = []

    def script(one: Asked) -> str:
        asked.append(one)
        return "A cat."

    misnamed = Attachment(media_type="image/jpeg", data=PNG.data)
    async with serve(script) as access:
        message = Message(role="user", text="What is this?", attachments=(misnamed,))
        await access.model(api).reply(request(message), Meter())
    shown = [one for m in asked[0].messages for one in m.attachments]
    assert [(one.media_type, one.data) for one in shown] == [("image/png", PNG.data)]


@pytest.mark.parametrize("api", APIS)
async def test_a_model_that_reads_text_only_is_shown_nothing(access: Access, api: str) -> None:
    message = Message(role="user", text="What is this?", attachments=(PNG,))
    meter = Meter()
    with pytest.raises(FixRequestError, match="reads text only"):
        await access.model(api, images=False).reply(request(message), meter)
    assert meter.usage.requests == len(access.provider.journal.calls) == 0


@pytest.mark.parametrize("api", ["anthropic", "chat"])
async def test_thought_is_kept_apart_from_the_text(serve: Serve, api: str) -> None:
    async with serve(Reply(text="3", thought="1 and 2.")) as access:
        reply = await access.model(api).reply(request(), Meter())
    assert (reply.text, reply.thought) == ("3", "1 and 2.")


async def test_thinking_in_front_of_the_text_is_thought_too(serve: Serve) -> None:
    async with serve("<think>\n1 and 2.\n</think>\n\n3") as access:
        reply = await access.model("chat").reply(request(), Meter())
    assert (reply.text, reply.thought) == ("3", "1 and 2.")


async def test_a_paused_turn_goes_on_where_it_stopped(serve: Serve) -> None:
    async with serve(Reply(text="First. ", finish="pause"), Reply(text="Second.")) as access:
        meter = Meter()
        reply = await access.model("anthropic").reply(request(), meter)
        told = access.provider.journal.usage
        resent = access.provider.journal.calls[1].body["messages"]
    assert reply.text == "First. Second."
    assert [one["role"] for one in resent] == ["user", "assistant"]
    assert meter.usage == told
    assert meter.usage.requests == 2


async def test_a_turn_that_is_paused_for_ever_is_given_up(serve: Serve) -> None:
    async with serve(Reply(text="Wait.", finish="pause")) as access:
        with pytest.raises(BrokenReplyError, match="again and again"):
            await access.model("anthropic").reply(request(), Meter())
