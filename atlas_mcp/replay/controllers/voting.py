"""Controllers that read branches to their end and count the answers.

They differ in how many they open at once and when they have seen enough.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from atlas_mcp.replay.controllers.dial import whole
from atlas_mcp.replay.controllers.votes import NO_VOTES, Tally, confidence, count
from atlas_mcp.replay.state import Answer, Decision, Open, State

MOST = 64
"""How many branches the whole dial opens at most, as the source of these rules has it."""


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Open all branches at once and take the plurality (Wang et al. 2023)."""

    calls: int

    @classmethod
    def at(cls, dial: float) -> SelfConsistency:
        return cls(whole(1, MOST, dial))

    @property
    def name(self) -> str:
        return f"self-consistency@{self.calls}"

    def ask(self, state: State, memory: Any) -> Decision:
        return _vote(state) if state.branches else _open(state, self.calls, self.calls)


@dataclass(frozen=True, slots=True)
class AdaptiveConsistency:
    """Open one at a time until the leader is the true plurality with probability > `sure`.

    From two branches on; see `confidence` (Aggarwal et al. 2023).
    """

    calls: int
    sure: float = 0.95

    @classmethod
    def at(cls, dial: float) -> AdaptiveConsistency:
        return cls(whole(1, MOST, dial))

    @property
    def name(self) -> str:
        return f"adaptive-consistency@{self.calls}:{self.sure:g}"

    def ask(self, state: State, memory: Tally | None) -> Decision:
        tally = _tally(state, memory)
        if tally.asked > 1 and confidence(tally.first, tally.second) > self.sure:
            return Decision((Answer(tally.leader),))
        return _one_more(state, tally, self.calls)


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """Open windows until all answers of one are the same; the plurality of all (Li et al. 2024).

    A branch without an answer keeps its window from being unanimous.
    """

    calls: int
    window: int = 8

    @classmethod
    def at(cls, dial: float) -> EarlyStopping:
        return cls(whole(1, MOST, dial))

    @property
    def name(self) -> str:
        return f"early-stopping@{self.calls}:{self.window}"

    def ask(self, state: State, memory: Any) -> Decision:
        answers = _answers(state)
        last = set(answers[-self.window :])
        if len(answers) >= self.window and len(last) == 1 and None not in last:
            return _vote(state)
        return _open(state, self.window, self.calls)


@dataclass(frozen=True, slots=True)
class FirstAgreeing:
    """Open one at a time until so many answers are the same."""

    agreeing: int
    calls: int

    @classmethod
    def at(cls, dial: float) -> FirstAgreeing:
        return cls(agreeing=whole(1, 16, dial), calls=whole(1, MOST, dial))

    @property
    def name(self) -> str:
        return f"first-{self.agreeing}-of-{self.calls}"

    def ask(self, state: State, memory: Tally | None) -> Decision:
        tally = _tally(state, memory)
        if tally.first >= self.agreeing:
            return Decision((Answer(tally.leader),))
        return _one_more(state, tally, self.calls)


def _tally(state: State, memory: Tally | None) -> Tally:
    """The votes so far, when those of the branches behind them are in."""
    tally = memory or NO_VOTES
    return tally.plus([branch.answer for branch in state.branches[tally.asked :]])


def _one_more(state: State, tally: Tally, most: int) -> Decision:
    if len(state.branches) < most and state.left[0]:
        return Decision((Open(),), tally)
    return Decision((Answer(tally.leader),))


def _answers(state: State) -> list[Hashable | None]:
    return [branch.answer for branch in state.branches]


def _vote(state: State) -> Decision:
    return Decision((Answer(count(_answers(state)).leader),))


def _open(state: State, count: int, most: int) -> Decision:
    """Open so many more, at most as many as there may be in all; vote if there are none."""
    more = min(count, most - len(state.branches), state.left[0])
    return Decision((Open(more),)) if more > 0 else _vote(state)
