"""`explore`, `collect` and `conclude`, without any protocol around them.

The service keeps the promises: evidence is committed before anyone hears of it, a draw is
never paid twice, caps are checked in the store's own transaction, and a solver is given
the problem and the choice and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio

from atlas_mcp.core.errors import BadRequestError, NotFoundError, StoreError
from atlas_mcp.core.ports import EvidenceStore
from atlas_mcp.core.types import (
    Account,
    Call,
    Caps,
    Choice,
    Conclusion,
    Evidence,
    Problem,
)
from atlas_mcp.explore.budget import Budget, left
from atlas_mcp.explore.dispatch import Dispatcher, Ready
from atlas_mcp.explore.equivalence import same
from atlas_mcp.explore.jobs import Job, Jobs
from atlas_mcp.explore.ledger import Ledger, Vote, count, majority_since
from atlas_mcp.strategies import named

log = logging.getLogger(__name__)

TICK_SECONDS = 2.0
POLL_SECONDS = 0.5
MAX_DRAWS = 8
CANCEL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a waiting caller is told while calls run."""

    done: int
    total: int
    seconds: float
    line: str


Watch = Callable[[Moment], Awaitable[None]]


async def unwatched(moment: Moment) -> None:
    """A `Watch` that looks away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where a problem stands, and the evidence that this reply is about."""

    problem: Problem
    evidence: tuple[Evidence, ...]
    pending: tuple[Call, ...]
    ledger: Ledger
    account: Account
    left: Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """What a problem took, told when the host concludes."""

    conclusion: Conclusion
    report: Report
    majority_since: int | None
    agrees_with_leader: bool | None


class Explorer:
    """The service. Use `open_explorer`."""

    def __init__(
        self, store: EvidenceStore, dispatcher: Dispatcher, budget: Budget, jobs: Jobs
    ) -> None:
        self.store = store
        self.dispatcher = dispatcher
        self.budget = budget
        self.listed: Callable[[str], Awaitable[None]] = _ignored
        """Called with the id of a problem that is new to the store."""
        self.changed: Callable[[str, str], Awaitable[None]] = _ignored
        """Called with (problem id, evidence id) after evidence has been stored."""
        self._jobs = jobs
        # Evidence that this process is about to deliver or has just delivered: nobody else's.
        self._held: set[str] = set()

    async def problem(self, problem_id: str) -> Problem:
        """The stored problem.

        Raises:
            NotFoundError: no problem goes by that id.
        """
        found = await self.store.problem(problem_id)
        if found is None:
            raise NotFoundError(
                f"unknown problem_id {problem_id[:60]!r}: pass the text in `problem` on the first "
                "call and use the problem_id of the reply; atlas://index lists what is stored"
            )
        return found

    async def explore(
        self,
        problem: Problem,
        choice: Choice,
        *,
        draws: int = 1,
        wait_seconds: float = 45.0,
        watch: Watch = unwatched,
    ) -> Report:
        """Dispatch `draws` fresh solvers and report what has finished after `wait_seconds`.

        Evidence of the same choice that finished but never reached a host comes first and
        costs nothing. Calls still running at the end go on as jobs. When the caller is
        cancelled, the calls it started stop and what they found is kept.

        The problem is stored if it is new.

        Raises:
            BadRequestError: the problem is empty, unknown solver or strategy, draws out of range.
            SetupError: the solver cannot work on this machine yet.
            BudgetError: a cap would be passed; nothing was dispatched.
        """
        if not 1 <= draws <= MAX_DRAWS:
            raise BadRequestError(f"draws must be from 1 to {MAX_DRAWS}, not {draws}")
        if not problem.text.strip():
            raise BadRequestError(
                "the problem is empty: pass its full text in `problem`, or a problem_id"
            )
        named(choice.strategy)
        ready = await self.dispatcher.ready(choice.solver)
        choice = replace(choice, solver=ready.spec.name)
        if await self.store.put_problem(problem):
            await self.listed(problem.id)
        # Shielded: a reservation without its job would hold budget for ever.
        with anyio.CancelScope(shield=True):
            ids, started = await self._claim(ready, problem, choice, draws)
        try:
            await self._wait(ids, wait_seconds, watch)
            report = await self._report(problem, ids)
        except BaseException as error:
            # Whoever asks again, even before the calls have stopped, is given what they found.
            self._held.difference_update(ids)
            if isinstance(error, anyio.get_cancelled_exc_class()):
                with anyio.move_on_after(CANCEL_SECONDS, shield=True):
                    await self._jobs.cancel(started)
            raise
        self._held.difference_update(call.id for call in report.pending)
        return report

    async def collect(
        self,
        problem: Problem,
        *,
        evidence_ids: Collection[str] | None = None,
        wait_seconds: float = 45.0,
        cancel: bool = False,
        watch: Watch = unwatched,
    ) -> Report:
        """Wait for running calls, or stop them, and report their evidence.

        Without `evidence_ids` this is about all evidence of the problem.

        Raises:
            NotFoundError: an id names no evidence of this problem.
        """
        finished = [one.id for one in await self.store.evidence(problem.id)]
        running = [call.id for call in await self.store.pending(problem.id)]
        known = list(dict.fromkeys([*finished, *running]))
        wanted = list(evidence_ids) if evidence_ids else known
        unknown = [one for one in wanted if one not in known]
        if unknown:
            raise NotFoundError(
                f"unknown evidence id {unknown[0][:60]!r} for this problem; "
                f"atlas://problems/{problem.id}/evidence lists them"
            )
        if cancel:
            await self._jobs.cancel(wanted)
        else:
            await self._wait(wanted, wait_seconds, watch, problem=problem)
        return await self._report(problem, wanted)

    async def conclude(self, conclusion: Conclusion) -> StopReport:
        """Record the host's conclusion and report what it took.

        Raises:
            BadRequestError: neither an answer nor an abstention.
            NotFoundError: unknown problem, or evidence ids of another problem.
        """
        problem = await self.problem(conclusion.problem_id)
        if not conclusion.abstain and not conclusion.answer.strip():
            raise BadRequestError("pass the final `answer`, or abstain=true if there is none")
        report = await self._report(problem, ())
        evidence = await self.store.evidence(problem.id)
        known = {one.id for one in evidence} | {call.id for call in report.pending}
        for one in conclusion.evidence_ids:
            if one not in known:
                raise NotFoundError(f"unknown evidence id {one[:60]!r} for this problem")
        await self.store.conclude(conclusion)
        votes = [_vote(one) for one in evidence]
        return StopReport(
            conclusion=conclusion,
            report=report,
            majority_since=majority_since(votes, problem.answer_kind, problem.text),
            agrees_with_leader=_agrees(conclusion, report.ledger, problem),
        )

    async def delivered(self, report: Report) -> None:
        """Note that a host has been given this report. Call it once the reply is on its way."""
        ids = [one.id for one in report.evidence]
        try:
            with anyio.CancelScope(shield=True):
                await self.store.deliver(ids)
        finally:
            self._held.difference_update(ids)

    async def overview(self, problem: Problem) -> Report:
        """Where a problem stands, with all its evidence. Changes nothing."""
        evidence = await self.store.evidence(problem.id)
        return await self._report(problem, [one.id for one in evidence])

    async def _claim(
        self, ready: Ready, problem: Problem, choice: Choice, draws: int
    ) -> tuple[list[str], list[str]]:
        worst = ready.worst_case(problem, Call(problem_id=problem.id, choice=choice, draw=1))
        claim = await self.store.claim(
            problem.id, choice, draws, worst, self.budget.admit, held=frozenset(self._held)
        )
        started = [call.id for call in claim.new]
        ids = [*(one.id for one in claim.ready), *started]
        self._held.update(ids)
        for call in claim.new:
            self._jobs.start(call, self._work(ready, problem, call))
        return ids, started

    def _work(self, ready: Ready, problem: Problem, call: Call) -> Callable[[Job], Awaitable[None]]:
        async def work(job: Job) -> None:
            found: list[Evidence] = []

            def begin() -> None:
                job.working, job.since = True, time.monotonic()

            try:
                await self.dispatcher.run(ready, problem, call, found.append, begin)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._keep(found)

        return work

    async def _keep(self, found: list[Evidence]) -> None:
        for evidence in found:
            try:
                await self.store.finish(evidence)
            except StoreError:  # the job ends; the call stays pending until the next start
                log.exception("evidence could not be stored id=%s", evidence.id)
                continue
            log.info(
                "explore finished id=%s solver=%s status=%s seconds=%.1f",
                evidence.id,
                evidence.call.choice.solver,
                evidence.status,
                evidence.seconds,
            )
            await self.changed(evidence.call.problem_id, evidence.id)

    async def _wait(
        self, ids: Collection[str], seconds: float, watch: Watch, problem: Problem | None = None
    ) -> None:
        begun = anyio.current_time()

        async def tick(jobs: list[Job]) -> None:
            await watch(_moment(jobs, len(ids), anyio.current_time() - begun))

        await self._jobs.wait(ids, seconds, TICK_SECONDS, tick)
        if problem is None:
            return
        # What is still pending now runs in another process on the same store.
        while anyio.current_time() - begun < seconds:
            elsewhere = [c.id for c in await self.store.pending(problem.id) if c.id in ids]
            if not elsewhere:
                return
            line = f"{len(elsewhere)} running in another server process"
            passed = anyio.current_time() - begun
            await watch(
                Moment(done=len(ids) - len(elsewhere), total=len(ids), seconds=passed, line=line)
            )
            await anyio.sleep(min(POLL_SECONDS, max(seconds - passed, 0)))

    async def _report(self, problem: Problem, ids: Collection[str]) -> Report:
        evidence = await self.store.evidence(problem.id)
        finished = {one.id for one in evidence}
        pending = [c for c in await self.store.pending(problem.id) if c.id not in finished]
        account = await self.store.account(problem.id)
        wanted = {id_: place for place, id_ in enumerate(ids)}
        mine = sorted((one for one in evidence if one.id in wanted), key=lambda e: wanted[e.id])
        votes = [*(_vote(one) for one in evidence), *(_pending_vote(call) for call in pending)]
        return Report(
            problem=problem,
            evidence=tuple(mine),
            pending=tuple(pending),
            ledger=count(votes, problem.answer_kind, problem.text),
            account=account,
            left=left(self.budget.problem, account),
        )


@asynccontextmanager
async def open_explorer(
    store: EvidenceStore, dispatcher: Dispatcher, budget: Budget
) -> AsyncIterator[Explorer]:
    """Run the service. Leaving it stops all calls in flight and keeps what they found."""
    async with anyio.create_task_group() as tasks:
        yield Explorer(store, dispatcher, budget, Jobs(tasks))
        tasks.cancel_scope.cancel()


async def _ignored(*_: str) -> None: ...


def _moment(jobs: list[Job], total: int, seconds: float) -> Moment:
    done = total - len(jobs)
    oldest = min(jobs, key=lambda job: (not job.working, job.since))
    choice = oldest.call.choice
    doing = f"running {time.monotonic() - oldest.since:.0f} s" if oldest.working else "queued"
    line = f"{done} of {total} done; {choice.solver}/{choice.effort}/{choice.strategy} {doing}"
    return Moment(done=done, total=total, seconds=seconds, line=line)


def _vote(one: Evidence) -> Vote:
    return Vote(
        id=one.id,
        status=one.status,
        answer=one.answer,
        solver=one.call.choice.solver,
        approach=one.approach,
        confidence=one.confidence,
    )


def _pending_vote(call: Call) -> Vote:
    return Vote(
        id=call.id,
        status="pending",
        answer=None,
        solver=call.choice.solver,
        approach=None,
        confidence=None,
    )


def _agrees(conclusion: Conclusion, ledger: Ledger, problem: Problem) -> bool | None:
    if conclusion.abstain or not ledger.groups:
        return None
    leader = ledger.groups[0].answer
    return same(conclusion.answer, leader, problem.answer_kind, problem.text)
