"""What a run may spend, its orchestrator and its solvers together. Arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from atlas_mcp.core.types import Caps, Spend
from solvers.types import Meter, Number, WorstCase, plus

# Dollar amounts are sums of floats: a cap is passed only by more than rounding.
_ROUNDING = 1e-9


@dataclass(slots=True, kw_only=True)
class Purse:
    """Caps on tokens and dollars, and what counts against them.

    `own` is what the orchestrator's turns are known to have used, `solvers` what the calls
    did. `committed` counts against the caps: an amount that is unknown stands in it at its
    worst case, so that `left` never says too much.
    """

    caps: Caps = field(default_factory=Caps)
    own: Meter = field(default_factory=Meter)
    solvers: Spend = field(default_factory=Spend)
    committed: Spend = field(default_factory=Spend)

    @property
    def left(self) -> Caps:
        """What the caps still allow; None where there is no cap."""
        return self.share(1, ())

    @property
    def spent(self) -> Spend:
        """What orchestrator and solvers are known to have used; None where a part is unknown."""
        return Spend(
            calls=self.solvers.calls,
            tokens=plus(self.own.usage.total_tokens, self.solvers.tokens),
            usd=plus(self.own.usd, self.solvers.usd),
            seconds=self.solvers.seconds,
        )

    def covers(self, *worst: WorstCase) -> bool:
        """Whether all of this can be paid, each at its worst. What has no bound cannot."""
        return _fits(self.left.tokens, [one.tokens for one in worst]) and _fits(
            self.left.usd, [one.usd for one in worst]
        )

    def share(self, part: float, kept: Iterable[WorstCase]) -> Caps:
        """A part of what is left once the worst case of `kept` has been laid aside."""
        kept = list(kept)
        tokens = _rest(self.caps.tokens, self.committed.tokens, [one.tokens for one in kept])
        usd = _rest(self.caps.usd, self.committed.usd, [one.usd for one in kept])
        return Caps(
            tokens=None if tokens is None else int(tokens * part),
            usd=None if usd is None else usd * part,
        )

    def book_turn(self, meter: Meter, worst: WorstCase) -> None:
        """Count a turn of the orchestrator."""
        self.own.spend(meter.usage, meter.usd)
        self._commit(meter.usage.total_tokens, meter.usd, worst.tokens, worst.usd)

    def book_call(self, tokens: int | None, usd: float | None, seconds: float, most: Caps) -> None:
        """Count a solver call that was allowed `most`."""
        self.solvers = Spend(
            calls=self.solvers.calls + 1,
            tokens=plus(self.solvers.tokens, tokens),
            usd=plus(self.solvers.usd, usd),
            seconds=self.solvers.seconds + seconds,
        )
        self._commit(tokens, usd, most.tokens, most.usd)

    def _commit(
        self,
        tokens: int | None,
        usd: float | None,
        worst_tokens: int | None,
        worst_usd: float | None,
    ) -> None:
        self.committed = Spend(
            tokens=(self.committed.tokens or 0) + (worst_tokens or 0 if tokens is None else tokens),
            usd=(self.committed.usd or 0.0) + (worst_usd or 0.0 if usd is None else usd),
        )


def _fits(left: float | None, amounts: Iterable[float | None]) -> bool:
    if left is None:
        return True
    total = 0.0
    for amount in amounts:
        if amount is None:
            return False
        total += amount
    return total <= left + _ROUNDING


def _rest(cap: Number | None, used: Number | None, kept: Iterable[Number | None]) -> Number | None:
    if cap is None:
        return None
    rest = cap - (used or 0)
    for amount in kept:
        if amount is None:
            return type(cap)(0)
        rest -= amount
    return max(rest, type(cap)(0))
