"""Made-up branches, small enough to reckon by hand, and random ones for properties."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from atlas_mcp.replay.arrays import Recorded, record
from atlas_mcp.replay.draws import Draw
from atlas_mcp.replay.environment import Episode, Rules
from solvers.recording import Pool, Question, Recording

INTERVAL = 500


def episode(*draws: Draw, rules: Rules | None = None) -> Episode:
    """One question with these branches, in this order, of one arm."""
    return Episode([draws], INTERVAL, rules or Rules())


def draw(tokens: float, *readings: int | None, usd: float = float("nan")) -> Draw:
    """A branch that answers so after each step; the last reading is its answer."""
    return Draw(tokens, usd, readings)


def pool_of(
    rows: Sequence[Sequence[Recording]], golds: Sequence[str], probe_freq: int | None = INTERVAL
) -> Pool:
    """A pool with the recordings of each question."""
    meta = {} if probe_freq is None else {"probe_freq": probe_freq}
    return Pool(
        questions=tuple(
            Question(question_id=f"q{number}", question="?", gold=gold, meta=meta)
            for number, gold in enumerate(golds)
        ),
        recordings=tuple(row for question in rows for row in question),
    )


@st.composite
def recordeds(draw: st.DrawFn, arms: int = 1) -> Recorded:
    """A random pool: ragged, with missing answers and, sometimes, without tokens or probes."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    probed, counted, priced = (draw(st.booleans()) for _ in range(3))
    letters = "abcdef"[: draw(st.integers(1, 6))]

    def recording(question: int, arm: int, sample: int) -> Recording:
        probes = tuple(chance.choice(letters) for _ in range(chance.randint(0, 12) * probed))
        spare = chance.randint(-400, 900) if probes else chance.randint(1, 900)
        return Recording(
            question_id=f"q{question}",
            model=f"m{arm}",
            sample_idx=sample,
            answer=None if chance.random() < 0.1 else chance.choice(letters),
            output_tokens=max(len(probes) * INTERVAL + spare, 1) if counted else None,
            cost_usd=chance.random() if priced else None,
            probes=probes or None,
        )

    questions = draw(st.integers(1, 4))
    rows = [
        [
            recording(question, arm, sample)
            for arm in range(arms)
            for sample in range(chance.randint(1, 20))
        ]
        for question in range(questions)
    ]
    return record(pool_of(rows, [chance.choice(letters) for _ in range(questions)]))
