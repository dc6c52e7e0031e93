"""What is known of a command-line agent: how it is called and how its output is read.

Presets lie in `data/agents.toml`; a roster entry replaces single keys of one, or describes
an agent of its own.

A path leads from the output to values: steps between dots, each the name of a key, `*` for
every element of a list or object, or `~` for the names of an object's keys. A step may end
in a condition, `[type=error]`, that an object must meet. With output "jsonl" the top is the
list of all lines. Of several texts that a path finds the last counts, of amounts their sum.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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
from solvers.types import Effort, Usage

_STEP = r"(?:[\w-]+|\*|~)?(?:\[[\w-]+=[^\]]*\])?"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_PARTS = re.compile(r"(?P<key>[\w-]+|\*|~)|\[(?P<name>[\w-]+)=(?P<value>[^\]]*)\]")


def _path(text: str) -> str:
    if not text or not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no path, such as usage.input_tokens or *[type=done].text")
    return text


def _name(text: str) -> str:
    if text.startswith("ATLAS_"):
        raise ValueError("settings of atlas-mcp are not handed to agents")
    return text


Path = Annotated[str, AfterValidator(_path)]
Variable = Annotated[str, AfterValidator(_name)]

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


class FaultRule(BaseModel):
    """Words in a failed agent's message, what they mean, and the cure where there is one."""

    model_config = ConfigDict(extra="forbid")

    pattern: str
    kind: Literal[
        "connection_lost",
        "context_overflow",
        "setup",
        "gave_up",
        "overloaded",
        "rate_limited",
        "unknown_model",
    ]
    cure: str = ""


_RULES = (
    FaultRule(pattern=r"rate.?limit|usage limit|\b429\b|quota", kind="rate_limited"),
    FaultRule(pattern=r"overloaded|\b(?:500|502|503|529)\b", kind="overloaded"),
    FaultRule(pattern=r"prompt is too long|context (?:window|length)", kind="context_overflow"),
    FaultRule(
        pattern=r"connection (?:failed|error|refused|reset)|ECONN|network|stream disconnected",
        kind="connection_lost",
    ),
)


class Agent(BaseModel):
    """A command-line agent. The arguments are a list; no shell reads them.

    The prompt goes to standard input. The system text goes into a file where {system_file}
    stands in an argument or a variable, else before the prompt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = Field(min_length=1)
    install: str = ""
    login: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    model_args: tuple[str, ...] = ()
    effort_args: Mapping[Effort, tuple[str, ...]] = Field(default_factory=dict)
    reads: tuple[str, ...] = ()
    file_args: tuple[str, ...] = ()
    with_files: tuple[str, ...] = ()
    without_files: tuple[str, ...] = ()
    environment: tuple[Variable, ...] = ()
    variables: Mapping[Variable, str] = Field(default_factory=dict)
    output: Literal["text", "json", "jsonl"] = "text"
    text: Path | None = None
    error: Path | None = None
    model_name: Path | None = None
    finish: Path | None = None
    finishes: Mapping[str, Finish] = Field(default_factory=dict)
    cost: Path | None = None
    input: tuple[Path, ...] = ()
    output_tokens: tuple[Path, ...] = ()
    cached: tuple[Path, ...] = ()
    cache_write: tuple[Path, ...] = ()
    reasoning: tuple[Path, ...] = ()
    faults: tuple[FaultRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an agent's output said. None is what it did not say."""

    text: str | None
    error: str | None
    model: str | None
    finish: Finish
    usage: Usage
    usd: float | None


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """The agents that are known by name, as the keys of an `Agent`."""
    text = files("solvers").joinpath("data/agents.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def merged(preset: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a preset with those of a roster entry on top.

    Raises:
        FixSetupError: there is no such preset; the message lists those there are.
    """
    if preset is None:
        return dict(given)
    if not isinstance(preset, str) or preset not in presets():
        raise FixSetupError(f"unknown preset {preset!r}; known: {', '.join(presets())}")
    known = presets()[preset]
    if "command" in given:  # whoever gives the command answers for the login, too
        known = {key: value for key, value in known.items() if key != "login"}
    added = {
        key: [*known.get(key, []), *given[key]]
        for key in ("args", "environment")
        if isinstance(given.get(key), list)
    }
    return {**known, **given, **added}


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
