"""Self-consistency with fewer calls, recomputed from the draws of a run with many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from atlas_mcp.bench.reporting.shares import Key, accuracy, key, mean
from atlas_mcp.bench.rows import Asking, Row
from atlas_mcp.core.intervals import Estimate

Measure = Literal["calls", "dollars", "tokens", "output tokens"]
COSTS: tuple[Measure, ...] = ("dollars", "tokens", "output tokens")
"""What a method can cost, the best known measure first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballots:
    """The draws of a self-consistency run, and whether the vote is right after each of them.

    A question with a draw that nobody could grade, or without any, is not in it.
    """

    method: str
    calls: int
    rows: Mapping[Key, Row]
    right: Mapping[Key, tuple[bool, ...]]

    def after(self, one: Key, calls: int) -> bool:
        """Whether the vote of the first draws is right, at least one; of all if there are fewer."""
        right = self.right[one]
        return right[min(calls, len(right)) - 1]

    def spent(self, one: Key, calls: int, measure: Measure) -> float | None:
        """What the first draws took, each counted as the mean draw of its question."""
        total, draws = spent(self.rows[one], measure), len(self.right[one])
        return None if total is None else total * min(calls, draws) / draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Self-consistency with `votes` draws. Amounts are means for one question."""

    votes: int
    accuracy: Estimate
    calls: float
    tokens: float | None
    output_tokens: float | None
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Self-consistency with any number of draws up to that of the run named `method`."""

    method: str
    points: tuple[Point, ...]


def spent(row: Row, measure: Measure) -> float | None:
    """What a question took; dollars and tokens are those of the method's own models too."""
    match measure:
        case "calls":
            return row.solvers.calls
        case "dollars":
            return row.usd
        case "tokens":
            return row.tokens
        case "output tokens":
            return row.output_tokens


def votes_of(asking: Asking) -> int | None:
    """How many draws a self-consistency run takes; None for another method."""
    found = re.fullmatch(r"self-consistency@(\d+)", asking.method)
    return int(found[1]) if found else None


def ballots(method: str, calls: int, rows: Sequence[Row]) -> Ballots:
    known = {key(row): row for row in rows if taken(row) and None not in row.drawn}
    right = {one: tuple(_voting(row)) for one, row in known.items()}
    return Ballots(method=method, calls=calls, rows=known, right=right)


def _voting(row: Row) -> Iterator[bool]:
    """Whether the most frequent answer is right after each draw, of equals the one seen first."""
    counts: dict[int, int] = {}
    verdicts: dict[int, bool] = {}
    for vote, verdict in list(zip(row.votes, row.drawn, strict=True))[: taken(row)]:
        if vote is not None:
            counts[vote] = counts.get(vote, 0) + 1
            verdicts.setdefault(vote, bool(verdict))
        # `max` keeps the first of equals, and a dictionary the order of arrival.
        yield verdicts[max(counts, key=counts.__getitem__)] if counts else False


def taken(row: Row) -> int:
    """The draws that a pool had; those that it lacked are the last ones."""
    return len(row.drawn) - row.missing


def curve(of: Ballots) -> Curve | None:
    if not of.rows:
        return None
    return Curve(method=of.method, points=tuple(_point(of, n) for n in range(1, of.calls + 1)))


def _point(of: Ballots, calls: int) -> Point:
    right = accuracy((one, of.after(one, calls)) for one in of.rows)
    assert right is not None  # there are rows
    amounts = {
        measure: mean([of.spent(one, calls, measure) for one in of.rows])
        for measure in ("calls", *COSTS)
    }
    return Point(
        votes=calls,
        accuracy=right,
        calls=amounts["calls"] or 0.0,
        tokens=amounts["tokens"],
        output_tokens=amounts["output tokens"],
        usd=amounts["dollars"],
    )
