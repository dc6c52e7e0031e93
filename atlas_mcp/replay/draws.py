"""One recorded branch: what it has written, what it tells as it is read, and what that costs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from atlas_mcp.replay.state import Branch


@dataclass(frozen=True)
class Draw:
    """What one branch has written. `readings` has an answer for each step; the last one ends it.

    None is no answer. Tokens and dollars are nan where they were not recorded.
    """

    tokens: float
    usd: float
    readings: Sequence[Hashable | None]

    @cached_property
    def told(self) -> tuple[Branch, ...]:
        """What is known of it at each depth, if it is read there, as a branch of the first arm.

        Kept, since a draw is played in many orders.
        """
        end = len(self.readings)
        steps = enumerate(self.readings, 1)
        return (Branch(0), *(_read(depth, answer, depth == end) for depth, answer in steps))


@lru_cache(maxsize=1 << 16, typed=True)
def _read(depth: int, answer: Hashable | None, ended: bool) -> Branch:
    """One for all draws that say the same at a depth, so that what is read stays in the cache."""
    return Branch(0, depth, depth, answer, ended)


@dataclass(slots=True)
class Line:
    """One branch while it is read. Behind its `probes`, one step more ends it.

    It last `moved` in that round, is `settled` when it was paid to its end at once, and `priced`
    when dollars were.
    """

    draw: Draw
    told: Sequence[Branch]
    probes: int
    depth: int = 0
    read: int = 0
    moved: int = 0
    settled: bool = False
    priced: bool = False
    pruned: bool = False

    @property
    def ended(self) -> bool:
        return self.depth > self.probes

    def write(self, intervals: int | None, interval: float, exact: bool) -> float:
        """Go on, and return what that costs."""
        depth, probes = self.depth, self.probes
        if intervals is not None and depth + intervals <= probes:
            self.depth = depth + intervals
            cost = intervals * interval
            return min(cost, self.rest(depth * interval)) if exact else cost
        self.depth = self.read = probes + 1
        paid = min(depth, probes) * interval
        if intervals is None or exact:
            cost, self.settled = 0.0 if self.settled else self.rest(paid), True
            return cost
        # A last step on its own is not booked, so the source charges it again.
        cost = max(probes - depth, 0) * interval
        return cost if self.settled else cost + self.rest(paid + cost)

    def rest(self, paid: float) -> float:
        """What is left to pay of its length."""
        rest = self.draw.tokens - paid
        return 0.0 if rest < 0 else rest

    def known(self) -> Branch:
        """What has been told of it."""
        told = self.told[self.read]
        if self.read == self.depth and not self.pruned:
            return told
        return Branch(told.arm, self.depth, self.read, told.answer, self.ended, self.pruned)

    def price(self, tokens: float) -> float:
        """Dollars for so many of its tokens. One of unknown length is paid once, as a whole."""
        whole, priced, self.priced = self.draw.tokens, self.priced, True
        return self.draw.usd * (tokens / whole if whole > 0 else float(not priced))
