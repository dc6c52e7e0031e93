"""What a controller reached at each place of its dial, and the one number that rounds compete in.

That number is the area under the frontier: the best mean accuracy that the controller reaches
within a cost, or one branch alone, averaged over the logarithm of costs from that of one branch
to that of the dearest self-consistency. Or it is the same at one cost. The questions are the
sample: intervals are percentiles of a bootstrap over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from atlas_mcp.core.intervals import Estimate
from atlas_mcp.replay.arrays import Floats
from atlas_mcp.replay.engine import Replayed

RESAMPLES = 2_000

Unit = Literal["tokens", "calls"]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Shares of right answers and costs, by question and place of the dial."""

    dials: tuple[float, ...]
    right: Floats
    cost: Floats

    @property
    def frontier(self) -> list[tuple[float, float, float]]:
        """Dial, share of right answers and cost, as means over the questions."""
        right, cost = self.right.mean(axis=0).tolist(), self.cost.mean(axis=0).tolist()
        return list(zip(self.dials, right, cost, strict=True))

    def only(self, questions: Sequence[int]) -> Points:
        places = list(questions)
        return Points(self.dials, self.right[places], self.cost[places])

    def as_json(self) -> dict[str, Any]:
        return {"dials": self.dials, "right": self.right.tolist(), "cost": self.cost.tolist()}

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Points:
        return cls(tuple(found["dials"]), np.array(found["right"]), np.array(found["cost"]))


def points(
    replayed: Sequence[Replayed], dials: Sequence[float], questions: Sequence[str], unit: Unit
) -> Points:
    """Put together what was replayed dial by dial, arm by arm: means over seeds, then arms."""
    arms = len(replayed) // len(dials)
    blocks = [replayed[first : first + arms] for first in range(0, len(replayed), arms)]
    return Points(
        tuple(dials),
        np.column_stack([_by_question(block, "right", questions) for block in blocks]),
        np.column_stack([_by_question(block, unit, questions) for block in blocks]),
    )


def _by_question(block: Sequence[Replayed], column: str, questions: Sequence[str]) -> Floats:
    means: dict[str, list[float]] = {one: [] for one in questions}
    for found in block:
        values = getattr(found.columns, column).mean(axis=0).tolist()
        for question, value in zip(found.questions, values, strict=True):
            means[question].append(value)
    return np.array([sum(values) / len(values) for values in means.values()])


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What rounds compete in: the area from `low` to `high`, or the accuracy within `at`.

    `floor` is how often one branch alone is right, by question.
    """

    unit: Unit
    low: float
    high: float
    floor: Floats
    at: float | None = None

    @property
    def text(self) -> str:
        if self.at is not None:
            return f"best accuracy within {self.at:,.0f} {self.unit}"
        return f"area under the frontier from {self.low:,.0f} to {self.high:,.0f} {self.unit}"

    def score(self, found: Points, questions: Sequence[int]) -> Estimate:
        """The score on some of the questions, with its interval."""
        return _estimate(self._resampled(found, questions))

    def value(self, found: Points, floor: Floats) -> float:
        """The score without an interval, on all questions of the points, whose floor is given."""
        right, cost = found.right.mean(axis=0), found.cost.mean(axis=0)
        return float(self._scores(right[None], cost[None], floor.mean(keepdims=True))[0])

    def gain(self, found: Points, over: Points, questions: Sequence[int]) -> Estimate:
        """The score minus that of another controller on the same questions."""
        return _estimate(self._resampled(found, questions) - self._resampled(over, questions))

    def _resampled(self, found: Points, questions: Sequence[int]) -> Floats:
        """The score on the questions themselves, then on resamples of them."""
        places = np.array(questions)
        random = np.random.default_rng(0)
        drawn = random.integers(0, len(places), (RESAMPLES, len(places)))
        chosen = places[np.vstack([np.arange(len(places)), drawn])]
        right, cost = found.right[chosen].mean(axis=1), found.cost[chosen].mean(axis=1)
        return self._scores(right, cost, self.floor[chosen].mean(axis=1))

    def _scores(self, right: Floats, cost: Floats, floor: Floats) -> Floats:
        order = np.argsort(cost, axis=1, kind="stable")
        right, cost = (np.take_along_axis(one, order, axis=1) for one in (right, cost))
        if self.at is not None:
            within = np.where(cost <= self.at, right, -np.inf)
            best: Floats = np.maximum(within.max(axis=1), floor)
            return best
        levels = np.maximum.accumulate(np.column_stack([floor, right]), axis=1)
        edges = np.log(np.clip(cost, self.low, self.high))
        first, last = (np.full((len(cost), 1), np.log(end)) for end in (self.low, self.high))
        widths = np.diff(np.hstack([first, edges, last]), axis=1)
        area: Floats = (levels * widths).sum(axis=1) / (np.log(self.high) - np.log(self.low))
        return area


def _estimate(values: Floats) -> Estimate:
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return Estimate(value=float(values[0]), low=float(low), high=float(high))
