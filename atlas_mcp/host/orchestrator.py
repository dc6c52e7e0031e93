"""The loop of the reference host: ask an orchestrator, explore, and conclude.

An orchestrator sees a `View` and returns a `Step`. The loop does the rest: it talks to the
server through MCP alone, holds the cap on calls, forces a conclusion when the orchestrator
does not come to one, and tells a `Watch` what happens.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mcp.client import Client
from mcp.types import CallToolResult

from atlas_mcp.core.errors import BudgetError
from atlas_mcp.host.replies import Capsule, Explored, Ledger, check, read_explored
from solvers.types import AnswerKind, Effort

SCOPE_META = "atlas-mcp/scope"
"""The request's `_meta` key under which a host names the scope of a problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explore:
    """Dispatch fresh solvers."""

    solver: str = "auto"
    effort: Effort = "medium"
    strategy: str = "direct"
    instruction: str | None = None
    draws: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Stop with an answer."""

    answer: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstain:
    """Stop without an answer."""

    because: str


Step = Explore | Answer | Abstain


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that an orchestrator decides on.

    `evidence` is what this run was given. `calls_left` is None without a cap; at 0 only
    `Answer` or `Abstain` will be taken. `refused` says why the budget stopped the last step,
    None if it did not: another choice may still fit, the same one will not be sent again.
    """

    problem: str
    evidence: tuple[Capsule, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    calls_left: int | None = None
    refused: str | None = None


class Orchestrator(Protocol):
    """Decides what to do next. It may be asked again after any of its steps."""

    @property
    def name(self) -> str: ...

    async def decide(self, view: View) -> Step: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem and the bounds within which it is worked on.

    `max_calls` caps solver calls, `wait_seconds` the wait in each call of a tool.
    """

    text: str
    answer_kind: AnswerKind = "auto"
    scope: str = ""
    max_calls: int | None = None
    wait_seconds: float = 45.0
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. `confidence` is the share of readable answers that agree with `answer`."""

    problem_id: str
    orchestrator: str
    answer: str | None
    because: str
    abstained: bool
    forced: bool
    confidence: float | None
    evidence: tuple[Capsule, ...]
    ledger: Ledger
    seconds: float
    steps: tuple[Mapping[str, Any], ...]


class Watch(Protocol):
    """Is told what happens during a run."""

    def dispatched(self, step: Explore) -> None: ...

    def progress(self, line: str) -> None: ...

    def found(self, capsule: Capsule) -> None: ...

    def counted(self, ledger: Ledger) -> None: ...

    def concluded(self, outcome: Outcome) -> None: ...


class Quiet:
    """A `Watch` that looks away."""

    def dispatched(self, step: Explore) -> None: ...

    def progress(self, line: str) -> None: ...

    def found(self, capsule: Capsule) -> None: ...

    def counted(self, ledger: Ledger) -> None: ...

    def concluded(self, outcome: Outcome) -> None: ...


async def run(
    client: Client, task: Task, orchestrator: Orchestrator, watch: Watch | None = None
) -> Outcome:
    """Work on a task until the orchestrator stops, a cap stops it, or it fails.

    The conclusion or abstention is recorded on the server before this returns.

    Raises:
        RefusedError: the server refused a call for a reason other than the budget.
    """
    return await _Run(client, task, orchestrator, watch or Quiet()).run()


class _Run:
    def __init__(
        self, client: Client, task: Task, orchestrator: Orchestrator, watch: Watch
    ) -> None:
        self._client = client
        self._task = task
        self._orchestrator = orchestrator
        self._watch = watch
        self._problem_id = ""
        self._view = View(problem=task.text, calls_left=task.max_calls)
        self._dispatched = 0
        self._unaffordable: dict[Explore, BudgetError] = {}
        self._steps: list[Mapping[str, Any]] = []
        self._began = time.monotonic()

    async def run(self) -> Outcome:
        while True:
            step = await self._orchestrator.decide(self._view)
            if not isinstance(step, Explore):
                return await self._conclude(step, forced=False)
            refusal = self._unaffordable.get(_choice(step))
            if refusal is not None and not self._problem_id:
                raise refusal
            if refusal is not None or self._view.calls_left == 0:
                return await self._conclude(_forced(self._view.ledger), forced=True)
            await self._explore(step)

    async def _explore(self, step: Explore) -> None:
        """Dispatch as many of the draws as the budget allows, and wait for all of them."""
        draws = min(step.draws, self._view.calls_left or step.draws)
        while True:
            try:
                return await self._dispatch(replace(step, draws=draws))
            except BudgetError as error:
                self._note(refused=str(error))
                if draws == 1:
                    self._unaffordable[_choice(step)] = error
                    self._view = replace(self._view, refused=str(error))
                    return
                # Each cap has its own count of draws that fit, so they are found by trying.
                draws //= 2

    async def _dispatch(self, step: Explore) -> None:
        self._watch.dispatched(step)
        arguments: dict[str, Any] = {
            "solver": step.solver,
            "effort": step.effort,
            "strategy": step.strategy,
            "draws": step.draws,
            "wait_seconds": self._task.wait_seconds,
        }
        if step.instruction:
            arguments["instruction"] = step.instruction
        if self._problem_id:
            arguments["problem_id"] = self._problem_id
        else:
            arguments |= {"problem": self._task.text, "answer_kind": self._task.answer_kind}
            if self._task.attachments:
                arguments["attachments"] = list(self._task.attachments)
        reply = read_explored(await self._call("explore", arguments))
        self._problem_id = reply.problem_id
        self._dispatched += step.draws
        self._take(reply)
        while reply.pending:
            waiting = {
                "problem_id": self._problem_id,
                "evidence_ids": [one.id for one in reply.pending],
                "wait_seconds": self._task.wait_seconds,
            }
            reply = read_explored(await self._call("collect", waiting))
            self._take(reply)

    def _take(self, reply: Explored) -> None:
        known = {one.id for one in self._view.evidence}
        new = [one for one in reply.evidence if one.id not in known]
        for one in new:
            self._watch.found(one)
        own = None if self._task.max_calls is None else self._task.max_calls - self._dispatched
        caps = [cap for cap in (own, reply.ledger.left.calls) if cap is not None]
        self._view = View(
            problem=self._task.text,
            evidence=(*self._view.evidence, *new),
            ledger=reply.ledger,
            calls_left=min(caps, default=None),
        )
        if new:
            self._watch.counted(reply.ledger)

    async def _conclude(self, step: Answer | Abstain, *, forced: bool) -> Outcome:
        answer = step.answer if isinstance(step, Answer) else None
        if self._problem_id:
            arguments = {
                "problem_id": self._problem_id,
                "answer": answer or "",
                "because": step.because,
                "evidence_ids": [one.id for one in self._view.evidence][:200],
                "abstain": answer is None,
            }
            check(await self._call("conclude", arguments))
        outcome = Outcome(
            problem_id=self._problem_id,
            orchestrator=self._orchestrator.name,
            answer=answer,
            because=step.because,
            abstained=answer is None,
            forced=forced,
            confidence=_share(self._view.ledger, answer),
            evidence=self._view.evidence,
            ledger=self._view.ledger,
            seconds=time.monotonic() - self._began,
            steps=tuple(self._steps),
        )
        self._watch.concluded(outcome)
        return outcome

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        meta: Any = {SCOPE_META: self._task.scope} if self._task.scope else None
        self._note(tool=tool, arguments=arguments)
        result = await self._client.call_tool(
            tool, arguments, progress_callback=self._on_progress, meta=meta
        )
        self._note(reply=result.structured_content, error=result.is_error or None)
        return result

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self._watch.progress(message or "")

    def _note(self, **what: Any) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        self._steps.append({"at": seconds, **{k: v for k, v in what.items() if v is not None}})


def _choice(step: Explore) -> Explore:
    """The step as the budget sees it; an instruction weighs too little to be worth another try."""
    return replace(step, draws=1, instruction=None)


def _forced(ledger: Ledger) -> Answer | Abstain:
    leader = ledger.leader
    if leader is None:
        return Abstain(because="the cap was reached without a readable answer")
    return Answer(
        answer=leader.answer,
        because=f"the cap was reached; {leader.count} of {ledger.ok} answers agree",
    )


def _share(ledger: Ledger, answer: str | None) -> float | None:
    group = next((one for one in ledger.answers if one.answer == answer), None)
    return None if group is None or not ledger.ok else group.count / ledger.ok
