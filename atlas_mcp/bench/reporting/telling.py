"""Numbers as a report writes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from atlas_mcp.core.intervals import Estimate

MOST_BINS = 12


def amount(one: float | None, places: int) -> str:
    return "?" if one is None else f"{one:,.{places}f}"


def share(one: Estimate | None) -> str:
    return "?" if one is None else f"{100 * one.value:.1f}"


def interval(one: Estimate | None) -> str:
    if one is None:
        return "?"
    return f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def points(one: Estimate) -> str:
    told = f"{100 * one.value:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
    return told.replace("-", "−")


def binned(counts: Mapping[int, int]) -> Iterator[tuple[str, int]]:
    """The counts of whole numbers in a row, in equal bins where there would be many."""
    low, high = min(counts), max(counts)
    width = math.ceil((high - low + 1) / MOST_BINS)
    for start in range(low, high + 1, width):
        last = min(start + width - 1, high)
        name = str(start) if last == start else f"{start} to {last}"
        yield name, sum(counts.get(one, 0) for one in range(start, last + 1))
