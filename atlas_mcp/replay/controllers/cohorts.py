"""Cohorts: branches start and stop together, so that few rounds follow one another.

Our own design, for those who wait: where the rolling vote spends least, this is done soonest.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from atlas_mcp.replay.controllers.dial import between, growing, whole
from atlas_mcp.replay.controllers.votes import confidence, count
from atlas_mcp.replay.state import Answer, Continue, Decision, Open, Prune, State, active


class Memory(NamedTuple):
    """The votes of the cohorts before, and the first branch of the one that writes."""

    votes: tuple[Hashable | None, ...] = ()
    start: int = 0


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Let `width` branches write side by side until `ended` have; these vote, the others stop.

    It answers when the leader is the true plurality with probability `sure`, and starts another
    cohort where it is not, `most` branches in all. The first to end of each are right more often
    (Hassid et al. 2025); a plain vote of them is `short-M-of-N`.
    """

    width: int
    ended: int
    most: int
    sure: float

    @classmethod
    def at(cls, dial: float) -> Cohorts:
        width = whole(4, 16, dial)
        return cls(
            width=width,
            ended=(width + 1) // 2,
            most=growing(4, 128, dial),
            sure=between(0.80, 0.97, dial),
        )

    @property
    def name(self) -> str:
        return f"cohorts@{self.width}:{self.ended}:{self.most}:{self.sure:g}"

    @property
    def calls(self) -> int:
        return self.most

    def ask(self, state: State, memory: Memory | None) -> Decision:
        memory = memory or Memory()
        cohort = state.branches[memory.start :]
        first = sorted((one for one in cohort if one.ended), key=lambda one: one.depth)
        writing = active(state.branches)
        if writing and len(first) < self.ended:
            return Decision((Continue(writing),), memory)
        votes = memory.votes + tuple(one.answer for one in first)
        leader, most, next_most = count(votes)
        known = len(state.branches)
        fresh = min(self.width, self.most - known, state.left[0])
        if (leader is not None and confidence(most, next_most) >= self.sure) or fresh <= 0:
            return Decision((Answer(leader),))
        stop = (Prune(writing),) if writing else ()
        return Decision((*stop, Open(fresh, 1)), Memory(votes, known))
