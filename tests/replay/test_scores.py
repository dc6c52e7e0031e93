"""Means over seeds, intervals over questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_mcp.core.intervals import wilson
from atlas_mcp.replay.engine import Replayed
from atlas_mcp.replay.part import Columns
from atlas_mcp.replay.scores import POOLED, bootstrap, table

RIGHT = np.array([[1, 0, 1, 1], [1, 0, 0, 1]], bool)
"""Two seeds of four questions."""


def replayed(controller: str, arm: str, right: np.ndarray = RIGHT, tokens: float = 10) -> Replayed:
    counts = np.ones(right.shape, int)
    return Replayed(
        controller=controller,
        arm=arm,
        questions=tuple(f"q{n}" for n in range(right.shape[1])),
        columns=Columns(
            right=right,
            abstained=~right,
            cut=np.zeros_like(right),
            exhausted=right,
            tokens=counts * tokens,
            latency=counts * tokens,
            usd=counts * np.nan,
            calls=counts,
            probes=counts,
            rounds=counts,
        ),
    )


def test_an_arm_is_scored_over_its_questions() -> None:
    (score,) = table([replayed("a", "m")]).scores
    assert (score.questions, score.episodes) == (4, 8)
    assert score.accuracy == wilson(0.625, 4)
    assert score.usd is None
    assert score.abstained == 0.375
    assert score.exhausted == 0.625


def test_several_arms_are_pooled_by_question() -> None:
    found = table([replayed("a", "m"), replayed("a", "n", ~RIGHT, tokens=30)]).scores
    assert [one.arm for one in found] == ["m", "n", POOLED]
    pooled = found[-1]
    assert (pooled.questions, pooled.episodes) == (4, 16)
    assert pooled.accuracy.value == 0.5
    assert pooled.tokens is not None
    assert pooled.tokens.value == 20


def test_differences_are_paired_by_question() -> None:
    better = RIGHT.copy()
    better[:, 1] = True
    found = table([replayed("a", "m"), replayed("b", "m", better, tokens=7)]).differences
    (one,) = found
    assert (one.controller, one.baseline, one.arm) == ("b", "a", "m")
    assert one.accuracy.value == 0.25
    assert one.accuracy.low == 0.0
    assert one.tokens is not None
    assert (one.tokens.low, one.tokens.high) == (-3, -3)


def test_what_was_not_recorded_has_no_score() -> None:
    unknown = replayed("a", "m")
    tokens = np.full(RIGHT.shape, np.nan)
    unknown = replace(unknown, columns=replace(unknown.columns, tokens=tokens, latency=tokens))
    (score,) = table([unknown]).scores
    assert (score.tokens, score.latency) == (None, None)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_the_bootstrap_stays_within_the_values(values: list[float]) -> None:
    found = bootstrap(np.array(values))
    slack = 1e-9 * max(abs(one) for one in values)
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert bootstrap(np.array(values)) == found


def test_the_bootstrap_is_as_wide_as_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = bootstrap(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.1)
    assert found.low < found.value < found.high
