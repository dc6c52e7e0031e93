"""The Messages API of the fake, as Anthropic's own client sees it."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from fake.clients import anthropic_of

from solvers.fake import Asked, Provider, Reply, fake_provider, structured
from solvers.model import ToolCall
from solvers.types import Usage

pytestmark = pytest.mark.anyio

TOOL = {
    "name": "add",
    "description": "Add numbers.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
CALLS = (
    ToolCall(id="toolu_1", name="add", arguments={"a": 1}),
    ToolCall(id="toolu_2", name="add", arguments={"a": 2}),
)
PIXEL = "iVBORw0KGgo="


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def ask(provider: Provider, stream: bool, **more: Any) -> Message:
    request: dict[str, Any] = {
        "model": "medium",
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "What is 6 × 7?"}],
        **more,
    }
    async with anthropic_of(provider) as client:
        if not stream:
            message: Message = await client.messages.create(**request)
            return message
        async with client.messages.stream(**request) as events:
            return await events.get_final_message()


async def test_a_reply_arrives_as_text_with_its_thought(stream: bool) -> None:
    long = "The answer is 42. " * 40
    async with fake_provider(Reply(text=long, thought="Six times seven.")) as provider:
        message = await ask(provider, stream)
    thought, text = message.content
    assert (thought.type, text.type) == ("thinking", "text")
    assert thought.type == "thinking"
    assert thought.thinking == "Six times seven."
    assert text.type == "text"
    assert text.text == long
    assert (message.model, message.stop_reason) == ("medium", "end_turn")


async def test_a_structured_answer_can_be_parsed_by_the_client() -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        answer: str
        confidence: float

    async with fake_provider(structured("42")) as provider, anthropic_of(provider) as client:
        message = await client.messages.parse(
            model="medium",
            max_tokens=1_000,
            messages=[{"role": "user", "content": "6 × 7?"}],
            output_format=Answer,
        )
    assert message.parsed_output is not None
    assert message.parsed_output.answer == "42"


async def test_parallel_tool_calls_arrive_with_their_arguments(stream: bool) -> None:
    async with fake_provider(Reply(text="I shall add.", tool_calls=CALLS)) as provider:
        message = await ask(provider, stream, tools=[TOOL])
    assert message.stop_reason == "tool_use"
    found = [(b.id, b.name, b.input) for b in message.content if b.type == "tool_use"]
    assert found == [("toolu_1", "add", {"a": 1}), ("toolu_2", "add", {"a": 2})]


async def test_a_script_sees_a_conversation_with_tool_results_in_neutral_words() -> None:
    seen: list[Asked] = []

    def script(asked: Asked) -> str:
        seen.append(asked)
        return "Done."

    async with fake_provider(script) as provider:
        await ask(
            provider,
            False,
            system=[{"type": "text", "text": "Be brief."}],
            tools=[TOOL],
            output_config={
                "effort": "high",
                "format": {"type": "json_schema", "schema": {"type": "object"}},
            },
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Add."},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "3"}],
                },
            ],
        )
    (asked,) = seen
    assert (asked.api, asked.model, asked.system) == ("messages", "medium", "Be brief.")
    assert (asked.effort, asked.max_tokens, asked.schema) == ("high", 1_000, {"type": "object"})
    assert asked.tools[0].name == "add"
    first, second, third = asked.messages
    assert (first.text, first.attachments[0].media_type) == ("Add.", "image/png")
    assert (second.tool_calls[0].id, second.tool_calls[0].arguments) == ("t1", {"a": 1})
    assert (third.tool_results[0].call_id, third.tool_results[0].text) == ("t1", "3")


async def test_the_input_of_usage_leaves_the_cache_out(stream: bool) -> None:
    usage = Usage(
        requests=1,
        input_tokens=2_000,
        output_tokens=70,
        cached_tokens=1_024,
        cache_write_tokens=512,
        reasoning_tokens=30,
    )
    async with fake_provider(Reply(text="42", usage=usage)) as provider:
        told = (await ask(provider, stream)).usage
        assert provider.journal.usage == usage
    assert (told.input_tokens, told.output_tokens) == (2_000 - 1_024 - 512, 70)
    assert (told.cache_read_input_tokens, told.cache_creation_input_tokens) == (1_024, 512)
    assert told.output_tokens_details is not None
    assert told.output_tokens_details.thinking_tokens == 30


async def test_a_prefix_that_was_read_before_is_cached_when_asked_for() -> None:
    async with fake_provider("42") as provider:
        long = [{"role": "user", "content": "x" * 8_000}]
        plain = (await ask(provider, False, messages=long)).usage
        more = {"messages": long, "cache_control": {"type": "ephemeral"}}
        first = (await ask(provider, False, **more)).usage
        second = (await ask(provider, False, **more)).usage
    assert (plain.cache_read_input_tokens, plain.cache_creation_input_tokens) == (0, 0)
    assert first.cache_read_input_tokens == 0
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens == 1_920
    assert second.cache_creation_input_tokens == 0
    assert second.input_tokens < 128


async def test_a_reply_longer_than_allowed_is_cut_off(stream: bool) -> None:
    async with fake_provider(Reply(text="word " * 100, reasoning_tokens=50)) as provider:
        message = await ask(provider, stream, max_tokens=60)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 60
    (block,) = message.content
    assert block.type == "text"
    assert len(block.text) == 40


async def test_tokens_can_be_counted_without_a_reply() -> None:
    async with fake_provider() as provider, anthropic_of(provider) as client:
        counted = await client.messages.count_tokens(
            model="medium", messages=[{"role": "user", "content": "x" * 395}]
        )
        message = await ask(provider, False, messages=[{"role": "user", "content": "x" * 395}])
        assert len(provider.journal.calls) == 1
    assert counted.input_tokens == message.usage.input_tokens == 101


async def test_a_request_that_lacks_something_is_told_so() -> None:
    async with fake_provider() as provider, anthropic_of(provider) as client:
        with pytest.raises(anthropic.BadRequestError, match="messages: Field required"):
            await client.messages.create(model="medium", max_tokens=10, messages=[])
