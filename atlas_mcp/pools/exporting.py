"""Evidence as a pool: what was found live becomes recorded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atlas_mcp.core.ports import Label
from atlas_mcp.core.types import Evidence, Problem
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
    """What an export holds."""

    questions: int
    responses: int
    left_out: int


def export(records: Sequence[ProblemRecord], folder: Path) -> Written:
    """Write records as a pool in `folder`, one row for each result.

    The arm's `model` is the name of the solver in the roster, so that a roster can replay the
    pool under the same names.
    """
    questions = [_question(record) for record in records]
    recordings = [
        _recording(one, record.labels.get(one.id))
        for record in records
        for one in sorted(record.evidence, key=lambda e: (e.call.choice.id, e.call.draw))
        if one.status in _RESULTS
    ]
    write_pool(folder, questions, recordings)
    total = sum(len(record.evidence) for record in records)
    return Written(
        questions=len(questions), responses=len(recordings), left_out=total - len(recordings)
    )


def _question(record: ProblemRecord) -> Question:
    right = next((id_ for id_, label in record.labels.items() if label.correct), None)
    gold = next((one.answer for one in record.evidence if one.id == right), None)
    problem = record.problem
    return Question(
        question_id=problem.id,
        dataset="atlas",
        question=problem.text,
        gold=gold,
        meta={"answer_kind": problem.answer_kind, "scope": problem.scope},
    )


def _recording(one: Evidence, label: Label | None) -> Recording:
    choice = one.call.choice
    return Recording(
        question_id=one.call.problem_id,
        model=choice.solver,
        effort=choice.effort,
        strategy=choice.strategy,
        instruction=choice.instruction,
        sample_idx=one.call.draw - 1,
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
