"""A rolling vote: a few branches at work, and a fresh one for each that has had its say.

Our own design. Branches that run long are right less often and cost most, and so are those that
keep to an answer that the others have left behind; both make way for fresh ones. So a question
on which branches agree is left after a few of them, and a hard one gets many short chances
instead of a few long ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import NamedTuple

from atlas_mcp.replay.controllers.dial import between, growing, whole
from atlas_mcp.replay.controllers.votes import confidence, count
from atlas_mcp.replay.state import Answer, Branch, Continue, Decision, Open, Probe, Prune, State

# Each as its value where the dial is 0 and where it is 1.
KNOBS = {
    "width": (3, 5),
    "most": (6, 120),
    "sure": (0.8, 0.95),
    "trust": (12, 36),
    "patience": (20, 28),
    "deepest": (42, 42),
}

ENOUGH = 2
"""One vote proves nothing, however it is reckoned."""

WIDER = 2
"""For each so many branches that have settled nothing, one more writes: the question is hard."""

LONGER = 1.2
"""No branch is cut before it is longer, by this factor, than the median of those that voted."""


class Memory(NamedTuple):
    """What is carried from round to round.

    `votes` and `depths` are the answers that count and the depths at which they were given, in
    their order. `over` are the branches that have voted or made way. Of each branch, `said` is
    its last reading, `kept` for how many readings it has stood and `dissent` for how many it was
    not the leader's.
    """

    votes: tuple[Hashable | None, ...] = ()
    depths: tuple[int, ...] = ()
    over: frozenset[int] = frozenset()
    said: tuple[Hashable | None, ...] = ()
    kept: tuple[int, ...] = ()
    dissent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rolling:
    """Answers when the leader among the votes is the true plurality with probability `sure`.

    `width` branches write side by side (more where that settles nothing, see `WIDER`), `most` in
    all. A branch votes when it ends, or once it has given the leader's answer for `trust` readings
    in a row, since the rest would only be paid for. It makes way after `deepest` intervals (or
    later where votes come late, see `LONGER`), or after `patience` readings in a row that are not
    the leader's. Where nobody has voted, the last readings do. In the end ties go to the answer of
    the shorter branches.
    """

    width: int
    most: int
    sure: float
    trust: int
    patience: int
    deepest: int

    @classmethod
    def at(cls, dial: float) -> Rolling:
        return cls.of(KNOBS, dial)

    @classmethod
    def of(cls, knobs: Mapping[str, tuple[float, float]], dial: float) -> Rolling:
        return cls(
            width=whole(*knobs["width"], dial),
            most=growing(*knobs["most"], dial),
            sure=between(*knobs["sure"], dial),
            trust=whole(*knobs["trust"], dial),
            patience=whole(*knobs["patience"], dial),
            deepest=whole(*knobs["deepest"], dial),
        )

    @property
    def name(self) -> str:
        return (
            f"rolling@{self.width}:{self.most}:{self.sure:g}:{self.trust}:{self.patience}"
            f":{self.deepest}"
        )

    @property
    def calls(self) -> int:
        return self.most

    def ask(self, state: State, memory: Memory | None) -> Decision:
        memory, pruned = self._heard(state, memory or Memory())
        leader, first, second = count(memory.votes)
        if first + second >= ENOUGH and confidence(first, second) >= self.sure:
            return Decision((Answer(_chosen(memory)),))
        writing = [number for number in range(len(state.branches)) if number not in memory.over]
        width = self.width + len(memory.over) // WIDER
        fresh = self._fresh(state, width - len(writing))
        if not writing and not fresh:
            last = count(one.answer for one in state.branches).leader
            return Decision((Answer(last if leader is None else _chosen(memory)),))
        actions = (
            Prune(pruned),
            Continue(writing),
            Open(len(fresh), 1),
            Probe([*writing, *fresh]),
        )
        return Decision(tuple(one for one in actions if _does(one)), memory)

    def _fresh(self, state: State, room: int) -> range:
        known = len(state.branches)
        return range(known, known + max(min(room, self.most - known, state.left[0]), 0))

    def _heard(self, state: State, memory: Memory) -> tuple[Memory, list[int]]:
        """Take in the last round: who votes, and who makes way."""
        leader = count(memory.votes).leader
        late = LONGER * median_low(memory.depths) if memory.depths else 0
        deepest = max(self.deepest, late)
        memory = _followed(state.branches, memory, leader)
        votes, depths, over = list(memory.votes), list(memory.depths), set(memory.over)
        pruned = []
        for number, one in enumerate(state.branches):
            if number in memory.over:
                continue
            agrees = leader is not None and one.answer == leader
            trusted = agrees and memory.kept[number] >= self.trust
            if one.ended or trusted:
                votes.append(one.answer)
                depths.append(one.depth)
            elif one.depth < deepest and memory.dissent[number] < self.patience:
                continue
            over.add(number)
            if not one.ended:
                pruned.append(number)
        memory = memory._replace(votes=tuple(votes), depths=tuple(depths), over=frozenset(over))
        return memory, pruned


def _followed(branches: Sequence[Branch], memory: Memory, leader: Hashable | None) -> Memory:
    """Add the last readings of the branches that are still at work."""
    fresh = len(branches) - len(memory.said)
    said = [*memory.said, *(None,) * fresh]
    kept = [*memory.kept, *(0,) * fresh]
    dissent = [*memory.dissent, *(0,) * fresh]
    for number, one in enumerate(branches):
        if number in memory.over:
            continue
        stands = one.answer is not None and one.answer == said[number]
        kept[number] = kept[number] + 1 if stands else 1
        dissents = leader is not None and one.answer != leader
        dissent[number] = dissent[number] + 1 if dissents else 0
        said[number] = one.answer
    return memory._replace(said=tuple(said), kept=tuple(kept), dissent=tuple(dissent))


def _chosen(memory: Memory) -> Hashable | None:
    """The answer with most votes; of equals the one that took the fewest intervals in all."""
    depths: dict[Hashable, list[int]] = {}
    for vote, depth in zip(memory.votes, memory.depths, strict=True):
        if vote is not None:
            depths.setdefault(vote, []).append(depth)
    return min(depths, key=lambda vote: (-len(depths[vote]), sum(depths[vote])), default=None)


def _does(action: Prune | Continue | Open | Probe) -> bool:
    return bool(action.count if isinstance(action, Open) else action.branches)
