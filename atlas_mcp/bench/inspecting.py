"""What Inspect runs: the task, the solver and the scorer. Inspect finds them by entry point, so

    inspect eval atlas_mcp/benchmark -T suite=gsm8k-sample -T method=self-consistency@8

works too. Inspect's own model is never used; the roster's solvers answer, through `explore`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from atlas_mcp.bench import registry
from atlas_mcp.bench.answering import Question, answer, as_plain
from atlas_mcp.bench.folder import Folder
from atlas_mcp.bench.grading import grade
from atlas_mcp.bench.lending import with_client
from atlas_mcp.bench.methods import method as named
from atlas_mcp.bench.replaying import solver_of, write_roster
from atlas_mcp.bench.rows import Asking
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.host.connection import Target as Server
from atlas_mcp.host.connection import spawned
from atlas_mcp.host.orchestrator import Explore
from atlas_mcp.settings import child_environment
from solvers.types import Effort

KEPT = "atlas_mcp"
"""The key under which a sample's store and score keep what a method did."""


class Told(Protocol):
    """Is told of each question that has been graded."""

    def __call__(self, method: str, item: str, epoch: int, right: bool | None, /) -> None: ...


TOLD: ContextVar[Told | None] = ContextVar("told", default=None)


@task
def benchmark(
    suite: str = "reasoning-gym",
    method: str = "single",
    solver: str | None = None,
    effort: str = "medium",
    strategy: str = "direct",
    grading: str | None = None,
    out: str = "atlas-bench",
    roster: str | None = None,
) -> Task:
    """One method on one suite, with a server of its own; evidence and records go to `out`.

    A pool replays its first epoch only: `atlas-mcp bench run --epochs` prepares more.
    """
    loaded = registry.load(suite, solver=solver, grading=grading)
    folder = Folder(Path(out))
    folder.info(suite, grading)
    if loaded.arms and loaded.solver:
        roster = str(write_roster(folder.replay, loaded, [loaded.solver], 1))
    asking = Asking(method=method, solver=loaded.solver, effort=effort, strategy=strategy)
    return built(loaded, asking, folder, roster)


def built(loaded: Suite, asking: Asking, folder: Folder, roster: str | None = None) -> Task:
    """The task of one method on a suite that has been loaded."""
    named(asking.method)  # an unknown one must not be found out sample by sample
    info = folder.known()
    return Task(
        name=asking.method,
        dataset=MemoryDataset(
            [_sample(one) for one in loaded.items], name=info.suite.partition(":")[0]
        ),
        solver=host(
            method=asking.method,
            solver=asking.solver,
            effort=asking.effort,
            strategy=asking.strategy,
            replays=bool(loaded.arms),
            run=info.run,
            out=str(folder.path),
            roster=roster,
        ),
        scorer=verdict(),
        metadata={"method": asking.method, "solver": asking.solver, "suite": info.suite},
    )


@solver
def host(
    method: str,
    solver: str | None = None,
    effort: str = "medium",
    strategy: str = "direct",
    replays: bool = False,
    run: str = "",
    out: str = "atlas-bench",
    roster: str | None = None,
) -> Solver:
    """Our reference host as a solver of Inspect's: it lets a method work on each sample."""
    chosen = named(method)
    folder = Folder(Path(out))

    def server() -> Server:
        options = ["--store", str(folder.store), *(["--roster", roster] if roster else [])]
        return spawned(options, child_environment())

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        asked = solver or "auto"
        question = Question(
            text=state.input_text,
            answer_kind=state.metadata["answer_kind"],
            scope="/".join((run, method, asked, effort, strategy, str(state.epoch))),
        )
        explore = Explore(
            solver=solver_of(asked, state.epoch) if replays else asked,
            effort=cast(Effort, effort),  # the server checks it
            strategy=strategy,
        )
        found = await with_client(
            lambda client: answer(client, question, chosen, explore, folder.runs, replays=replays),
            server,
        )
        state.store.set(KEPT, {"method": method, **as_plain(found)})
        state.output.completion = found.answer or ""
        state.completed = True
        return state

    return solve


@scorer(metrics=[accuracy()])
def verdict() -> Scorer:
    """Grades the method's answer, and that of its first call alone, as the item prescribes."""

    async def score(state: TaskState, target: Target) -> Score:
        kept: Mapping[str, Any] = state.store.get(KEPT)
        item = Item(
            id=str(state.sample_id),
            text=state.input_text,
            gold=target.text,
            answer_kind=state.metadata["answer_kind"],
            grading=state.metadata["grading"],
            facts=state.metadata["facts"],
        )
        right = grade(item, kept["answer"])
        found = {**kept, "right": right, "first_right": grade(item, kept["first"])}
        if told := TOLD.get():
            told(kept["method"], item.id, state.epoch, right)
        if right is None:
            return Score.unscored(answer=kept["answer"], metadata=found)
        return Score(value=int(right), answer=kept["answer"] or "", metadata=found)

    return score


def _sample(item: Item) -> Sample:
    return Sample(
        id=item.id,
        input=item.text,
        target=item.gold,
        metadata={
            "answer_kind": item.answer_kind,
            "grading": item.grading,
            "facts": dict(item.facts),
        },
    )
