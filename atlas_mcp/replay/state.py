"""What a controller knows of a question, what it may do next, and what it has cost so far.

A question is worked on by *branches*, independent attempts that each write one answer. They
move in *rounds*: the actions of one decision run side by side. A branch writes *intervals* of
a fixed number of tokens; where none are known it is one draw, which its first step ends.
Answers are keys: equal keys are equal answers.

Nothing here knows of pools, so the same controller runs on recordings and on live solvers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple, Protocol, runtime_checkable

from atlas_mcp.core.errors import BadRequestError


class IllegalActionError(BadRequestError):
    """A controller did what its state does not admit."""


# --- actions


@dataclass(frozen=True, slots=True)
class Open:
    """BRANCH: start `count` branches of an arm, each for so many intervals; None is to its end."""

    count: int = 1
    intervals: int | None = None
    arm: int = 0


@dataclass(frozen=True, slots=True)
class Continue:
    """Let branches write so many intervals more, at most to their end; None is to it."""

    branches: Sequence[int]
    intervals: int | None = 1


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask branches for the answer that they would give now; one that has ended just tells its."""

    branches: Sequence[int]


@dataclass(frozen=True, slots=True)
class Prune:
    """Give branches up; what they wrote stays paid for."""

    branches: Sequence[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """Stop, with what a branch has answered or None to abstain. Alone in its decision."""

    answer: Hashable | None


Action = Open | Continue | Probe | Prune | Answer


def plain(action: Action) -> list[Any]:
    """An action as plain values, the word for it first.

    Raises:
        TypeError: it is none.
    """
    match action:
        case Open(count, intervals, arm):
            return ["open", count, intervals, arm]
        case Continue(branches, intervals):
            return ["continue", [*map(index, branches)], intervals]
        case Probe(branches):
            return ["probe", [*map(index, branches)]]
        case Prune(branches):
            return ["prune", [*map(index, branches)]]
        case Answer(answer):
            return ["answer", answer]
    raise TypeError(f"{action!r:.100} is no action")


# --- what is known


class Branch(NamedTuple):
    """What is known of one branch.

    `depth` counts its steps, the last of which ends it. `answer` was read at depth `read`, 0
    being never; None there means that the branch ended without an answer. An arm of -1 is a
    branch of which nothing has been told yet.
    """

    arm: int
    depth: int = 0
    read: int = 0
    answer: Hashable | None = None
    ended: bool = False
    pruned: bool = False

    @property
    def active(self) -> bool:
        """Whether it can be continued."""
        return not (self.ended or self.pruned)


class Spent(NamedTuple):
    """Costs so far; None is not recorded.

    `tokens` are all that were written, with the price of probes. `latency` is the longest
    chain of them: branches of one round write at the same time, rounds follow each other.
    """

    tokens: float | None = 0.0
    latency: float | None = 0.0
    usd: float | None = 0.0
    calls: int = 0
    probes: int = 0


class State(NamedTuple):
    """All that is known of a question. `left` is how many branches each arm can still open."""

    left: tuple[int, ...]
    branches: tuple[Branch, ...] = ()
    rounds: int = 0
    spent: Spent = Spent()


class Report(NamedTuple):
    """What a round brought: branches by their number, and where rounds and costs stand now.

    Of each branch that it tells of, it tells all that is known.
    """

    seen: Mapping[int, Branch]
    left: tuple[int, ...]
    rounds: int
    spent: Spent


def tell(state: State, report: Report) -> State:
    """The state with a report added.

    Of each branch the deepest reading counts, so reports may come twice and in any order.
    """
    branches = list(state.branches)
    branches += [Branch(-1)] * (max(report.seen, default=-1) + 1 - len(branches))
    if report.rounds <= state.rounds and _moment(report) <= _moment(state):
        for number, found in report.seen.items():
            branches[number] = _joined(branches[number], found)
        return State(state.left, tuple(branches), state.rounds, state.spent)
    # What is known only grows, so a later report has all that was told of its branches.
    for number, found in report.seen.items():
        branches[number] = found
    return State(report.left, tuple(branches), report.rounds, report.spent)


def _joined(known: Branch, found: Branch) -> Branch:
    reading = found if found.read > known.read else known
    return Branch(
        max(known.arm, found.arm),
        max(known.depth, found.depth),
        reading.read,
        reading.answer,
        known.ended or found.ended,
        known.pruned or found.pruned,
    )


def _moment(one: State | Report) -> tuple[int, int, int]:
    """What only grows, so that of two accounts the later one is known."""
    return one.rounds, one.spent.calls, one.spent.probes


# --- who decides


class Decision(NamedTuple):
    """What to do in the next round, and what the controller wants to remember of this one."""

    actions: Sequence[Action]
    memory: Any = None


class Controller(Protocol):
    """Decides, over the branches of one question, how to go on and when to answer.

    One that never opens more than so many branches should say so: see `Bounded`.
    """

    @property
    def name(self) -> str:
        """How it is written on a command line, with its numbers."""
        ...

    def ask(self, state: State, memory: Any) -> Decision:
        """Decide on the next round. Pure: the same arguments, the same decision.

        It is asked once a round, when all branches of the last one have been told. `memory` is
        what it returned the round before, None at first, and must not be changed in place.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """What a controller has that never opens more than so many branches of a question."""

    @property
    def calls(self) -> int:
        """The most that it ever opens."""
        ...


def active(branches: Iterable[Branch]) -> list[int]:
    """The numbers of the branches that can be continued."""
    return [number for number, one in enumerate(branches) if not (one.ended or one.pruned)]
