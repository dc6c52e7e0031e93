"""What the two OpenAI apis write in the same form."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from solvers.fake.quota import Standings
from solvers.fake.sse import compact
from solvers.model import Message, ToolCall, ToolSpec
from solvers.types import Attachment

_KINDS = {429: "requests", 500: "server_error", 503: "service_unavailable_error"}


def error(status: int, message: str, code: str | None, param: str | None) -> dict[str, Any]:
    """The body of an error."""
    kind = code if code == "insufficient_quota" else _KINDS.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def limits(standings: Standings) -> dict[str, str]:
    """The headers that tell how the rate limits stand."""
    headers = {}
    for name, one in standings.named():
        headers[f"x-ratelimit-limit-{name}"] = str(one.limit)
        headers[f"x-ratelimit-remaining-{name}"] = str(one.remaining)
        headers[f"x-ratelimit-reset-{name}"] = f"{one.full_in:.3f}s"
    return headers


def text(content: str | Sequence[Mapping[str, Any]]) -> str:
    """The text of a content, whichever way it is given."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or part.get("refusal") or "") for part in content)


def images(content: str | Sequence[Mapping[str, Any]]) -> tuple[Attachment, ...]:
    """The images among the parts of a content."""
    if isinstance(content, str):
        return ()
    found = [part.get("image_url") for part in content if part.get("image_url")]
    return tuple(_image(one if isinstance(one, str) else one["url"]) for one in found if one)


def tool(given: Mapping[str, Any]) -> ToolSpec:
    """A function that the model is offered."""
    return ToolSpec(
        name=given["name"],
        description=given.get("description") or "",
        schema=given.get("parameters") or {},
    )


def tool_call(id: str, name: str, raw: str) -> ToolCall:
    """A call that comes back as part of the conversation."""
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    return ToolCall(
        id=id, name=name, arguments=parsed if isinstance(parsed, dict) else None, raw=raw
    )


def arguments(call: ToolCall) -> str:
    """The arguments as the text that goes over the wire; `raw` may be anything."""
    return call.raw or compact(call.arguments or {})


def joined(first: Message, second: Message) -> Message:
    """Two neighbouring messages of one side as one."""
    return Message(
        role=first.role,
        text="\n".join(filter(None, (first.text, second.text))),
        attachments=first.attachments + second.attachments,
        tool_calls=first.tool_calls + second.tool_calls,
        tool_results=first.tool_results + second.tool_results,
    )


def _image(url: str) -> Attachment:
    if not url.startswith("data:"):
        return Attachment(media_type="", data=b"", name=url)
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return Attachment(media_type=media_type, data=b64decode(data))
