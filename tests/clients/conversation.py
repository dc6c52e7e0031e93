"""The model of a host under test: it plays by a rule, and keeps what the host sent it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from solvers.fake import Asked, Reply
from solvers.model import ToolCall

SERVER = "atlas"
"""The name under which hosts are given the product; they put it before the names of tools."""

PROBLEM = "What is 6 × 7?"
LAST_WORD = "The answer is 42."


class Move:
    """A tool of the product that the model wants called."""

    def __init__(self, tool: str, **arguments: Any) -> None:
        self.tool, self.arguments = tool, arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the model reads as the result of one call."""

    text: str

    @property
    def found(self) -> dict[str, Any]:
        """The one JSON document among the lines; the others are the host's own, or links."""
        [document] = self._documents
        found: dict[str, Any] = json.loads(document)
        return found

    @property
    def failed(self) -> bool:
        return not self._documents

    @property
    def _documents(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("{")]


Rule = Callable[[Sequence[Told]], Move | str]
"""What a model does next, by what it was told so far: calls a tool, or says its last word."""


class HostModel:
    """A script of the fake provider. Requests without the product's tools are the host's own."""

    def __init__(self, rule: Rule) -> None:
        self.asked: list[Asked] = []
        self._rule = rule

    def __call__(self, asked: Asked) -> str | Reply:
        if not any(tool.name.startswith(f"mcp__{SERVER}__") for tool in asked.tools):
            return "ok"
        self.asked.append(asked)
        told = _told(asked)
        move = self._rule(told)
        if isinstance(move, str):
            return move
        name = f"mcp__{SERVER}__{move.tool}"
        call = ToolCall(id=f"call_{len(told)}", name=name, arguments=move.arguments)
        return Reply(tool_calls=(call,))

    @property
    def told(self) -> list[Told]:
        """What all calls gave, in their order."""
        return _told(self.asked[-1])


def _told(asked: Asked) -> list[Told]:
    return [Told(text=one.text) for message in asked.messages for one in message.tool_results]
