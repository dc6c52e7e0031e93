"""Confidence momentum: open few branches, and more of them while confidence does not grow.

The rule that AutoTTS found in its last round (r0004, "CMC"), from its description. That leaves
the order of steps open; the reading here was chosen by what it gives on AIME 2024, four models
at dials 0.5 and 1. It gives all rows as the paper prints them; with one digit more, one of them
(dial 1 on Qwen3-0.6B) is one episode of 3,000 away, and tokens agree within 0.01 %. What it
settled: confidence is 0 while nothing has ended, and smoothed from 0; dissent does not count before
the warm-up is over; the confidence of a round is looked at after its probes; ties go to the branch
that ended first; where nobody writes any more, one more is opened only if too few have ended.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from atlas_mcp.replay.controllers.dial import between, whole
from atlas_mcp.replay.controllers.votes import NO_VOTES, Tally, confidence
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Branch,
    Continue,
    Decision,
    Open,
    Probe,
    Prune,
    State,
)


class Memory(NamedTuple):
    """What is carried from round to round.

    `ended` are the votes of the branches that have ended, in the order in which they did;
    `writing` are those that neither have nor were pruned. `trend` holds the smoothed confidence
    after the last rounds, `dissent` for how many rounds a branch has disagreed with the leader,
    of those that do. `rounds` counts the rounds in which branches wrote on; `opening` is False
    in between.
    """

    rounds: int
    opening: bool
    smoothed: float
    trend: tuple[float, ...]
    dissent: Mapping[int, int]
    ended: Tally
    writing: Sequence[int]


_START = Memory(0, True, 0.0, (), {}, NO_VOTES, ())

KEPT = 2
"""So many branches are left writing, however much they dissent."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """Answers when the smoothed confidence in the leader is high and does not fall.

    The leader is the plurality of the branches that have ended; ties go to the one that ended
    first. A round: smooth the confidence, count dissent, prune; let every branch write an
    interval, or `burst` where it agrees with the leader, and probe it; smooth again; then
    answer, or open `widen` more where confidence is low and does not grow, or go on. Dissent is
    counted from round `warm_up` on. When nobody writes any more it answers if `enough` branches
    have ended, and opens one more if not.
    """

    dial: float
    start: int
    most: int
    warm_up: int
    patience: int
    window: int
    weight: float
    sure: float
    slack: float
    burst: int
    widen: int
    enough: int

    @classmethod
    def at(cls, dial: float) -> Momentum:
        return cls(
            dial=dial,
            start=whole(2, 8, dial),
            most=whole(4, 64, dial),
            warm_up=whole(2, 10, dial),
            patience=whole(3, 12, dial),
            window=whole(2, 8, dial),
            weight=between(0.70, 0.30, dial),
            sure=between(0.85, 0.97, dial),
            slack=between(0.04, 0.01, dial),
            burst=whole(1, 3, dial),
            widen=whole(1, 4, dial),
            enough=whole(2, 5, dial),
        )

    @property
    def name(self) -> str:
        return f"momentum:{self.dial:g}"

    @property
    def calls(self) -> int:
        return self.most

    def ask(self, state: State, memory: Memory | None) -> Decision:
        if memory is None:
            return self._open(state, self.start, _START)
        memory = _heard(state.branches, memory)
        ended = memory.ended
        sure = confidence(ended.first, ended.second) if ended.asked else 0.0
        if not memory.opening:
            memory = self._passed(memory, sure)
            slope = memory.smoothed - memory.trend[0]
            if self._sure(memory, slope):
                return Decision((Answer(ended.leader),))
            if memory.writing and self._stuck(memory, slope) and self._openable(state):
                return self._open(state, self.widen, memory)
        if not memory.writing:
            if ended.asked >= self.enough or not self._openable(state):
                return Decision((Answer(ended.leader),))
            return self._open(state, 1, memory)
        return self._write(state.branches, memory, sure)

    def _passed(self, memory: Memory, sure: float) -> Memory:
        """Take in that a round is over in which branches wrote on."""
        rounds, _, smoothed, trend, dissent, ended, writing = memory
        smoothed = self._smoothed(smoothed, sure)
        trend = (*trend, smoothed)[-self.window :]
        return Memory(rounds + 1, False, smoothed, trend, dissent, ended, writing)

    def _smoothed(self, before: float, sure: float) -> float:
        return self.weight * sure + (1 - self.weight) * before

    def _sure(self, memory: Memory, slope: float) -> bool:
        return (
            memory.rounds > self.warm_up
            and memory.ended.asked >= self.enough
            and memory.smoothed >= self.sure
            and slope >= -self.slack
        )

    def _stuck(self, memory: Memory, slope: float) -> bool:
        past = memory.rounds - 1 >= self.warm_up / 2
        return past and memory.smoothed < self.sure and slope <= self.slack

    def _openable(self, state: State) -> int:
        return min(self.most - len(state.branches), state.left[0])

    def _open(self, state: State, count: int, memory: Memory) -> Decision:
        known = len(state.branches)
        fresh = range(known, known + min(count, self._openable(state)))
        rounds, _, smoothed, trend, dissent, ended, writing = memory
        memory = Memory(rounds, True, smoothed, trend, dissent, ended, [*writing, *fresh])
        return Decision((Open(len(fresh), 1), Probe(fresh)), memory)

    def _write(self, branches: Sequence[Branch], memory: Memory, sure: float) -> Decision:
        """Prune, then let the others go on. `memory.rounds` is the number of this round, from 0."""
        rounds, _, smoothed, trend, dissent, ended, writing = memory
        agreeing, others = _sides(branches, writing, ended.leader)
        actions: list[Action] = []
        if rounds >= self.warm_up and ended.leader is not None:
            dissent = {number: dissent.get(number, 0) + 1 for number in others}
            spare = max(len(writing) - KEPT, 0)
            pruned = [number for number in others if dissent[number] >= self.patience][:spare]
            if pruned:
                writing = [number for number in writing if number not in pruned]
                others = [number for number in others if number not in pruned]
                actions.append(Prune(pruned))
        if agreeing:
            actions += Continue(agreeing, self.burst), Probe(agreeing)
        if others:
            actions += Continue(others), Probe(others)
        smoothed = self._smoothed(smoothed, sure)
        return Decision(actions, Memory(rounds, False, smoothed, trend, dissent, ended, writing))


def _heard(branches: Sequence[Branch], memory: Memory) -> Memory:
    """Add the votes of the branches that have ended since, in the order of their numbers."""
    rounds, opening, smoothed, trend, dissent, ended, writing = memory
    over = [number for number in writing if branches[number].ended]
    if not over:
        return memory
    ended = ended.plus([branches[number].answer for number in over])
    writing = [number for number in writing if number not in over]
    return Memory(rounds, opening, smoothed, trend, dissent, ended, writing)


def _sides(
    branches: Sequence[Branch], writing: Sequence[int], leader: Hashable | None
) -> tuple[Sequence[int], Sequence[int]]:
    """Who agrees with the leader, and who does not; nobody does where there is none."""
    if leader is None:
        return (), writing
    return (
        [number for number in writing if branches[number].answer == leader],
        [number for number in writing if branches[number].answer != leader],
    )
