"""Whether an answer is right, decided from the item alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from atlas_mcp.bench.suite import Item
from atlas_mcp.explore.equivalence import canonical, same
from solvers.recording import Recording

ENOUGH = 0.99
"""A graded score from here on counts as right."""


def grade(item: Item, answer: str | None) -> bool | None:
    """Whether the answer is right; None where nobody can say. No answer is wrong."""
    return _GRADERS[item.grading](item, answer) if answer is not None else False


def agreement(items: Iterable[Item], recordings: Iterable[Recording]) -> str | None:
    """How often our grading by gold and the recorded verdict agree; None if they always do."""
    by_gold = {one.id: one for one in items if one.grading == "gold"}
    judged = [
        grade(by_gold[row.question_id], row.answer) == row.correct
        for row in recordings
        if row.question_id in by_gold and row.correct is not None
    ]
    if all(judged):
        return None
    return (
        f"grading by the gold answer agrees with {sum(judged)} of {len(judged)} recorded verdicts "
        "of this arm; --grading recorded takes those"
    )


def _by_gold(item: Item, answer: str) -> bool | None:
    return same(answer, item.gold, item.answer_kind, item.text) if item.gold else None


def _by_record(item: Item, answer: str) -> bool | None:
    """The verdict on a recorded answer, or on one that means the same."""
    verdicts: Mapping[str, bool] = item.facts["verdicts"]
    if answer in verdicts:
        return verdicts[answer]
    key = canonical(answer, item.answer_kind, item.text)
    alike = (
        right
        for text, right in verdicts.items()
        if canonical(text, item.answer_kind, item.text) == key
    )
    return next(alike, None)


def _by_reasoning_gym(item: Item, answer: str) -> bool | None:
    from atlas_mcp.bench.suites.reasoning_gym import score

    return score(item.facts["entry"], answer) >= ENOUGH


_GRADERS: Mapping[str, Callable[[Item, Any], bool | None]] = {
    "gold": _by_gold,
    "recorded": _by_record,
    "reasoning-gym": _by_reasoning_gym,
}
