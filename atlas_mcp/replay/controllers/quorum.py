"""A quorum: read all branches as they write, and stop as soon as enough of them agree.

Our own design. It needs no branch to end, so that an easy question is answered after the few
intervals in which a common answer takes shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from atlas_mcp.replay.controllers.dial import between, growing, whole
from atlas_mcp.replay.state import Answer, Continue, Decision, Open, Probe, State, active


@dataclass(frozen=True, slots=True)
class Quorum:
    """Answer when `share` of `width` branches have said the same for `stable` readings in a row.

    Branches that have ended keep saying what they ended with. Where no quorum comes together it
    is the plurality of the last readings, when half of the branches have ended.
    """

    width: int
    share: float
    stable: int

    @classmethod
    def at(cls, dial: float) -> Quorum:
        return cls(
            width=growing(4, 64, dial),
            share=between(0.5, 0.7, dial),
            stable=whole(4, 12, dial),
        )

    @property
    def name(self) -> str:
        return f"quorum@{self.width}:{self.share:g}:{self.stable}"

    @property
    def calls(self) -> int:
        return self.width

    def ask(self, state: State, memory: tuple[Hashable | None, int] | None) -> Decision:
        branches = state.branches
        if not branches:
            count = min(self.width, state.left[0])
            return Decision((Open(count, 1), Probe(range(count))), (None, 0))
        said = Counter(one.answer for one in branches if one.answer is not None)
        leader, votes = said.most_common(1)[0] if said else (None, 0)
        known, rounds = memory or (None, 0)
        holds = votes >= self.share * len(branches)
        rounds = rounds + 1 if holds and leader == known else int(holds)
        writing = active(branches)
        if rounds >= self.stable or 2 * len(writing) <= len(branches):
            return Decision((Answer(leader),))
        return Decision((Continue(writing), Probe(writing)), (leader, rounds))
