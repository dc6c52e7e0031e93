"""Scripts: what decides on a reply."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from solvers.fake.exchange import Reply, Said, Script
from solvers.fake.faults import Fault
from solvers.fake.sse import compact


def structured(answer: str, *, confidence: float = 0.9, reasoning: str = "It follows.") -> str:
    """The text of a structured answer, as `solvers.answer` reads it."""
    return compact(
        {
            "approach": "direct",
            "reasoning": reasoning,
            "answer": answer,
            "confidence": confidence,
        }
    )


def as_script(given: Script | Sequence[Said] | Said) -> Script:
    """The script itself, or one that says what a list holds in turn, again and again."""
    if callable(given):
        return given
    turns = cycle([given] if isinstance(given, str | Reply | Fault) else given)
    return lambda asked: next(turns)
