"""Parallel-Probe: let branches write side by side, drop the dissenters, stop when nothing moves.

From the description in AutoTTS; the reading that gives its numbers on AIME 2024 to the token.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from atlas_mcp.replay.controllers.dial import whole
from atlas_mcp.replay.controllers.votes import plurality
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Continue,
    Decision,
    Open,
    Probe,
    Prune,
    State,
)


class Memory(NamedTuple):
    """Who led in the last round, for how many rounds unchanged, who wrote, and who dissents.

    `rounds` counts the rounds after the opening, which is -1. `dissent` has the branches that
    do, and for how many rounds they have.
    """

    rounds: int
    leader: Hashable | None
    unchanged: int
    writing: Sequence[int]
    dissent: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ParallelProbe:
    """Open `calls` branches and probe those that still write in every round.

    The leader of a round is the plurality of all branches that are not pruned, those that have
    ended included; ties go to the lowest number. The opening is no round. From round `warm_up`
    on, counted from 0, a writing branch that disagreed with the leaders of `patience` rounds in
    a row is pruned; earlier rounds do not count. The leader is the answer when it has been
    unchanged for `stable` rounds, or when nobody writes any more.
    """

    calls: int = 64
    stable: int = 40
    patience: int = 7
    warm_up: int = 15

    @classmethod
    def at(cls, dial: float) -> ParallelProbe:
        return cls(calls=whole(2, 64, dial), stable=whole(10, 40, dial))

    @property
    def name(self) -> str:
        numbers = (self.calls, self.stable, self.patience, self.warm_up)
        return f"parallel-probe@{':'.join(map(str, numbers))}"

    def ask(self, state: State, memory: Memory | None) -> Decision:
        if memory is None:
            opened = range(min(self.calls, state.left[0]))
            start = Memory(-1, None, 0, opened, {})
            return Decision((Open(len(opened), 1), Probe(opened)), start)
        branches = state.branches
        leader = plurality([one.answer for one in branches if not one.pruned])
        unchanged = memory.unchanged + 1 if memory.rounds > 0 and leader == memory.leader else 0
        writing = [number for number in memory.writing if not branches[number].ended]
        dissent, pruned = memory.dissent, []
        if memory.rounds >= self.warm_up:
            dissent = {
                number: memory.dissent.get(number, 0) + 1
                for number in writing
                if branches[number].answer != leader
            }
            pruned = [number for number, rounds in dissent.items() if rounds >= self.patience]
            writing = [number for number in writing if dissent.get(number, 0) < self.patience]
        if unchanged >= self.stable or not writing:
            return Decision((Answer(leader),))
        going: tuple[Action, ...] = (Continue(writing), Probe(writing))
        memory = Memory(memory.rounds + 1, leader, unchanged, writing, dissent)
        return Decision((Prune(pruned), *going) if pruned else going, memory)
