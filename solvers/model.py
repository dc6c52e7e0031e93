"""One turn of a conversation with a language model, whoever serves it.

A `LanguageModel` is given a `ModelRequest` and a `Meter` and returns a `ModelReply` or raises
a `solvers.errors.SolverError`. Solvers ask it for one answer; orchestrators converse with it
and offer it tools. Retries, cool-downs and prices are the model's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from solvers.types import Attachment, Effort, Meter, WorstCase

Role = Literal["user", "assistant"]
Finish = Literal["stop", "length", "refusal", "tools"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool that the model may call. `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the model wrote. `arguments` is None where `raw` is no JSON object."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a call gave, for the model to read."""

    call_id: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. A user's may hold attachments and tool results, a model's tool calls.

    `native` is the reply in the form of the api that wrote it, as JSON. It is sent back
    verbatim within the conversation, and never to another model.
    """

    role: Role
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()
    native: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Everything that one turn depends on.

    `schema` asks for a reply that is JSON of this schema, where the model can be held to
    one. `max_tokens` bounds the reply, thought included; None leaves it to the effort. With
    `tools_closed` no tool may be called any more; they stay in the request since there are
    calls of them in the conversation, and since a prompt is cached with its tools.
    """

    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tools_closed: bool = False
    schema: Mapping[str, Any] | None = None
    effort: Effort = "medium"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """What a model wrote in one turn, and why it stopped.

    `model` is the name that the reply itself gives. `thought` is the summary of its
    thinking, where the api returns one.
    """

    text: str
    model: str
    finish: Finish = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    thought: str | None = None
    native: Any = None

    def as_message(self) -> Message:
        """The reply as the next message of its conversation."""
        return Message(
            role="assistant", text=self.text, tool_calls=self.tool_calls, native=self.native
        )


class LanguageModel(Protocol):
    """Takes turns in conversations. Both methods may be called concurrently."""

    @property
    def name(self) -> str:
        """The name that it is asked for by."""
        ...

    def worst_case(self, request: ModelRequest) -> WorstCase:
        """Bound the cost of `reply(request)`. Pure and quick."""
        ...

    async def reply(self, request: ModelRequest, meter: Meter) -> ModelReply:
        """Take one turn; every attempt at it is booked on the meter.

        Raises:
            SolverError: there is no reply; the class says what can be done about it.
        """
        ...
