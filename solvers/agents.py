"""What is known of a command-line agent: how it is called and how its output is read.

Presets lie in `data/agents.toml`; a roster entry replaces single keys of one, or describes
an agent of its own. Paths are read by `solvers.agent_output`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from solvers.errors import (
    FixSetupError,
)
from solvers.model import Finish
from solvers.types import Effort

_STEP = r"(?:[\w-]+|\*|~)?(?:\[[\w-]+=[^\]]*\])?"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")


def _path(text: str) -> str:
    if not text or not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no path, such as usage.input_tokens or *[type=done].text")
    return text


def _name(text: str) -> str:
    if text.startswith("ATLAS_"):
        raise ValueError("settings of atlas-mcp are not handed to agents")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


OutputPath = Annotated[str, AfterValidator(_path)]
Variable = Annotated[str, AfterValidator(_name)]


class FaultRule(BaseModel):
    """Words in a failed agent's message, what they mean, and the cure where there is one."""

    model_config = ConfigDict(extra="forbid")

    pattern: Annotated[str, AfterValidator(_pattern)]
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
    text: OutputPath | None = None
    error: OutputPath | None = None
    model_name: OutputPath | None = None
    finish: OutputPath | None = None
    finishes: Mapping[str, Finish] = Field(default_factory=dict)
    cost: OutputPath | None = None
    input: tuple[OutputPath, ...] = ()
    output_tokens: tuple[OutputPath, ...] = ()
    cached: tuple[OutputPath, ...] = ()
    cache_write: tuple[OutputPath, ...] = ()
    reasoning: tuple[OutputPath, ...] = ()
    faults: tuple[FaultRule, ...] = ()


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
    added: dict[str, Any] = {
        key: [*known.get(key, []), *given[key]]
        for key in ("args", "environment")
        if isinstance(given.get(key), list)
    }
    if isinstance(given.get("variables"), dict):
        added["variables"] = {**known.get("variables", {}), **given["variables"]}
    return {**known, **given, **added}
