"""One question answered by one method: through MCP, and so that it can go on after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import anyio.to_thread
from mcp.client import Client

from atlas_mcp.bench.methods.method import Method, Setup
from atlas_mcp.bench.rows import Spent
from atlas_mcp.discovery.loading import opened
from atlas_mcp.equivalence import canonical
from atlas_mcp.host import transcript
from atlas_mcp.host.conversation import Conversation
from atlas_mcp.host.orchestrator import Keep, Orchestrator, Outcome, Progress, Task, forget
from atlas_mcp.host.replies import dispatched
from atlas_mcp.host.running import run
from atlas_mcp.replay.state import Controller
from solvers.images import data_url
from solvers.types import AnswerKind, Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a method is given. `scope` keeps its evidence apart from that of all others."""

    text: str
    answer_kind: AnswerKind
    scope: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a method made of a question.

    `drawn` are the answers of its solver calls in the order of their dispatch, and `votes` the same
    as numbers, equal for answers that count as the same; None is a call without an answer.
    `solvers` and `own` are as in `rows.Row`, and so are `forced`, `missing` and `failed`.
    """

    answer: str | None
    because: str
    drawn: tuple[str | None, ...]
    votes: tuple[int | None, ...]
    solvers: Spent
    own: Spent
    forced: bool
    missing: int
    failed: int
    seconds: float | None


_SCOPE_CHARS = 160
"""A server cuts longer scopes than 200, and another start is given a longer one."""


def scope(*parts: str) -> str:
    """What tells evidence apart that must not be shared, the run first."""
    text = "/".join(parts)
    if len(text) <= _SCOPE_CHARS:
        return text
    return f"{parts[0]}/{hashlib.sha256(text.encode()).hexdigest()}"


async def answer(
    client: Client,
    question: Question,
    method: Method,
    setup: Setup,
    folder: Path | None,
    *,
    replays: bool = False,
) -> Answered:
    """Let a method work on a question, from where an earlier run of it was cut off.

    `setup` is what the method has on any question. Where it stands is kept in `folder` after each
    step, and stays there as a record. Without a folder nothing is kept, and it starts anew.

    Raises:
        BudgetError: the server's caps allow no call at all.
        RefusedError: the server refused the first call, or the conclusion.
        SetupError: the method's own model cannot be used, or its controller not be fenced in.
        BadRequestError: its controller is none.
    """
    start = _Start(scope=question.scope)
    if folder is not None:
        restarts = replays and not method.thinks
        start = await anyio.to_thread.run_sync(_start, question, folder, restarts)
    task = Task(
        text=question.text,
        answer_kind=question.answer_kind,
        scope=start.scope,
        max_calls=method.calls,
        attachments=tuple(data_url(one) for one in question.attachments),
    )
    async with _controller(method) as controller:
        orchestrator = method.make(
            replace(
                setup,
                answer_kind=question.answer_kind,
                attachments=question.attachments,
                controller=controller,
                talk=start.talk,
            )
        )
        keep: Keep = forget
        if start.path is not None:
            # The record is never marked as ended: who asks again is given the same end for nothing.
            made_by = {"method": method.name}
            keep = transcript.Transcript(
                start.path, task, made_by=made_by, talk=lambda: _talk(orchestrator)
            ).keep
        outcome = await run(client, task, orchestrator, progress=start.progress, keep=keep)
    return await _answered(client, question, outcome, replays)


def _controller(method: Method) -> AbstractAsyncContextManager[Controller | None]:
    return nullcontext() if method.controller is None else opened(method.controller)


def _talk(orchestrator: Orchestrator) -> Conversation | None:
    """The conversation of an orchestrator that has one."""
    talk: Conversation | None = getattr(orchestrator, "talk", None)
    return talk


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    scope: str
    path: Path | None = None
    progress: Progress | None = None
    talk: Conversation | None = None


def _start(question: Question, folder: Path, restarts: bool) -> _Start:
    """Where a question stands, or a scope of its own for a new start.

    A call that was lost in a kill takes its draw with it. A pool has no draw to replace it, and
    costs nothing, so what was cut off in the middle of its calls `restarts` from the beginning,
    unless a model of the method's own has been paid for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in count(1):
        scope = question.scope if attempt == 1 else f"{question.scope}/{attempt}"
        name = hashlib.sha256(json.dumps([scope, question.text]).encode()).hexdigest()[:24]
        path = folder / f"{name}.json"
        if not path.exists():
            return _Start(scope=scope, path=path)
        before = transcript.read(path)
        if not (restarts and before.progress.outstanding):
            return _Start(scope=scope, path=path, progress=before.progress, talk=before.talk)
    raise AssertionError("there is always a further attempt")


async def _answered(
    client: Client, question: Question, outcome: Outcome, replays: bool
) -> Answered:
    drawn = dispatched(outcome.evidence)
    missing = sum(one.unrecorded for one in drawn)
    answers = [one.answer for one in drawn]
    return Answered(
        answer=outcome.answer,
        because=outcome.because,
        drawn=tuple(answers),
        votes=_votes(answers, question),
        solvers=await _spent(client, outcome, missing),
        own=Spent.on(outcome.purse.own),
        forced=outcome.forced,
        missing=missing,
        failed=outcome.ledger.failed - missing,
        seconds=None if replays else outcome.seconds,  # a replay takes no time of a model's
    )


async def _spent(client: Client, outcome: Outcome, missing: int) -> Spent:
    """What all solver calls took, those included that were lost in a kill."""
    if not outcome.problem_id:
        return Spent()
    reply = await client.read_resource(f"atlas://problems/{outcome.problem_id}")
    usage = json.loads(getattr(reply.contents[0], "text", "{}"))["usage"]
    return Spent(
        calls=outcome.ledger.asked - missing,
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        usd=outcome.ledger.spent.usd,
    )


def _votes(answers: Iterable[str | None], question: Question) -> tuple[int | None, ...]:
    seen: dict[str, int] = {}
    keys = (
        None if one is None else canonical(one, question.answer_kind, question.text)
        for one in answers
    )
    return tuple(None if key is None else seen.setdefault(key, len(seen)) for key in keys)
