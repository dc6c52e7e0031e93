"""Who decides, on what, and what comes of it: the words between an orchestrator and its run.

An orchestrator sees a `View` and returns a `Step`; `atlas_mcp.host.running` does the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from atlas_mcp.host.purse import Purse
from atlas_mcp.host.replies import Capsule, Ledger
from solvers.types import AnswerKind, Effort, WorstCase


@dataclass(frozen=True, slots=True, kw_only=True)
class Explore:
    """Dispatch fresh solvers."""

    solver: str = "auto"
    effort: Effort = "medium"
    strategy: str = "direct"
    instruction: str | None = None
    draws: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Explores:
    """Dispatch several choices at the same time.

    `kept` is what the orchestrator's own turns afterwards may cost: the calls leave room for it.
    """

    explores: tuple[Explore, ...]
    kept: tuple[WorstCase, ...] = ()
    thought: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Nothing to do yet: a turn of thinking is over, and the orchestrator wants another."""

    because: str
    thought: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Stop with an answer.

    Without `evidence_ids` it rests on all evidence. `confidence` is the orchestrator's own word,
    None if it gave none. It is `forced` when a cap or a fault left no other step.
    """

    answer: str
    because: str
    evidence_ids: tuple[str, ...] = ()
    confidence: float | None = None
    forced: bool = False
    thought: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstain:
    """Stop without an answer."""

    because: str
    forced: bool = False
    thought: str = ""


Step = Explore | Explores | Again | Answer | Abstain


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one dispatched choice gave, or why the server refused it."""

    evidence: tuple[Capsule, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a model said when an orchestrator asked it, or why there is nothing that it said."""

    text: str = ""
    fault: str = ""


async def _forget() -> None: ...


async def _unknown(evidence_id: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that an orchestrator decides on.

    `evidence` is what this run was given. `calls_left` is None without a cap; at 0 only
    `Answer` or `Abstain` will be taken. `refused` says why the budget stopped the last step,
    None if it did not: another choice may still fit, the same one will not be sent again.
    `found` is what the step before gave, choice by choice. The `purse` says what may still be
    spent; an orchestrator that spends books it there. `explore_seconds` is the time until no
    more calls are made, `seconds_left` that until the run ends; both are None without a cap.
    `said` are the turns that were taken by `atlas_mcp.host.turns`, by their names, and `keep`
    writes down where the run stands. `written` looks up how many tokens a solver wrote for a piece
    of evidence, prompts not counted; None is unknown.
    """

    problem: str
    evidence: tuple[Capsule, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    calls_left: int | None = None
    refused: str | None = None
    found: tuple[Found, ...] = ()
    purse: Purse = field(default_factory=Purse)
    explore_seconds: float | None = None
    seconds_left: float | None = None
    said: dict[str, Turn] = field(default_factory=dict)
    keep: Callable[[], Awaitable[None]] = _forget
    written: Callable[[str], Awaitable[int | None]] = _unknown


class Orchestrator(Protocol):
    """Decides what to do next. It may be asked again after any of its steps.

    The run is kept between decisions, so each is at most one turn of a model, but for those of
    `atlas_mcp.host.turns`, which are kept one by one.
    """

    @property
    def name(self) -> str: ...

    async def decide(self, view: View) -> Step: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem and the bounds within which it is worked on.

    `max_calls` caps solver calls, `max_tokens` and `max_usd` what the solvers and the orchestrator
    spend together, `max_seconds` the time that passes. `wait_seconds` is the wait in each call
    of a tool.
    """

    text: str
    answer_kind: AnswerKind = "auto"
    scope: str = ""
    max_calls: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None
    max_seconds: float | None = None
    wait_seconds: float = 45.0
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended.

    `confidence` is the share of readable answers that agree with `answer`, `own_confidence` what
    the orchestrator said itself. `purse` has what orchestrator and solvers spent.
    """

    problem_id: str
    orchestrator: str
    answer: str | None
    because: str
    abstained: bool
    forced: bool
    confidence: float | None
    own_confidence: float | None
    evidence: tuple[Capsule, ...]
    ledger: Ledger
    purse: Purse
    seconds: float
    steps: tuple[Mapping[str, Any], ...]


class Watch(Protocol):
    """Is told what happens during a run."""

    def thought(self, text: str) -> None: ...

    def dispatched(self, step: Explore) -> None: ...

    def progress(self, line: str) -> None: ...

    def found(self, capsule: Capsule) -> None: ...

    def counted(self, ledger: Ledger) -> None: ...

    def concluded(self, outcome: Outcome) -> None: ...


class Quiet:
    """A `Watch` that looks away."""

    def thought(self, text: str) -> None: ...

    def dispatched(self, step: Explore) -> None: ...

    def progress(self, line: str) -> None: ...

    def found(self, capsule: Capsule) -> None: ...

    def counted(self, ledger: Ledger) -> None: ...

    def concluded(self, outcome: Outcome) -> None: ...


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run stands: all that another process needs to go on with it.

    `outstanding` was decided and has not been answered yet, `found` was answered and has not been
    decided on yet. `said` is as in `View`. `seconds` is the time worked so far.
    """

    problem_id: str = ""
    evidence: tuple[Capsule, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    purse: Purse = field(default_factory=Purse)
    outstanding: Explores | None = None
    found: tuple[Found, ...] = ()
    said: dict[str, Turn] = field(default_factory=dict)
    seconds: float = 0.0
    steps: list[Mapping[str, Any]] = field(default_factory=list)


Keep = Callable[[Progress], Awaitable[None]]
"""Is given the run's progress after every step, before the next one costs anything."""


async def forget(progress: Progress) -> None:
    """A `Keep` that keeps nothing."""


def leading(ledger: Ledger, why: str) -> Answer | Abstain:
    """The step that is left when nobody can decide any more: the answer with most votes."""
    leader = ledger.leader
    if leader is None:
        return Abstain(because=f"{why}, and no answer could be read", forced=True)
    return Answer(
        answer=leader.answer,
        because=f"{why}; {leader.count} of {ledger.ok} answers agree",
        forced=True,
    )
