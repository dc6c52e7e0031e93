"""Which word names which controller: the one place to add one.

A controller is written `NAME:DIAL`, with a dial from 0 to 1 that sets its budget, or with its
own numbers. Its class offers `at(dial)`. Other packages join through the entry-point group
`atlas_mcp.controllers`, whose entries name such a class; listing the names imports none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from atlas_mcp.core.errors import BadRequestError, SetupError
from atlas_mcp.replay.state import Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Controllers of one rule: where it is, how one with given numbers is written, what it does."""

    place: str
    numbers: str = ""
    about: str = ""


_HERE = "atlas_mcp.replay.controllers"

BUILT_IN = {
    "adaptive-consistency": Family(
        place=f"{_HERE}.voting:AdaptiveConsistency",
        numbers="adaptive-consistency@N[:SURE]",
        about="one branch at a time until the leader is the true plurality with that probability",
    ),
    "cohorts": Family(
        place=f"{_HERE}.cohorts:Cohorts",
        numbers="cohorts@WIDTH:ENDED:MOST:SURE",
        about="cohorts side by side, the first to end vote, another one if in doubt (our own)",
    ),
    "early-stopping": Family(
        place=f"{_HERE}.voting:EarlyStopping",
        numbers="early-stopping@N[:WINDOW]",
        about="windows of branches until one is unanimous",
    ),
    "first": Family(
        place=f"{_HERE}.voting:FirstAgreeing",
        numbers="first-M-of-N",
        about="one branch at a time until M answers are the same",
    ),
    "momentum": Family(
        place=f"{_HERE}.momentum:Momentum",
        about="few branches, more while smoothed confidence does not grow (CMC of AutoTTS)",
    ),
    "parallel-probe": Family(
        place=f"{_HERE}.parallel_probe:ParallelProbe",
        numbers="parallel-probe@N[:STABLE:PATIENCE:WARM-UP]",
        about="all side by side, probed; dissenters are pruned, a stable leader ends it",
    ),
    "quorum": Family(
        place=f"{_HERE}.quorum:Quorum",
        numbers="quorum@WIDTH:SHARE:STABLE",
        about="all side by side, read as they write, until enough of them agree (our own)",
    ),
    "rolling": Family(
        place=f"{_HERE}.rolling:Rolling",
        numbers="rolling@WIDTH:MOST:SURE:TRUST:PATIENCE:DEEPEST",
        about="a few at work, a fresh one for each that votes, dissents or runs long (our own)",
    ),
    "self-consistency": Family(
        place=f"{_HERE}.voting:SelfConsistency",
        numbers="self-consistency@N",
        about="N branches at once, the plurality",
    ),
    "short": Family(
        place=f"{_HERE}.finishing:Shortest",
        numbers="short-M-of-N",
        about="N branches side by side, the plurality of the first M to end",
    ),
}

_NUMBERED = re.compile(r"(.+)@([\d.:]+)|(.+?)-(\d+)-of-(\d+)")


def families() -> dict[str, Family]:
    """Every name with what is behind it; built-in names win."""
    outside = {one.name: Family(place=one.value) for one in _entries()}
    return {**outside, **BUILT_IN}


def controller(text: str) -> Controller:
    """The controller that a text names.

    Raises:
        BadRequestError: there is none of that name, or its numbers make no sense.
        SetupError: another package offers it and cannot be loaded.
    """
    if found := _NUMBERED.fullmatch(text):
        name = found[1] or found[3]
        numbers = found[2].split(":") if found[2] else [found[4], found[5]]
        return _numbered(text, name, numbers)
    name, _, dial = text.rpartition(":")
    make: Callable[[float], Controller] = _class(text, name or dial).at
    return make(_dial(text, dial) if name else 1.0)


def _numbered(text: str, name: str, numbers: list[str]) -> Controller:
    made = _class(text, name)
    kinds = [str(field.type) for field in fields(made)]
    known = families()[name].numbers
    if not known or len(numbers) > len(kinds):
        raise BadRequestError(f"controller {text!r}: write {known or f'{name}:DIAL'}")
    try:
        values = [
            int(one) if kind == "int" else float(one)
            for one, kind in zip(numbers, kinds, strict=False)
        ]
        if min(values) <= 0:
            raise ValueError
        found: Controller = made(*values)
    except (TypeError, ValueError) as error:
        raise BadRequestError(
            f"controller {text!r}: write {known}, with numbers above 0"
        ) from error
    return found


def _dial(text: str, written: str) -> float:
    try:
        dial = float(written)
    except ValueError:
        dial = -1.0
    if not 0 <= dial <= 1:
        raise BadRequestError(f"controller {text!r}: the dial is a number from 0 to 1")
    return dial


def _class(text: str, name: str) -> Any:
    known = families()
    if name not in known:
        raise BadRequestError(f"unknown controller {text!r}; known: {', '.join(sorted(known))}")
    module, _, attribute = known[name].place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SetupError(f"controller {name!r} cannot be loaded: {error}") from error


def _entries() -> Any:
    return entry_points(group="atlas_mcp.controllers")
