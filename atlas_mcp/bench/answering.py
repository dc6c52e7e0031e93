"""One question answered by one method: through MCP, and so that it can go on after a kill."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio.to_thread
from mcp.client import Client

from atlas_mcp.bench.methods import Method
from atlas_mcp.host import transcript
from atlas_mcp.host.orchestrator import Explore, Outcome, Progress, Task
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

    `first` is the answer of its first call alone. `calls`, and what they spent, are all that were
    made, those included that failed or were lost in a kill; `missing` are draws that a pool does
    not hold. None is unknown.
    """

    answer: str | None
    first: str | None
    because: str
    calls: int
    missing: int
    failed: int
    tokens: int | None
    usd: float | None
    seconds: float | None
    problem_id: str


async def answer(
    client: Client,
    question: Question,
    method: Method,
    explore: Explore,
    folder: Path,
    *,
    replays: bool = False,
) -> Answered:
    """Let a method work on a question, from where an earlier run of it was cut off.

    Where it stands is kept in `folder` after each step, and stays there as a record.

    Raises:
        BudgetError: the server's caps allow no call at all.
        RefusedError: the server refused the first call, or the conclusion.
    """
    start = await anyio.to_thread.run_sync(_start, question, folder, replays)
    task = Task(
        text=question.text,
        answer_kind=question.answer_kind,
        scope=start.scope,
        max_calls=method.calls,
    )
    # The record is never marked as ended: whoever asks again is given the same end for nothing.
    record = transcript.Transcript(start.path, task, made_by={"method": method.name})
    outcome = await run(
        client,
        task,
        method.make(explore, question.answer_kind),
        progress=start.progress,
        keep=record.keep,
    )
    return await _answered(client, outcome, replays)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    scope: str
    path: Path
    progress: Progress | None


def _start(question: Question, folder: Path, replays: bool) -> _Start:
    """Where a question stands, or a scope of its own for a new start.

    A call that was lost in a kill takes its draw with it. A pool has no draw to replace it, and
    costs nothing, so what was cut off in the middle of its calls is replayed from the beginning.
    """
    for attempt in count(1):
        scope = question.scope if attempt == 1 else f"{question.scope}/{attempt}"
        name = hashlib.sha256(json.dumps([scope, question.text]).encode()).hexdigest()[:24]
        path = folder / f"{name}.json"
        progress = transcript.read(path).progress if path.exists() else None
        if not (replays and progress and progress.outstanding):
            return _Start(scope=scope, path=path, progress=progress)
    raise AssertionError("there is always a further attempt")


async def _answered(client: Client, outcome: Outcome, replays: bool) -> Answered:
    drawn = sorted(outcome.evidence, key=lambda one: one.draw)
    missing = sum((one.error or "").partition(":")[0] == MISS for one in drawn)
    ledger = outcome.ledger  # it counts calls that were lost in a kill too
    return Answered(
        answer=await _whole(client, outcome.answer, drawn),
        first=await _full(client, drawn[0]) if drawn else None,
        because=outcome.because,
        calls=ledger.asked - missing,
        missing=missing,
        failed=ledger.failed - missing,
        tokens=ledger.spent.tokens,
        usd=ledger.spent.usd,
        seconds=None if replays else outcome.seconds,  # a replay takes no time of a model's
        problem_id=outcome.problem_id,
    )


_CUT = re.compile(r"… \[(\d+) characters\]$")


async def _whole(client: Client, answer: str | None, drawn: Sequence[Capsule]) -> str | None:
    """The answer as a solver gave it, where the server's reply had it cut."""
    cut = _CUT.search(answer or "")
    if answer is None or cut is None:
        return answer
    for one in drawn:
        full = await _full(client, one)
        if full and len(full) == int(cut[1]) and full.startswith(answer[: cut.start()]):
            return full
    return answer


async def _full(client: Client, one: Capsule) -> str | None:
    if one.answer is None or not _CUT.search(one.answer):
        return one.answer
    reply = await client.read_resource(f"atlas://evidence/{one.id}")
    found: str | None = json.loads(getattr(reply.contents[0], "text", "{}")).get("answer")
    return found


def as_plain(answered: Answered) -> Mapping[str, Any]:
    """The same as JSON has it."""
    return {name: getattr(answered, name) for name in Answered.__slots__}
