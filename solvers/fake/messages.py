"""The Anthropic Messages API: how a request is read, and how a reply is written."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from solvers.fake.exchange import Answer, Asked, Rejected
from solvers.fake.quota import Standings
from solvers.fake.sse import Event, pieces
from solvers.model import Message, ToolCall, ToolResult, ToolSpec
from solvers.types import Attachment, Usage

_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "refusal": "refusal",
    "context": "model_context_window_exceeded",
    "pause": "pause_turn",
    "failed": "end_turn",
}

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def read(body: Mapping[str, Any]) -> Asked:
    """The request in neutral words.

    Raises:
        Rejected: something that the api requires is missing.
    """
    for name in ("model", "messages", "max_tokens"):
        if not body.get(name):
            raise Rejected(f"{name}: Field required")
    output = body.get("output_config") or {}
    return Asked(
        api="messages",
        model=body["model"],
        system=_text(body.get("system") or ""),
        messages=tuple(_message(one) for one in body["messages"]),
        tools=tuple(_tool(one) for one in body.get("tools") or ()),
        schema=(output.get("format") or {}).get("schema"),
        effort=output.get("effort"),
        max_tokens=body["max_tokens"],
        stream=bool(body.get("stream")),
        body=body,
    )


def whole(answer: Answer) -> dict[str, Any]:
    """The reply as one message."""
    return {
        **_start(answer),
        "content": _content(answer),
        **_delta(answer),
        "usage": _usage(answer.usage),
    }


def events(answer: Answer) -> Iterator[Event]:
    """The reply as the events of a stream."""
    usage = answer.usage and {**_usage(answer.usage), "output_tokens": 1}
    start = {**_start(answer), "content": [], "stop_reason": None, "usage": usage or {}}
    yield Event("message_start", {"type": "message_start", "message": start})
    yield Event("ping", {"type": "ping"})
    for index, block in enumerate(_content(answer)):
        at = {"index": index}
        empty = {**block, **_EMPTY[block["type"]]}
        yield _event("content_block_start", at, content_block=empty)
        for delta in _deltas(block):
            yield _event("content_block_delta", at, delta=delta)
        yield _event("content_block_stop", at)
    yield Event(
        "message_delta",
        {"type": "message_delta", "delta": _delta(answer), "usage": _usage(answer.usage)},
        last=True,
    )
    yield Event("message_stop", {"type": "message_stop"}, last=True)


def error(status: int, message: str, code: str | None, param: str | None) -> dict[str, Any]:
    """The body of an error; `code` and `param` are OpenAI's."""
    kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def error_event(answer: Answer) -> Event:
    """An error that ends a stream."""
    return Event("error", error(529, "Overloaded", None, None))


def limits(standings: Standings) -> dict[str, str]:
    """The headers that tell how the rate limits stand."""
    headers = {}
    for name, one in standings.named():
        full = datetime.now(UTC) + timedelta(seconds=one.full_in)
        headers[f"anthropic-ratelimit-{name}-limit"] = str(one.limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(one.remaining)
        headers[f"anthropic-ratelimit-{name}-reset"] = full.isoformat(timespec="seconds")
    return headers


def _event(kind: str, *parts: Mapping[str, Any], **more: Any) -> Event:
    data: dict[str, Any] = {"type": kind}
    for part in parts:
        data.update(part)
    return Event(kind, {**data, **more})


def _start(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.asked.model,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _delta(answer: Answer) -> dict[str, Any]:
    reply = answer.reply
    tools = reply.tool_calls and reply.finish == "stop"
    delta: dict[str, Any] = {
        "stop_reason": "tool_use" if tools else _STOP[reply.finish],
        "stop_sequence": None,
    }
    if reply.finish == "refusal":
        delta["stop_details"] = {
            "type": "refusal",
            "category": "general_harms",
            "explanation": reply.text or None,
        }
    return delta


def _content(answer: Answer) -> list[dict[str, Any]]:
    reply = answer.reply
    blocks: list[dict[str, Any]] = []
    if reply.thought is not None:
        blocks.append({"type": "thinking", "thinking": reply.thought, "signature": "ZmFrZQ=="})
    if reply.text and reply.finish != "refusal":
        blocks.append({"type": "text", "text": reply.text, "citations": None})
    for call in reply.tool_calls:
        arguments = dict(call.arguments or {})
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return blocks


_EMPTY: dict[str, dict[str, Any]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in pieces(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in pieces(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case "tool_use":
            for piece in pieces(json.dumps(block["input"])):
                yield {"type": "input_json_delta", "partial_json": piece}


def _usage(usage: Usage | None) -> dict[str, Any]:
    """Here the input counts neither what was read from the cache nor what was written to it."""
    if usage is None:
        return {}
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    return {
        "input_tokens": (usage.input_tokens or 0) - cached - written,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output_tokens or 0,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens or 0},
        "service_tier": "standard",
    }


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block.get("type") == "text")


def _message(message: Mapping[str, Any]) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return Message(role=message["role"], text=content)
    return Message(
        role=message["role"],
        text=_text(content),
        attachments=tuple(_image(one["source"]) for one in content if one["type"] == "image"),
        tool_calls=tuple(
            ToolCall(id=one["id"], name=one["name"], arguments=one["input"])
            for one in content
            if one["type"] == "tool_use"
        ),
        tool_results=tuple(
            ToolResult(
                call_id=one["tool_use_id"],
                text=_text(one.get("content") or ""),
                is_error=bool(one.get("is_error")),
            )
            for one in content
            if one["type"] == "tool_result"
        ),
    )


def _image(source: Mapping[str, Any]) -> Attachment:
    if source["type"] != "base64":
        return Attachment(media_type="", data=b"", name=source.get("url", ""))
    return Attachment(media_type=source["media_type"], data=b64decode(source["data"]))


def _tool(tool: Mapping[str, Any]) -> ToolSpec:
    return ToolSpec(
        name=tool["name"],
        description=tool.get("description", ""),
        schema=tool.get("input_schema") or {},
    )
