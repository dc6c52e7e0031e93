"""The methods that are compared, named as the field names them, each with its budget in words.

All of them are orchestrators that decide on counts alone, so they run on any pool.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.explore.equivalence import canonical
from atlas_mcp.host.orchestrator import Explore, Orchestrator, Step, View
from atlas_mcp.host.rules import FixedVote, Greedy, StopAtAgreement, StopWhenConfident
from solvers.types import AnswerKind

MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Draw in windows and stop when all answers of one are the same, `calls` draws at most.

    The answer is the plurality of all draws (early-stopping self-consistency, Li et al. 2024).
    A call without an answer keeps its window from being unanimous.
    """

    explore: Explore
    calls: int
    window: int
    kind: AnswerKind = "auto"
    name: str = "early-stopping"

    async def decide(self, view: View) -> Step:
        step = await FixedVote(explore=self.explore, calls=self.calls).decide(view)
        if not isinstance(step, Explore):
            return step
        into = view.ledger.asked % self.window
        if view.ledger.asked and not into and self._unanimous(view):
            return await FixedVote(explore=self.explore, calls=0).decide(view)
        return replace(step, draws=min(step.draws, self.window - into))

    def _unanimous(self, view: View) -> bool:
        last = sorted(view.evidence, key=lambda one: one.draw)[-self.window :]
        keys = {
            None if one.answer is None else canonical(one.answer, self.kind, view.problem)
            for one in last
        }
        return len(keys) == 1 and None not in keys


Make = Callable[[Explore, AnswerKind], Orchestrator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method with its numbers filled in.

    `calls` is the most solver calls for one question, `budget` what it means, in words.
    A method that is `greedy` asks the solver that does not sample.
    """

    name: str
    calls: int
    budget: str
    make: Make
    greedy: bool = False


def _single(name: str, numbers: tuple[int, ...]) -> Method:
    return Method(
        name=name,
        calls=1,
        budget="1 sampled call, its answer",
        make=lambda explore, kind: Greedy(explore=explore, name=name),
    )


def _greedy(name: str, numbers: tuple[int, ...]) -> Method:
    return Method(
        name=name,
        calls=1,
        budget="1 call of the solver that does not sample, its answer",
        make=lambda explore, kind: Greedy(explore=explore, name=name),
        greedy=True,
    )


def _self_consistency(name: str, numbers: tuple[int, ...]) -> Method:
    (calls,) = numbers
    return Method(
        name=name,
        calls=calls,
        budget=f"always {calls} calls, the most frequent answer",
        make=lambda explore, kind: FixedVote(explore=explore, calls=calls, name=name),
    )


def _adaptive(name: str, numbers: tuple[int, ...]) -> Method:
    (calls,) = numbers
    return Method(
        name=name,
        calls=calls,
        budget=f"one call at a time, {calls} at most; stops when the leader is the true plurality "
        "with probability 0.95 (Beta(1,1) prior)",
        make=lambda explore, kind: StopWhenConfident(explore=explore, calls=calls, name=name),
    )


def _early(name: str, numbers: tuple[int, ...]) -> Method:
    calls, window = numbers
    if window > calls:
        raise BadRequestError(f"method {name!r}: the window is larger than the budget")
    return Method(
        name=name,
        calls=calls,
        budget=f"windows of {window} calls, {calls} at most; stops when a window is unanimous",
        make=lambda explore, kind: EarlyStopping(
            explore=explore, calls=calls, window=window, kind=kind, name=name
        ),
    )


def _first(name: str, numbers: tuple[int, ...]) -> Method:
    agreeing, calls = numbers
    if agreeing > calls:
        raise BadRequestError(f"method {name!r}: more answers must agree than there are calls")
    return Method(
        name=name,
        calls=calls,
        budget=f"{calls} calls at most; stops when {agreeing} answers are the same",
        make=lambda explore, kind: StopAtAgreement(
            explore=explore, agreeing=agreeing, calls=calls, name=name
        ),
    )


METHODS: dict[str, tuple[str, Callable[[str, tuple[int, ...]], Method], str]] = {
    "single": (r"single", _single, "single"),
    "greedy": (r"greedy", _greedy, "greedy"),
    "self-consistency@N": (r"self-consistency@(\d+)", _self_consistency, "self-consistency@8"),
    "adaptive-consistency@N": (
        r"adaptive-consistency@(\d+)",
        _adaptive,
        "adaptive-consistency@8",
    ),
    "early-stopping@N:W": (r"early-stopping@(\d+):(\d+)", _early, "early-stopping@8:4"),
    "first-M-of-K": (r"first-(\d+)-of-(\d+)", _first, "first-3-of-8"),
}
"""How each is written, what reads its numbers, and an example."""


def method(name: str) -> Method:
    """The method of this name.

    Raises:
        BadRequestError: there is none, or a number is out of range.
    """
    for pattern, make, _ in METHODS.values():
        if found := re.fullmatch(pattern, name):
            numbers = tuple(int(one) for one in found.groups())
            if not all(1 <= one <= MOST_CALLS for one in numbers):
                raise BadRequestError(f"method {name!r}: numbers are from 1 to {MOST_CALLS}")
            return make(name, numbers)
    raise BadRequestError(f"unknown method {name!r}; known: {', '.join(METHODS)}")
