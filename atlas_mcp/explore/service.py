"""`explore`, `collect` and `conclude`, without any protocol around them.

The service keeps the promises: evidence is committed before anyone hears of it, a draw is
never paid twice, caps are checked in the store's own transaction, and a solver is given
the problem and the choice and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio
from anyio.abc import TaskGroup

from atlas_mcp.core.errors import BadRequestError, BudgetError, NotFoundError, StoreError
from atlas_mcp.core.ports import Claim, EvidenceStore
from atlas_mcp.core.types import (
    Account,
    Call,
    Caps,
    Choice,
    Conclusion,
    Evidence,
    Problem,
)
from atlas_mcp.equivalence import same
from atlas_mcp.explore.budget import Budget, left
from atlas_mcp.explore.dispatch import Dispatcher, Ready
from atlas_mcp.explore.jobs import Job, Jobs, next_end
from atlas_mcp.explore.ledger import Ledger, Vote, count, majority_since
from atlas_mcp.strategies import named

log = logging.getLogger(__name__)

TICK_SECONDS = 2.0
POLL_SECONDS = 0.5
KEEP_SECONDS = 30.0
"""The longest pause before evidence is stored again that could not be stored."""

MAX_DRAWS = 8
CANCEL_SECONDS = 10.0
NO_CAPS = Caps()


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
    """Where a problem stands, and the evidence that this reply is about.

    `refusal` says why fewer calls were dispatched than were asked for.
    """

    problem: Problem
    evidence: tuple[Evidence, ...]
    pending: tuple[Call, ...]
    ledger: Ledger
    account: Account
    left: Caps
    refusal: str | None = None


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
        self, store: EvidenceStore, dispatcher: Dispatcher, budget: Budget, tasks: TaskGroup
    ) -> None:
        self.store = store
        self.dispatcher = dispatcher
        self.budget = budget
        self.listed: Callable[[str], Awaitable[None]] = _ignored
        """Called with the id of a problem that is new to the store."""
        self.changed: Callable[[str, str], Awaitable[None]] = _ignored
        """Called with (problem id, evidence id) after evidence has been stored."""
        self._jobs = Jobs(tasks)
        self._tasks = tasks
        self._closing = anyio.Event()

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
        allowance: Caps = NO_CAPS,
        watch: Watch = unwatched,
    ) -> Report:
        """Dispatch `draws` fresh solvers and report what has finished after `wait_seconds`.

        Evidence of the same choice that finished but never reached a host comes first and
        costs nothing, also where a cap lets no new call go. Calls still running at the end go
        on as jobs. When the caller is cancelled, the calls it started stop and what they
        found is kept.

        The evidence of the report is held for this caller until `delivered` or `undelivered`
        says what became of it. The problem is stored if it is new. The calls that this starts may
        cost no more than the `allowance` in all, at their worst.

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
            claim = await self._claim(ready, problem, choice, draws, allowance)
        started = [call.id for call in claim.new]
        ids = [*(one.id for one in claim.ready), *started]
        try:
            await self._wait(problem, ids, wait_seconds, watch)
            report = await self._report(problem, ids, claim.refusal)
        except BaseException as error:
            # Whoever asks again, even before the calls have stopped, is given what they found.
            await self._unhold(ids)
            if isinstance(error, anyio.get_cancelled_exc_class()):
                await self._cancel(started)
            raise
        await self._unhold([call.id for call in report.pending if call.id in ids])
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

        Calls of another process on the same store are waited for and stopped too.

        Without `evidence_ids` this is about all evidence of the problem.

        Raises:
            NotFoundError: an id names no evidence of this problem.
        """
        # In this order a call that ends in between is in both lists, and never in neither.
        running = [call.id for call in await self.store.pending(problem.id)]
        finished = [one.id for one in await self.store.evidence(problem.id)]
        known = list(dict.fromkeys([*finished, *running]))
        wanted = list(evidence_ids) if evidence_ids else known
        unknown = [one for one in wanted if one not in known]
        if unknown:
            raise NotFoundError(
                f"unknown evidence id {unknown[0][:60]!r} for this problem; "
                f"atlas://problems/{problem.id}/evidence lists them"
            )
        mine = {job.call.id for job in self._jobs.running(running)}
        elsewhere = [one for one in wanted if one in running and one not in mine]
        if cancel:
            await self._cancel(wanted)
            if elsewhere:
                await self.store.stop(elsewhere)
                await self._wait(problem, elsewhere, CANCEL_SECONDS, watch, elsewhere=True)
        else:
            await self._wait(problem, wanted, wait_seconds, watch, elsewhere=bool(elsewhere))
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

    async def delivered(self, evidence_ids: Sequence[str]) -> None:
        """Note that a host has been given this evidence."""
        with anyio.CancelScope(shield=True):
            await self.store.deliver(evidence_ids)

    async def undelivered(self, evidence_ids: Sequence[str]) -> None:
        """Let whoever asks next be given this evidence: it did not reach its host."""
        await self._unhold(evidence_ids)

    async def overview(self, problem: Problem) -> Report:
        """Where a problem stands, with all its evidence. Changes nothing."""
        evidence = await self.store.evidence(problem.id)
        return await self._report(problem, [one.id for one in evidence])

    async def _claim(
        self, ready: Ready, problem: Problem, choice: Choice, draws: int, allowance: Caps
    ) -> Claim:
        worst = ready.worst_case(problem, Call(problem_id=problem.id, choice=choice, draw=1))
        admit = self.budget.within(allowance)
        claim = await self.store.claim(problem.id, choice, draws, worst, admit)
        for call in claim.new:
            self._jobs.start(call, self._work(ready, problem, call))
        return claim

    def _work(self, ready: Ready, problem: Problem, call: Call) -> Callable[[Job], Awaitable[None]]:
        async def work(job: Job) -> None:
            found: list[Evidence] = []
            try:
                await self.dispatcher.run(
                    ready, problem, call, found.append, lambda: job.now("running")
                )
            finally:
                with anyio.CancelScope(shield=True):
                    for evidence in found:
                        await self._keep(job, evidence)

        return work

    async def _keep(self, job: Job, evidence: Evidence) -> None:
        """Store what was paid for, however long the store cannot be written."""
        pause = 0.5
        while True:
            try:
                kept = await self.store.finish(evidence)
                break
            except StoreError as error:
                log.error("evidence cannot be stored yet id=%s: %s", evidence.id, error)
                if self._closing.is_set():
                    return  # the next start marks the call lost
            job.now("waiting for the evidence store")
            with anyio.move_on_after(pause):
                await self._closing.wait()
            pause = min(2 * pause, KEEP_SECONDS)
        if not kept:
            log.error("evidence came after its call had been marked lost id=%s", evidence.id)
            return
        log.info(
            "explore finished id=%s solver=%s status=%s seconds=%.1f",
            evidence.id,
            evidence.call.choice.solver,
            evidence.status,
            evidence.seconds,
        )
        self._tasks.start_soon(self._announce, evidence)

    async def _announce(self, evidence: Evidence) -> None:
        try:
            await self.changed(evidence.call.problem_id, evidence.id)
        except Exception:  # who listens, and how well, must not touch the work
            log.exception("a change could not be announced id=%s", evidence.id)

    async def _unhold(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        try:
            with anyio.CancelScope(shield=True):
                await self.store.release(ids)
        except StoreError as error:
            log.error("evidence could not be released: %s", error)

    async def _cancel(self, ids: Collection[str]) -> None:
        with anyio.move_on_after(CANCEL_SECONDS, shield=True):
            await self._jobs.cancel(ids)

    async def heed_stops(self) -> None:
        """Stop the calls that somebody on the same store has asked to stop, for ever."""
        while True:
            await anyio.sleep(TICK_SECONDS)
            if not self._jobs.any_running():
                continue
            try:
                await self._cancel(await self.store.stops())
            except StoreError as error:
                log.error("the store could not be asked for calls to stop: %s", error)

    def close(self) -> None:
        """Stop all calls; what they found is stored, if the store can be written."""
        self._closing.set()
        self._tasks.cancel_scope.cancel()

    async def _wait(
        self,
        problem: Problem,
        ids: Collection[str],
        seconds: float,
        watch: Watch,
        *,
        elsewhere: bool = False,
    ) -> None:
        """Wait until these calls have ended; `elsewhere` if other processes run some of them."""
        begun = anyio.current_time()
        while True:
            jobs = self._jobs.running(ids)
            others = 0
            if elsewhere:
                mine = {job.call.id for job in jobs}
                pending = {call.id for call in await self.store.pending(problem.id)}
                others = len(pending.intersection(ids) - mine)
            if not jobs and not others:
                return
            passed = anyio.current_time() - begun
            await watch(_moment(jobs, others, len(ids), passed))
            if passed >= seconds:
                return
            tick = POLL_SECONDS if others else TICK_SECONDS
            await next_end(jobs, min(tick, seconds - passed))

    async def _report(
        self, problem: Problem, ids: Collection[str], refusal: BudgetError | None = None
    ) -> Report:
        # In this order a call that ends in between is in both lists, and never in neither.
        running = await self.store.pending(problem.id)
        evidence = await self.store.evidence(problem.id)
        finished = {one.id for one in evidence}
        pending = [call for call in running if call.id not in finished]
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
            refusal=None if refusal is None else str(refusal),
        )


@asynccontextmanager
async def open_explorer(
    store: EvidenceStore, dispatcher: Dispatcher, budget: Budget
) -> AsyncIterator[Explorer]:
    """Run the service. Leaving it stops all calls in flight and keeps what they found."""
    async with anyio.create_task_group() as tasks:
        explorer = Explorer(store, dispatcher, budget, tasks)
        tasks.start_soon(explorer.heed_stops)
        try:
            yield explorer
        finally:
            explorer.close()


async def _ignored(*_: str) -> None: ...


def _moment(jobs: list[Job], others: int, total: int, seconds: float) -> Moment:
    done = total - len(jobs) - others
    parts = [f"{done} of {total} done"]
    if jobs:
        oldest = min(jobs, key=lambda job: (job.doing == "queued", job.since))
        choice = oldest.call.choice
        since = f" {time.monotonic() - oldest.since:.0f} s" if oldest.doing == "running" else ""
        parts.append(f"{choice.solver}/{choice.effort}/{choice.strategy} {oldest.doing}{since}")
    if others:
        parts.append(f"{others} running in another server process")
    return Moment(done=done, total=total, seconds=seconds, line="; ".join(parts))


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
