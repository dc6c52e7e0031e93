"""The conversation with an orchestrating model: values that can be written down and read back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from solvers.model import Message, ToolCall, ToolResult
from solvers.types import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A tool call that has not been answered: its own fault if it had one, else to be found."""

    call_id: str
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Where a conversation stands.

    `system` is what the model was told before it, in the words of `prompt_version`. `owed` are
    the results of the last reply's calls. `idle` counts the turns that neither explored nor
    answered. `closing` says why no more calls will be made, and `refused` the last refusal of
    the server.
    """

    system: str = ""
    prompt_version: int = 0
    messages: tuple[Message, ...] = ()
    owed: tuple[Owed, ...] = ()
    idle: int = 0
    nudged: bool = False
    closing: str = ""
    repairs: int = 0
    refused: str = ""

    def heard(self, message: Message) -> Conversation:
        """With a message of the model."""
        return replace(self, messages=(*self.messages, message))

    def said(self, text: str = "", *, results: tuple[ToolResult, ...] = ()) -> Conversation:
        """With words and results for the model, joined to what it has not replied to yet."""
        last = self.messages[-1] if self.messages else None
        if last is None or last.role != "user":
            said = Message(role="user", text=text, tool_results=results)
            return replace(self, messages=(*self.messages, said))
        joined = replace(
            last,
            text="\n\n".join(one for one in (last.text, text) if one),
            tool_results=(*last.tool_results, *results),
        )
        return replace(self, messages=(*self.messages[:-1], joined))


def as_json(talk: Conversation) -> dict[str, Any]:
    """The conversation as plain data."""
    found = asdict(replace(talk, messages=()))
    return {**found, "messages": [_message(one) for one in talk.messages]}


def from_json(found: Mapping[str, Any]) -> Conversation:
    """The conversation again.

    Raises:
        KeyError, TypeError, ValueError: this is no conversation.
    """
    messages = tuple(_read_message(one) for one in found["messages"])
    owed = tuple(Owed(**one) for one in found["owed"])
    return Conversation(**{**found, "messages": messages, "owed": owed})


def _message(one: Message) -> dict[str, Any]:
    files = [
        {"media_type": f.media_type, "name": f.name, "data": base64.b64encode(f.data).decode()}
        for f in one.attachments
    ]
    calls = [asdict(replace(call, arguments=_plain(call))) for call in one.tool_calls]
    results = [asdict(result) for result in one.tool_results]
    found = {
        "role": one.role,
        "text": one.text,
        "attachments": files,
        "tool_calls": calls,
        "tool_results": results,
        "native": one.native,
    }
    return {key: value for key, value in found.items() if value or key in ("role", "text")}


def _plain(call: ToolCall) -> dict[str, Any] | None:
    return None if call.arguments is None else dict(call.arguments)


def _read_message(found: Mapping[str, Any]) -> Message:
    files = tuple(
        Attachment(
            media_type=one["media_type"], name=one["name"], data=base64.b64decode(one["data"])
        )
        for one in found.get("attachments", ())
    )
    return Message(
        role=found["role"],
        text=found["text"],
        attachments=files,
        tool_calls=tuple(ToolCall(**one) for one in found.get("tool_calls", ())),
        tool_results=tuple(ToolResult(**one) for one in found.get("tool_results", ())),
        native=found.get("native"),
    )
