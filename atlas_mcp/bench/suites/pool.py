"""`pool:DIR`: any recorded pool (see `solvers.recording`), answered by one of its arms.

Item:     a question of the pool that the arm answered, graded by its gold answer; where there
          is none, by the verdict that was recorded with the answer.
Solver:   an arm, named by its model, tool, effort and strategy. A draw is a recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas_mcp.bench.grading import agreement
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.pools.arms import by_arm
from solvers.recording import Pool, Question, Recording, read_pool
from solvers.replay import folded
from solvers.types import ANSWER_KINDS


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    if not argument:
        raise BadRequestError("name the folder of the pool: pool:DIR")
    pool = read_pool(Path(argument).expanduser())
    arms = by_arm(pool.recordings)
    if not arms:
        raise BadRequestError(f"the pool {argument} keeps no answers, so none can be replayed")
    chosen = solver or max(arms, key=lambda name: len(arms[name]))
    if chosen not in arms:
        raise BadRequestError(f"the pool {argument} has no arm {chosen!r}: {_listed(arms)}")
    rows: dict[str, list[Recording]] = {}
    for row in arms[chosen]:
        rows.setdefault(row.question_id, []).append(row)
    asked, notes = _askable(pool, rows)
    items = tuple(_item(one, rows[one.question_id], grading) for one in asked)
    if not solver and len(arms) > 1:
        notes.append(f"{len(arms)} arms; the one with most answers was taken: {chosen}")
    if told := agreement(items, arms[chosen]):
        notes.append(told)
    return Suite(
        items=items,
        arms={name: tuple(found) for name, found in arms.items()},
        solver=chosen,
        notes=tuple(notes),
    )


def _listed(arms: Mapping[str, list[Recording]]) -> str:
    most = sorted(arms, key=lambda name: len(arms[name]), reverse=True)
    return ", ".join(most[:20]) + (f", … ({len(arms)} in all)" if len(most) > 20 else "")


def _askable(pool: Pool, answered: Container[str]) -> tuple[list[Question], list[str]]:
    """The questions that the arm answered and that a replay can tell apart by their text."""
    texts = Counter(folded(one.question) for one in pool.questions)
    found = [one for one in pool.questions if one.question_id in answered]
    alone = [one for one in found if texts[folded(one.question)] == 1]
    if not alone:
        raise BadRequestError("no question of this pool can be asked: their texts are all alike")
    notes = []
    if missing := len(pool.questions) - len(found):
        notes.append(f"{missing} questions left out: this arm has no recorded answer to them")
    if alike := len(found) - len(alone):
        notes.append(f"{alike} questions left out: others of the pool have the same text")
    return alone, notes


def _item(question: Question, rows: Sequence[Recording], grading: str | None) -> Item:
    recorded = grading == "recorded" or (grading is None and not question.gold)
    kind: Any = question.meta.get("answer_kind")
    return Item(
        id=question.question_id,
        text=question.question,
        gold=question.gold or "",
        answer_kind=kind if kind in ANSWER_KINDS else "auto",
        grading="recorded" if recorded else "gold",
        facts={"verdicts": _verdicts(rows)} if recorded else {},
    )


def _verdicts(rows: Sequence[Recording]) -> dict[str, bool]:
    return {
        row.answer: row.correct
        for row in rows
        if row.answer is not None and row.correct is not None
    }
