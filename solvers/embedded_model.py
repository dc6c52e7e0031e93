"""An embedded model in conversations, with tools: a grammar holds it to what can be read.

Every reply is one JSON object: a thought, and then either a call, as {"action": "explore", …
arguments}, or an answer, as {"action": "answer", "because", "answer", "confidence"}. Where a
schema is asked for, an answer has the keys of that instead. So the model is free in what it
says and not in how; models this small still say little of use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import anyio

from solvers.errors import FixRequestError, TimedOutError
from solvers.llama import Engine, Turn, prompt_bound
from solvers.model import Message, ModelReply, ModelRequest, ToolCall, ToolSpec
from solvers.types import Effort, Meter, WorstCase

MAX_TOKENS: Mapping[Effort, int] = {"low": 256, "medium": 384, "high": 640, "max": 1_024}
"""The longest reply by effort."""

ANSWER: dict[str, Any] = {
    "properties": {
        "because": {"type": "string"},
        "answer": {"type": "string"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }
}
"""An answer, where no schema is asked for."""

_FORMS = """\
Reply with one JSON object in one of these forms:
{forms}"""


class EmbeddedModel:
    """Takes turns with a model in this process. It reads text only and costs nothing."""

    def __init__(
        self, engine: Engine, *, sampling: Mapping[str, float], max_seconds: float = 300.0
    ) -> None:
        self._engine = engine
        self._sampling = tuple(sampling.items())
        self._max_seconds = max_seconds

    @property
    def name(self) -> str:
        return self._engine.model

    def worst_case(self, request: ModelRequest) -> WorstCase:
        turn = self._turn(request)
        prompt = prompt_bound(turn.system, *(one.text for one in turn.messages))
        tokens = min(prompt + turn.max_tokens, self._engine.context)
        return WorstCase(tokens=tokens, usd=0.0, seconds=self._max_seconds)

    async def reply(self, request: ModelRequest, meter: Meter) -> ModelReply:
        """Take one turn.

        Raises:
            FixRequestError: there are attachments, a schema that is not flat, or too much text.
            FixSetupError: the engine or the weights are missing or cannot be loaded.
            TimedOutError: it took too long.
        """
        if any(message.attachments for message in request.messages):
            raise FixRequestError(f"{self.name} reads text only; this problem has attachments")
        turn = self._turn(request)
        with anyio.move_on_after(self._max_seconds):
            return _read(await self._engine.complete(turn, meter), request)
        raise TimedOutError(f"{self.name} took more than {self._max_seconds:g} seconds")

    def _turn(self, request: ModelRequest) -> Turn:
        tools = () if request.tools_closed else request.tools
        limit = MAX_TOKENS[request.effort]
        return Turn(
            system=f"{request.system}\n\n{_forms(tools, request.schema)}".strip(),
            messages=tuple(_plain(message) for message in request.messages),
            grammar=grammar(tools, request.schema),
            max_tokens=min(limit, request.max_tokens or limit),
            sampling=self._sampling,
            joinable=False,
        )


def _plain(message: Message) -> Message:
    """A message as text, which is all that a chat template of such a model knows."""
    if message.role == "assistant":
        return Message(role="assistant", text=message.native or message.text)
    results = [f"Result {n}:\n{one.text}" for n, one in enumerate(message.tool_results, 1)]
    return Message(role="user", text="\n\n".join([*results, message.text]).strip())


def _forms(tools: Iterable[ToolSpec], schema: Mapping[str, Any] | None) -> str:
    shown = [(tool.name, tool.schema) for tool in tools] + [("answer", schema or ANSWER)]
    forms = [
        json.dumps({"thought": "…", "action": name, **dict.fromkeys(one["properties"], "…")})
        for name, one in shown
    ]
    return _FORMS.format(forms="\n".join(forms))


def _read(reply: ModelReply, request: ModelRequest) -> ModelReply:
    try:
        found = json.loads(reply.text)
        thought, action = found.pop("thought"), found.pop("action")
    except (ValueError, KeyError):  # it was cut off
        return ModelReply(text=reply.text, model=reply.model, finish="length")
    if action == "answer":
        text = json.dumps(found, ensure_ascii=False)
        return ModelReply(text=text, model=reply.model, thought=thought, native=reply.text)
    raw = json.dumps(found, ensure_ascii=False)
    call = ToolCall(id=f"call_{len(request.messages)}", name=action, arguments=found, raw=raw)
    return ModelReply(
        text="",
        model=reply.model,
        finish="tools",
        tool_calls=(call,),
        thought=thought,
        native=reply.text,
    )


# --- grammars (GBNF)

_RULES = r"""
string ::= "\"" c{0,300} "\""
strings ::= "[" (word (", " word){0,7})? "]"
word ::= "\"" c{1,40} "\""
number ::= "-"? [0-9]{1,9} ("." [0-9]{1,6})?
share ::= "0." [0-9]{1,2} | "1.0"
boolean ::= "true" | "false"
c ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
"""


def grammar(tools: Iterable[ToolSpec], schema: Mapping[str, Any] | None = None) -> str:
    """The replies that may be given: a call of one of these tools, or an answer.

    Raises:
        FixRequestError: a schema is not a flat object.
    """
    forms = [_form(tool.name, tool.schema) for tool in tools]
    forms.append(_form("answer", schema or ANSWER))
    return f'root ::= {_literal("{")} {_key("thought")} string ", " ({" | ".join(forms)}){_RULES}'


def _form(action: str, schema: Mapping[str, Any]) -> str:
    parts = [f"{_key('action')} {_literal(json.dumps(action))}"]
    parts += [f"{_key(name)} {_value(name, one)}" for name, one in schema["properties"].items()]
    return ' ", " '.join(parts) + " " + _literal("}")


def _value(name: str, schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if "enum" in schema:
        return "(" + " | ".join(_literal(json.dumps(one)) for one in schema["enum"]) + ")"
    if kind == "number" and (schema.get("minimum"), schema.get("maximum")) == (0, 1):
        return "share"
    if kind == "array" and schema.get("items", {}).get("type") == "string":
        return "strings"
    if kind in ("string", "number", "boolean"):
        return str(kind)
    raise FixRequestError(f"an embedded model cannot be held to {name!r} of the schema: {schema}")


def _key(name: str) -> str:
    return _literal(json.dumps(name) + ": ")


def _literal(text: str) -> str:
    """A GBNF literal. It has the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)
