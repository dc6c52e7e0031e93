"""Evidence as a pool: what was found live becomes recorded answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atlas_mcp.core.cleaning import one_line
from atlas_mcp.core.ports import Label
from atlas_mcp.core.types import Evidence, Problem
from atlas_mcp.pools.gold import Gold
from solvers.recording import Question, Recording, write_pool

# A call that ended without a reply says nothing about what the solver would have answered.
_RESULTS = ("ok", "unparsed", "truncated", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRecord:
    """A problem with all that is stored about it."""

    problem: Problem
    evidence: Sequence[Evidence]
    labels: Mapping[str, Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an export holds. `graded` are the questions with a right answer, or with a label."""

    questions: int
    graded: int
    responses: int
    left_out: int


def export(records: Sequence[ProblemRecord], folder: Path, gold: Gold | None = None) -> Written:
    """Write records as a pool in `folder`, one row for each result.

    The arm's `model` is the name of the solver in the roster, so that a roster can replay the
    pool under the same names. Problems that differ in their scope alone are one question. Its
    right answer is that of `gold`, or one that is labelled so.
    """
    asked: dict[str, list[ProblemRecord]] = {}
    for record in records:
        asked.setdefault(replace(record.problem, scope="").id, []).append(record)
    questions = [_question(same, gold or {}) for same in asked.values()]
    recordings = [row for same in asked.values() for row in _recordings(same)]
    write_pool(folder, questions, recordings)
    total = sum(len(record.evidence) for record in records)
    labelled = {row.question_id for row in recordings if row.correct is not None}
    return Written(
        questions=len(questions),
        graded=sum(one.gold is not None or one.question_id in labelled for one in questions),
        responses=len(recordings),
        left_out=total - len(recordings),
    )


def _question(same: Sequence[ProblemRecord], gold: Gold) -> Question:
    problem = same[0].problem
    labelled = (
        one.answer
        for record in same
        for one in record.evidence
        if (label := record.labels.get(one.id)) and label.correct
    )
    return Question(
        question_id=problem.id,
        dataset="atlas",
        question=problem.text,
        gold=gold.get(one_line(problem.text)) or next(labelled, None),
        meta={"answer_kind": problem.answer_kind, "scope": problem.scope},
    )


def _recordings(same: Sequence[ProblemRecord]) -> Iterator[Recording]:
    """The results by choice and draw; those of a further scope follow."""
    before: Counter[str] = Counter()
    for record in same:
        last: dict[str, int] = {}
        for one in sorted(record.evidence, key=lambda e: (e.call.choice.id, e.call.draw)):
            choice, draw = one.call.choice.id, one.call.draw
            last[choice] = draw
            if one.status in _RESULTS:
                label = record.labels.get(one.id)
                yield _recording(one, label, same[0].problem.id, before[choice] + draw - 1)
        before.update(last)


def _recording(one: Evidence, label: Label | None, question_id: str, place: int) -> Recording:
    choice = one.call.choice
    return Recording(
        question_id=question_id,
        model=choice.solver,
        effort=choice.effort,
        strategy=choice.strategy,
        instruction=choice.instruction,
        sample_idx=place,
        answer=one.answer,
        correct=None if label is None else label.correct,
        input_tokens=one.usage.input_tokens,
        output_tokens=one.usage.output_tokens,
        reasoning_tokens=one.usage.reasoning_tokens,
        cost_usd=one.usd,
        text=one.text,
        approach=one.approach,
        reasoning=one.reasoning,
        confidence=one.confidence,
        seconds=one.seconds,
    )
