"""The OpenAI Responses API: how a request is read, and how a reply is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from solvers.fake import openai_form
from solvers.fake.exchange import Answer, Asked, Rejected
from solvers.fake.sse import Event, pieces
from solvers.model import Message, ToolCall, ToolResult, ToolSpec
from solvers.types import Usage

error = openai_form.error
limits = openai_form.limits

_CUT_OFF = ("length", "context")
_TRUNCATED = {"reason": "max_output_tokens"}


def read(body: Mapping[str, Any]) -> Asked:
    """The request in neutral words.

    Raises:
        Rejected: something that the api requires is missing.
    """
    for name in ("model", "input"):
        if not body.get(name):
            raise Rejected(
                f"Missing required parameter: '{name}'.",
                code="missing_required_parameter",
                param=name,
            )
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    systems = [one for one in items if one.get("role") in ("system", "developer")]
    format = (body.get("text") or {}).get("format") or {}
    return Asked(
        api="responses",
        model=body["model"],
        system="\n".join(filter(None, [body.get("instructions"), *map(_text, systems)])),
        messages=_messages([one for one in items if one not in systems]),
        tools=tuple(_tools(body)),
        schema=format.get("schema"),
        effort=(body.get("reasoning") or {}).get("effort"),
        max_tokens=body.get("max_output_tokens"),
        stream=bool(body.get("stream")),
        body=body,
    )


def whole(answer: Answer) -> dict[str, Any]:
    """The reply as one response object."""
    return _response(answer, _status(answer), _output(answer), _usage(answer.usage))


def events(answer: Answer) -> Iterator[Event]:
    """The reply as the events of a stream."""
    numbers = count()

    def event(kind: str, **data: Any) -> Event:
        return Event(kind, {"type": kind, "sequence_number": next(numbers), **data})

    begun = _response(answer, "in_progress", [], None)
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for index, item in enumerate(_output(answer)):
        at = {"output_index": index, "item_id": item["id"]}
        opened = {**item, **_OPENED[item["type"]], "status": "in_progress"}
        yield event("response.output_item.added", output_index=index, item=opened)
        for kind, data in _parts(item):
            yield event(kind, **at, **data)
        yield event("response.output_item.done", output_index=index, item=item)
    kind = f"response.{_status(answer)}"
    data = {"type": kind, "sequence_number": next(numbers), "response": whole(answer)}
    yield Event(kind, data, last=True)


def error_event(answer: Answer) -> Event:
    """An error that ends a stream."""
    return Event(
        "error",
        {
            "type": "error",
            "code": "server_error",
            "message": "The server had an error while processing your request.",
            "param": None,
            "sequence_number": 1_000_000,
        },
    )


_OPENED: dict[str, dict[str, Any]] = {
    "reasoning": {"summary": []},
    "message": {"content": []},
    "function_call": {"arguments": ""},
}


def _parts(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    match item["type"]:
        case "reasoning":
            for index, part in enumerate(item["summary"]):
                yield from _summary_part(index, part)
        case "message":
            for index, part in enumerate(item["content"]):
                yield from _content_part(index, part)
        case "function_call":
            kind = "response.function_call_arguments"
            for piece in pieces(item["arguments"]):
                yield f"{kind}.delta", {"delta": piece}
            yield f"{kind}.done", {"arguments": item["arguments"], "name": item["name"]}


def _summary_part(index: int, part: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"summary_index": index}
    kind = "response.reasoning_summary"
    yield f"{kind}_part.added", {**at, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield f"{kind}_text.delta", {**at, "delta": piece}
    yield f"{kind}_text.done", {**at, "text": part["text"]}
    yield f"{kind}_part.done", {**at, "part": part}


def _content_part(index: int, part: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"content_index": index}
    word = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if word == "refusal" else "response.output_text"
    more: dict[str, Any] = {} if word == "refusal" else {"logprobs": []}
    yield "response.content_part.added", {**at, "part": {**part, word: ""}}
    for piece in pieces(part[word]):
        yield f"{kind}.delta", {**at, **more, "delta": piece}
    yield f"{kind}.done", {**at, **more, word: part[word]}
    yield "response.content_part.done", {**at, "part": part}


def _status(answer: Answer) -> str:
    if answer.reply.finish == "failed":
        return "failed"
    return "incomplete" if answer.reply.finish in _CUT_OFF else "completed"


def _response(
    answer: Answer, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    body = answer.asked.body
    failure = {"code": "server_error", "message": "The model failed to produce a response."}
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": failure if status == "failed" else None,
        "incomplete_details": _TRUNCATED if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": answer.asked.model,
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": body.get("reasoning"),
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "metadata": body.get("metadata") or {},
    }


def _output(answer: Answer) -> list[dict[str, Any]]:
    reply = answer.reply
    if reply.finish == "failed":
        return []
    items: list[dict[str, Any]] = []
    if reply.thought is not None:
        items.append(_reasoning(answer, reply.thought))
    if reply.text or reply.finish == "refusal":
        items.append(_message_item(answer))
    return [*items, *(_call(call, answer.asked.body) for call in reply.tool_calls)]


def _call(call: ToolCall, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        **_parts_of_name(call.name, body),
        "arguments": openai_form.arguments(call),
    }


def _parts_of_name(name: str, body: Mapping[str, Any]) -> dict[str, str]:
    for space in _namespaces(body):
        for one in space["tools"]:
            if name == _joined(space["name"], one["name"]):
                return {"namespace": space["name"], "name": one["name"]}
    return {"name": name}


def _tools(body: Mapping[str, Any]) -> Iterator[ToolSpec]:
    for one in body.get("tools") or ():
        if "name" in one and one.get("type") != "namespace":
            yield openai_form.tool(one)
    for space in _namespaces(body):
        for one in space["tools"]:
            yield openai_form.tool({**one, "name": _joined(space["name"], one["name"])})


def _namespaces(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in body.get("tools") or () if one.get("type") == "namespace"]


def _joined(namespace: str | None, name: str) -> str:
    """The name of a tool in neutral words, which know no namespaces."""
    return f"{namespace}__{name}" if namespace else name


def _reasoning(answer: Answer, thought: str) -> dict[str, Any]:
    body = answer.asked.body
    item: dict[str, Any] = {"id": f"rs_{answer.id}", "type": "reasoning", "summary": []}
    if (body.get("reasoning") or {}).get("summary"):
        item["summary"] = [{"type": "summary_text", "text": thought}]
    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = "ZmFrZQ=="
    return item


def _message_item(answer: Answer) -> dict[str, Any]:
    reply = answer.reply
    refused = {"type": "refusal", "refusal": reply.text or "I cannot help with that."}
    said = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if reply.finish in _CUT_OFF else "completed",
        "content": [refused if reply.finish == "refusal" else said],
    }


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    """Here the input counts what was read from the cache and what was written to it."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens or 0,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.output_tokens or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens or 0,
    }


def _text(item: Mapping[str, Any]) -> str:
    return openai_form.text(item.get("content") or "")


def _messages(items: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Neighbouring items of one side are one message: a thought, its text and its calls."""
    found: list[Message] = []
    for item in items:
        one = _message(item)
        if one is None:
            continue
        if found and found[-1].role == one.role == "assistant":
            one = openai_form.joined(found.pop(), one)
        elif found and found[-1].tool_results and one.tool_results:
            one = openai_form.joined(found.pop(), one)
        found.append(one)
    return tuple(found)


def _message(item: Mapping[str, Any]) -> Message | None:
    match item.get("type", "message"):
        case "message":
            images = openai_form.images(item["content"])
            return Message(role=item["role"], text=_text(item), attachments=images)
        case "function_call":
            name = _joined(item.get("namespace"), item["name"])
            call = openai_form.tool_call(item["call_id"], name, item["arguments"])
            return Message(role="assistant", tool_calls=(call,))
        case "function_call_output":
            output = item["output"]
            text = output if isinstance(output, str) else openai_form.text(output)
            return Message(
                role="user", tool_results=(ToolResult(call_id=item["call_id"], text=text),)
            )
    return None
