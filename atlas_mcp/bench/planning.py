"""Which methods are run how: what was asked for, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from atlas_mcp.bench.folder import Folder
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.bench.methods.registry import method
from atlas_mcp.bench.rows import Asking
from atlas_mcp.bench.suite import Suite
from atlas_mcp.core.errors import BadRequestError
from solvers.registry import offer
from solvers.roster import Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How methods are to be run, where they leave it open. See `Asking`."""

    effort: str = "medium"
    strategy: str = "direct"
    greedy_solver: str | None = None
    model: str | None = None
    calls_of: str = ""


def planned(
    names: Iterable[str], manner: Manner, suite: Suite, roster: Roster
) -> tuple[Asking, ...]:
    """Who is asked for each method, each once. The roster has the models of the methods' own.

    Raises:
        BadRequestError: a method is unknown, lacks something, or cannot be run on a pool; or a
            solver cannot see the suite's images.
    """
    chosen = {one.name: one for one in map(method, names)}.values()
    for one in chosen:
        _check(one, manner, suite, roster)
    asking = tuple(_asking(one, manner, suite, roster) for one in chosen)
    _check_images(asking, suite, roster)
    return asking


def judge_of(
    named: str | None, suite: Suite, folder: Folder, roster: Roster, *, recorded: bool = False
) -> str | None:
    """The model that grades: the one that is named, or the one that graded in this folder before.

    Raises:
        BadRequestError: it is not in the roster, another one graded here, or there is none, nor
            are there `recorded` verdicts, though the suite is graded by one.
    """
    if named and named not in roster.specs:
        raise BadRequestError(f"--judge {named}: the roster has {', '.join(roster.specs)}")
    judge = folder.judge(named)
    if not (judge or recorded) and any(one.grading == "judge" for one in suite.items):
        raise BadRequestError(
            f"suite {folder.known().suite} is graded by a language model: name one of your roster "
            "with --judge, or the verdicts of an earlier run with --verdicts"
        )
    return judge


def arms(asking: Iterable[Asking], suite: Suite) -> tuple[str, ...]:
    """The arms of a pool that these ask."""
    asking = tuple(asking)
    if any(method(one.method).chooses for one in asking):
        return tuple(suite.arms)
    return tuple(one.solver for one in asking if one.solver)


def _asking(one: Method, manner: Manner, suite: Suite, roster: Roster) -> Asking:
    solver = manner.greedy_solver if one.greedy else suite.solver
    return Asking(
        method=one.name,
        solver=None if one.chooses else solver,
        effort=manner.effort,
        strategy=manner.strategy,
        model=(manner.model or roster.default) if one.thinks else None,
        calls_of=manner.calls_of if one.chooses else "",
    )


def _check(one: Method, manner: Manner, suite: Suite, roster: Roster) -> None:
    if one.greedy and not manner.greedy_solver:
        raise BadRequestError(
            "method greedy needs a solver that does not sample: name it with --greedy-solver, "
            "or use method single"
        )
    if one.thinks and manner.model is not None and manner.model not in roster.specs:
        raise BadRequestError(
            f"no model {manner.model!r} in the roster; known: {', '.join(roster.specs)}"
        )
    if suite.arms:
        _check_pool(one, manner, suite)


def _check_pool(one: Method, manner: Manner, suite: Suite) -> None:
    """A pool has recorded answers and nothing else."""
    if one.writes:
        raise BadRequestError(
            f"method {one.name} cannot be replayed: its solvers are told what to look at, and a "
            "pool holds no answers to that; run it on a suite that your roster answers"
        )
    if one.chooses and len(suite.arms) < 2:
        raise BadRequestError(
            f"method {one.name} chooses among solvers, and this pool has one arm: use atlas"
        )
    if one.thinks and manner.model is None:
        raise BadRequestError(
            f"method {one.name} needs a language model, which a pool is not: name one of your "
            "roster with --model"
        )


def _check_images(asking: Iterable[Asking], suite: Suite, roster: Roster) -> None:
    """Refuse a solver that is known to read text only, before it fails question by question."""
    shown = sum(bool(one.attachments) for one in suite.items)
    if not shown:
        return
    for name in dict.fromkeys(one.solver or roster.default for one in asking):
        if name in roster.specs and offer(roster.specs[name]).images is False:
            raise BadRequestError(
                f"solver {name!r} reads text only, and {shown} questions of this suite have "
                "images: name one that reads images with --solver"
            )
