"""How sure a counted share is."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(share: float, n: int) -> Estimate:
    """The Wilson score interval of a share of `n` independent trials, n at least 1 (Wilson 1927).

    `share * n` need not be whole: where each trial is itself a mean, the interval is on the
    safe side.
    """
    spread = Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # At 0 and 1 the bound is the share itself, which rounding may miss.
    return Estimate(
        value=share,
        low=min(max(middle - half, 0.0), share),
        high=max(min(middle + half, 1.0), share),
    )
