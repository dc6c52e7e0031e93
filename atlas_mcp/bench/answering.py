"""One question answered by one method: through MCP, and so that it can go on after a kill."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.client import Client

from atlas_mcp.bench.methods import Method
from atlas_mcp.host import transcript
from atlas_mcp.host.orchestrator import Explore, Outcome, Task
from atlas_mcp.host.replies import Capsule
from atlas_mcp.host.running import run
from solvers.types import AnswerKind

MISS = "recording_miss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a method is given. `scope` keeps its evidence apart from that of all others."""

    text: str
    answer_kind: AnswerKind
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a method made of a question.

    `first` is the answer of its first call alone. `calls` were answered by a solver or failed
    there, `missing` are draws that a pool does not hold. None is unknown.
    """

    answer: str | None
    first: str | None
    because: str
    calls: int
    missing: int
    failed: int
    tokens: int | None
    usd: float | None
    seconds: float
    problem_id: str


async def answer(
    client: Client, question: Question, method: Method, explore: Explore, folder: Path
) -> Answered:
    """Let a method work on a question, from where an earlier run of it was cut off.

    Where it stands is kept in `folder` after each step, and stays there as a record.

    Raises:
        BudgetError: the server's caps allow no call at all.
        RefusedError: the server refused the first call, or the conclusion.
    """
    path = folder / f"{hashlib.sha256(f'{question}'.encode()).hexdigest()[:24]}.json"
    task = Task(
        text=question.text,
        answer_kind=question.answer_kind,
        scope=question.scope,
        max_calls=method.calls,
    )
    before = transcript.read(path) if path.exists() else None
    # The record is never marked as ended: whoever asks again is given the same end for nothing.
    record = transcript.Transcript(path, task, made_by={"method": method.name})
    outcome = await run(
        client,
        task,
        method.make(explore, question.answer_kind),
        progress=before and before.progress,
        keep=record.keep,
    )
    return _answered(outcome)


def _answered(outcome: Outcome) -> Answered:
    drawn = sorted(outcome.evidence, key=lambda one: one.draw)
    paid = [one for one in drawn if not _missed(one)]
    spent = outcome.purse.solvers
    return Answered(
        answer=outcome.answer,
        first=drawn[0].answer if drawn else None,
        because=outcome.because,
        calls=len(paid),
        missing=len(drawn) - len(paid),
        failed=sum(one.status not in ("ok", "unparsed") for one in paid),
        tokens=spent.tokens,
        usd=spent.usd,
        seconds=outcome.seconds,
        problem_id=outcome.problem_id,
    )


def _missed(one: Capsule) -> bool:
    return (one.error or "").partition(":")[0] == MISS


def as_plain(answered: Answered) -> Mapping[str, Any]:
    """The same as JSON has it."""
    return {name: getattr(answered, name) for name in Answered.__slots__}
