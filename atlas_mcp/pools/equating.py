"""Answers that count as the same made the same text, for whoever compares texts alone."""

from __future__ import annotations

from dataclasses import replace

from atlas_mcp.equivalence import canonical
from solvers.recording import Pool, Question
from solvers.types import ANSWER_KINDS, AnswerKind


def equated(pool: Pool) -> Pool:
    """The pool with one text for each answer: the right one as gold has it, else the first.

    Only of questions that say what kind of answer they want, as exported evidence does; the
    texts of all others stay as they are.
    """
    asked = {one.question_id: (one, kind) for one in pool.questions if (kind := _kind(one))}
    known: dict[tuple[str, str], str] = {}

    def text(question_id: str, answer: str) -> str:
        if question_id not in asked:
            return answer
        one, kind = asked[question_id]
        return known.setdefault((question_id, canonical(answer, kind, one.question)), answer)

    for one in pool.questions:
        if one.gold is not None:
            text(one.question_id, one.gold)
    recordings = (
        replace(
            row,
            answer=None if row.answer is None else text(row.question_id, row.answer),
            probes=row.probes and tuple(text(row.question_id, one) for one in row.probes),
        )
        for row in pool.recordings
    )
    return replace(pool, recordings=tuple(recordings)) if asked else pool


def _kind(question: Question) -> AnswerKind | None:
    kind = question.meta.get("answer_kind")
    return next((one for one in ANSWER_KINDS if one == kind), None)
