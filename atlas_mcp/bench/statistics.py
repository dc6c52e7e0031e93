"""Intervals and paired tests for shares. Pure; randomness comes from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

Z = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""

RESAMPLES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(share: float, n: int) -> Estimate:
    """The Wilson score interval of a share of `n` independent trials, n at least 1.

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


def mcnemar(first_only: int, second_only: int) -> float:
    """The exact two-sided p-value for two methods that differ on so many questions.

    The questions on which only one of them is right are fair coins if the methods are equal.
    """
    n, least = first_only + second_only, min(first_only, second_only)
    tail = sum(math.comb(n, one) for one in range(least + 1))
    return min(2 * tail, 1 << n) / (1 << n)


def bootstrap_mean(values: Sequence[float], *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The mean with its percentile bootstrap interval, at least one value."""
    n, random = len(values), Random(seed)
    means = sorted(math.fsum(random.choices(values, k=n)) / n for _ in range(resamples))
    return Estimate(
        value=math.fsum(values) / n,
        low=means[int(0.025 * (resamples - 1))],
        high=means[math.ceil(0.975 * (resamples - 1))],
    )
