"""What replayed episodes say: means with intervals, and differences on the same questions.

Seeds are means over the draws of the same questions, so they are averaged first: the questions
are the sample, and intervals are over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas_mcp.core.intervals import Estimate, wilson
from atlas_mcp.replay.arrays import Floats
from atlas_mcp.replay.engine import Replayed

RESAMPLES = 5_000
_BLOCK = 250

POOLED = "all arms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A controller on an arm, as means per question; None is not recorded.

    `accuracy` has the Wilson interval over questions, `tokens` the bootstrap's. Latency is in
    tokens that must be written one after the other. `exhausted` is the share of the episodes that
    opened every branch that was recorded: with more to draw they might have ended otherwise.
    """

    controller: str
    arm: str
    questions: int
    episodes: int
    accuracy: Estimate
    tokens: Estimate | None
    latency: float | None
    usd: float | None
    calls: float
    probes: float
    abstained: float
    cut: float
    exhausted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A controller minus the first one, on the same questions, with bootstrap intervals."""

    controller: str
    baseline: str
    arm: str
    questions: int
    accuracy: Estimate
    tokens: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All scores in the order of the controllers, then arms; the pooled ones after the arms'."""

    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]


def table(replayed: Sequence[Replayed]) -> Table:
    """Score what was replayed, by arm and, where there are several, over all of them."""
    arms: dict[str, list[Replayed]] = {}
    for one in replayed:
        arms.setdefault(one.arm, []).append(one)
    groups = {name: [[one] for one in found] for name, found in arms.items()}
    if len(arms) > 1:
        groups[POOLED] = [list(same) for same in zip(*arms.values(), strict=True)]
    count = len(next(iter(groups.values())))
    return Table(
        scores=tuple(
            _score(arm, found[place]) for place in range(count) for arm, found in groups.items()
        ),
        differences=tuple(
            _difference(arm, found[place], found[0])
            for place in range(1, count)
            for arm, found in groups.items()
        ),
    )


def _score(arm: str, found: Sequence[Replayed]) -> Score:
    right = _by_question(found, "right")
    tokens = _by_question(found, "tokens")
    return Score(
        controller=found[0].controller,
        arm=arm,
        questions=len(right),
        episodes=sum(one.columns.right.size for one in found),
        accuracy=wilson(float(right.mean()), len(right)),
        tokens=_estimate(tokens),
        latency=_known(_by_question(found, "latency")),
        usd=_known(_by_question(found, "usd")),
        calls=float(_by_question(found, "calls").mean()),
        probes=float(_by_question(found, "probes").mean()),
        abstained=float(_by_question(found, "abstained").mean()),
        cut=float(_by_question(found, "cut").mean()),
        exhausted=float(_by_question(found, "exhausted").mean()),
    )


def _difference(arm: str, found: Sequence[Replayed], base: Sequence[Replayed]) -> Difference:
    accuracy = bootstrap(_by_question(found, "right") - _by_question(base, "right"))
    return Difference(
        controller=found[0].controller,
        baseline=base[0].controller,
        arm=arm,
        questions=len(_by_question(found, "right")),
        accuracy=accuracy,
        tokens=_estimate(_by_question(found, "tokens") - _by_question(base, "tokens")),
    )


def _by_question(found: Sequence[Replayed], column: str) -> Floats:
    """The mean of each question, over its seeds and then over the arms that have it."""
    means: dict[str, list[float]] = {}
    for one in found:
        values = getattr(one.columns, column).mean(axis=0)
        for question, value in zip(one.questions, values.tolist(), strict=True):
            means.setdefault(question, []).append(value)
    return np.array([sum(values) / len(values) for values in means.values()])


def _known(values: Floats) -> float | None:
    mean = float(values.mean())
    return None if np.isnan(mean) else mean


def _estimate(values: Floats) -> Estimate | None:
    return None if np.isnan(values).any() else bootstrap(values)


def bootstrap(values: Floats) -> Estimate:
    """The mean with its percentile bootstrap interval of 95 %, at least one value."""
    random = np.random.default_rng(0)
    means = np.concatenate(
        [
            values[random.integers(0, len(values), (_BLOCK, len(values)))].mean(axis=1)
            for _ in range(RESAMPLES // _BLOCK)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))
