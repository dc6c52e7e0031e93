"""Paired tests and the bootstrap. Pure; randomness comes from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from atlas_mcp.core.intervals import Estimate

RESAMPLES = 5_000


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
