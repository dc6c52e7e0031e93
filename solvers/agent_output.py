"""What a command-line agent wrote: its reply, what it used, or what went wrong.

A path leads from the output to values: steps between dots, each the name of a key, `*` for
every element of a list or object, or `~` for the names of an object's keys. A step may end
in a condition, `[type=error]`, that an object must meet. With output "jsonl" the top is the
list of all lines. Of several texts that a path finds the last counts, of amounts their sum.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from solvers.agents import Agent, FaultRule
from solvers.errors import (
    BrokenReplyError,
    ConnectionLostError,
    ContextOverflowError,
    FixSetupError,
    GiveUpError,
    OverloadedError,
    RateLimitedError,
    SolverError,
    UnknownModelError,
)
from solvers.model import Finish
from solvers.types import Usage

_PARTS = re.compile(r"(?P<key>[\w-]+|\*|~)|\[(?P<name>[\w-]+)=(?P<value>[^\]]*)\]")

_ERRORS: dict[str, type[SolverError]] = {
    one.kind: one
    for one in (
        ConnectionLostError,
        ContextOverflowError,
        FixSetupError,
        GiveUpError,
        OverloadedError,
        RateLimitedError,
        UnknownModelError,
    )
}


_RULES = (
    FaultRule(
        pattern=r"unknown (?:option|argument)|unexpected argument",
        kind="setup",
        cure="its version is not that of the preset: update it, or give its command in the roster",
    ),
    FaultRule(pattern=r"rate.?limit|usage limit|\b429\b|quota", kind="rate_limited"),
    FaultRule(pattern=r"overloaded|\b(?:500|502|503|529)\b", kind="overloaded"),
    FaultRule(pattern=r"prompt is too long|context (?:window|length)", kind="context_overflow"),
    FaultRule(
        pattern=r"connection (?:failed|error|refused|reset)|ECONN|network|stream disconnected",
        kind="connection_lost",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an agent's output said. None is what it did not say."""

    text: str | None
    error: str | None
    model: str | None
    finish: Finish
    usage: Usage
    usd: float | None


def read(agent: Agent, out: str) -> Reading:
    """Read an agent's output.

    Raises:
        BrokenReplyError: it is not of the form that it should have.
    """
    found = None if agent.output == "text" else _parse(out, lines=agent.output == "jsonl")
    stop = _last(agent.finish, found)
    return Reading(
        text=out.strip() if agent.output == "text" else _last(agent.text, found),
        error=_last(agent.error, found),
        model=_last(agent.model_name, found),
        finish=agent.finishes.get(stop or "", "stop"),
        usage=Usage(
            requests=1,
            input_tokens=_tokens(agent.input, found),
            output_tokens=_tokens(agent.output_tokens, found),
            cached_tokens=_tokens(agent.cached, found),
            cache_write_tokens=_tokens(agent.cache_write, found),
            reasoning_tokens=_tokens(agent.reasoning, found),
        ),
        usd=None if agent.cost is None else _total((agent.cost,), found),
    )


def fault(agent: Agent, message: str) -> SolverError:
    """The error that fits what a failed agent said."""
    for rule in (*agent.faults, *_RULES):
        if re.search(rule.pattern, message, re.IGNORECASE):
            cure = f"; {rule.cure}" if rule.cure else ""
            return _ERRORS[rule.kind](f"{message}{cure}")
    return GiveUpError(message)


def find(path: str, top: Any) -> list[Any]:
    """Every value that a path leads to."""
    nodes = [top]
    for part in _PARTS.finditer(path):
        nodes = [inner for node in nodes for inner in _step(node, part)]
    return nodes


def _step(node: Any, part: re.Match[str]) -> Iterable[Any]:
    match part["key"]:
        case None:
            met = isinstance(node, dict) and _written(node.get(part["name"])) == part["value"]
            return [node] if met else []
        case "*":
            if isinstance(node, dict):
                return node.values()
            return node if isinstance(node, list) else []
        case "~":
            return node if isinstance(node, dict) else []
        case key:
            return [node[key]] if isinstance(node, dict) and key in node else []


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _last(path: str | None, found: Any) -> str | None:
    texts = [one for one in find(path, found) if isinstance(one, str)] if path else []
    return texts[-1] if texts else None


def _total(paths: tuple[str, ...], found: Any) -> float | None:
    """The sum of what all paths find; unknown where one finds nothing, or no amount."""
    amounts = [find(path, found) for path in paths]
    if not amounts or not all(amounts):
        return None
    numbers = [one for some in amounts for one in some]
    return sum(numbers) if all(_is_amount(one) for one in numbers) else None


def _tokens(paths: tuple[str, ...], found: Any) -> int | None:
    total = _total(paths, found)
    return None if total is None else round(total)


def _is_amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < 1e15 and math.isfinite(value)


def _parse(out: str, *, lines: bool) -> Any:
    if not lines:
        try:
            return json.loads(out)
        except (ValueError, RecursionError):
            raise BrokenReplyError(f"the output is not JSON: {_excerpt(out)}") from None
    found = [one for line in out.splitlines() if (one := _line(line)) is not None]
    if not found:
        raise BrokenReplyError(f"the output has no line of JSON: {_excerpt(out)}")
    return found


def _line(line: str) -> Any:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None  # agents mix remarks into their output
    return found if isinstance(found, dict) else None


def _excerpt(out: str) -> str:
    return repr(out.strip()[:200]) if out.strip() else "it is empty"
