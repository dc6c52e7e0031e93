"""The Responses API of the fake, as OpenAI's own client sees it."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from fake.clients import openai_of
from openai.types.responses import Response

from solvers.fake import Asked, Provider, Reply, fake_provider, structured
from solvers.model import ToolCall
from solvers.types import Usage

pytestmark = pytest.mark.anyio

TOOL = {
    "type": "function",
    "name": "add",
    "description": "Add numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict": False,
}
CALLS = (
    ToolCall(id="call_1", name="add", arguments={"a": 1}),
    ToolCall(id="call_2", name="add", arguments={"a": 2}),
)


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def ask(provider: Provider, stream: bool, **more: Any) -> Response:
    request: dict[str, Any] = {"model": "medium", "input": "What is 6 × 7?", **more}
    async with openai_of(provider) as client:
        if not stream:
            response: Response = await client.responses.create(**request)
            return response
        async with client.responses.stream(**request) as events:
            async for event in events:
                if event.type == "response.incomplete":
                    return event.response
            return await events.get_final_response()


async def test_a_reply_arrives_as_text_with_its_summary(stream: bool) -> None:
    long = "The answer is 42. " * 40
    async with fake_provider(Reply(text=long, thought="Six times seven.")) as provider:
        response = await ask(
            provider,
            stream,
            reasoning={"effort": "low", "summary": "auto"},
            include=["reasoning.encrypted_content"],
        )
    assert response.output_text == long
    assert (response.status, response.model) == ("completed", "medium")
    thought = response.output[0]
    assert thought.type == "reasoning"
    assert thought.summary[0].text == "Six times seven."
    assert thought.encrypted_content


async def test_a_structured_answer_can_be_parsed_by_the_client() -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        answer: str
        confidence: float

    async with fake_provider(structured("42")) as provider, openai_of(provider) as client:
        response = await client.responses.parse(model="medium", input="?", text_format=Answer)
    assert response.output_parsed is not None
    assert response.output_parsed.answer == "42"


async def test_parallel_tool_calls_arrive_with_their_arguments(stream: bool) -> None:
    async with fake_provider(Reply(text="I shall add.", tool_calls=CALLS)) as provider:
        response = await ask(provider, stream, tools=[TOOL])
    found = [(i.call_id, i.name, i.arguments) for i in response.output if i.type == "function_call"]
    assert found == [("call_1", "add", '{"a":1}'), ("call_2", "add", '{"a":2}')]
    assert response.output_text == "I shall add."


async def test_a_tool_in_a_namespace_has_one_name_in_neutral_words(stream: bool) -> None:
    seen: list[Asked] = []

    def script(asked: Asked) -> Reply:
        seen.append(asked)
        return Reply(tool_calls=(ToolCall(id="call_1", name="sums__add", arguments={"a": 1}),))

    space = {"type": "namespace", "name": "sums", "description": "Sums.", "tools": [TOOL]}
    done = {"type": "function_call", "call_id": "c0", "arguments": "{}"}
    async with fake_provider(script) as provider:
        response = await ask(
            provider,
            stream,
            tools=[space],
            input=[
                {"role": "user", "content": "Add."},
                {**done, "namespace": "sums", "name": "add"},
                {"type": "function_call_output", "call_id": "c0", "output": "3"},
            ],
        )
    (call,) = response.output
    assert call.type == "function_call"
    assert (call.namespace, call.name) == ("sums", "add")
    (asked,) = seen
    assert [tool.name for tool in asked.tools] == ["sums__add"]
    assert [one.name for one in asked.messages[1].tool_calls] == ["sums__add"]


async def test_a_tool_call_can_be_written_wrong() -> None:
    wrong = ToolCall(id="call_1", name="add", arguments=None, raw='{"a": ')
    async with fake_provider(Reply(tool_calls=(wrong,))) as provider:
        response = await ask(provider, False, tools=[TOOL])
    (call,) = response.output
    assert call.type == "function_call"
    assert call.arguments == '{"a": '


async def test_a_script_sees_a_conversation_with_tool_results_in_neutral_words() -> None:
    seen: list[Asked] = []

    def script(asked: Asked) -> str:
        seen.append(asked)
        return "Done."

    async with fake_provider(script) as provider:
        await ask(
            provider,
            False,
            instructions="Be brief.",
            tools=[TOOL],
            reasoning={"effort": "high"},
            max_output_tokens=500,
            text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Add."},
                        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
                    ],
                },
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "type": "function_call",
                    "call_id": "c1",
                    "name": "add",
                    "arguments": '{"a": 1}',
                },
                {
                    "type": "function_call",
                    "call_id": "c2",
                    "name": "add",
                    "arguments": '{"a": 2}',
                },
                {"type": "function_call_output", "call_id": "c1", "output": "3"},
                {"type": "function_call_output", "call_id": "c2", "output": "4"},
            ],
        )
    (asked,) = seen
    assert (asked.api, asked.system, asked.effort) == ("responses", "Be brief.", "high")
    assert (asked.max_tokens, asked.schema) == (500, {"type": "object"})
    first, second, third = asked.messages
    assert (first.text.strip(), first.attachments[0].media_type) == ("Add.", "image/png")
    assert [call.arguments for call in second.tool_calls] == [{"a": 1}, {"a": 2}]
    assert [result.text for result in third.tool_results] == ["3", "4"]


async def test_the_input_of_usage_counts_the_cache(stream: bool) -> None:
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
    assert told is not None
    assert (told.input_tokens, told.output_tokens, told.total_tokens) == (2_000, 70, 2_070)
    assert told.input_tokens_details.cached_tokens == 1_024
    assert told.input_tokens_details.cache_write_tokens == 512
    assert told.output_tokens_details.reasoning_tokens == 30


async def test_a_shared_prefix_is_cached_without_asking() -> None:
    async with fake_provider("42") as provider:
        first = (await ask(provider, False, input="x" * 8_000 + "one")).usage
        second = (await ask(provider, False, input="x" * 8_000 + "two")).usage
        other = (await ask(provider, False, input="y" * 8_000)).usage
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.input_tokens_details.cached_tokens == 0
    assert second.input_tokens_details.cached_tokens == 1_920
    assert other.input_tokens_details.cached_tokens == 0


async def test_a_reply_longer_than_allowed_is_incomplete(stream: bool) -> None:
    async with fake_provider("word " * 100) as provider:
        response = await ask(provider, stream, max_output_tokens=20)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert len(response.output_text) == 80


async def test_a_request_that_lacks_something_is_told_so() -> None:
    async with fake_provider() as provider, openai_of(provider) as client:
        with pytest.raises(openai.BadRequestError, match="Missing required") as caught:
            await client.responses.create(model="medium", input="")
    assert (caught.value.code, caught.value.param) == ("missing_required_parameter", "input")
