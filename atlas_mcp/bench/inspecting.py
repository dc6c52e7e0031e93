"""What Inspect runs: the task, the solver and the scorer. Inspect finds them by entry point, so

    inspect eval atlas_mcp/benchmark -T suite=gsm8k-sample -T method=self-consistency@8
    inspect eval THEIR_TASK --solver atlas_mcp/host -S method=self-consistency@8

work too: the host answers any task whose samples are text, and its own scorer grades it
(see `foreign`, also for the tasks of `inspect-evals`).
Inspect's own model is never used; the roster's solvers answer, through `explore`.
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
from atlas_mcp.bench.answering import Answered, Question, answer, scope
from atlas_mcp.bench.choosing import choosable
from atlas_mcp.bench.discretion import WITHHELD, withheld
from atlas_mcp.bench.folder import Folder
from atlas_mcp.bench.foreign import item_of, tell
from atlas_mcp.bench.grading import Graded, UngradedError
from atlas_mcp.bench.judge import Judging
from atlas_mcp.bench.lending import Bench, Opening, with_bench
from atlas_mcp.bench.methods.method import Setup
from atlas_mcp.bench.methods.registry import method as named
from atlas_mcp.bench.planning import Manner, arms, judge_of, planned
from atlas_mcp.bench.replaying import solver_of, write_roster
from atlas_mcp.bench.rows import Asking, Row, as_plain
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.evidence.file import IN_MEMORY
from atlas_mcp.host.connection import spawned
from atlas_mcp.host.orchestrator import Explore
from atlas_mcp.roster import read_roster
from atlas_mcp.settings import child_environment, load_settings
from solvers.types import Effort

KEPT = "atlas_mcp"
"""The key under which a sample's store keeps its row."""

_ITEMS: dict[str, Mapping[str, Item]] = {}
"""The items of each folder of results. A log holds neither hidden tests nor private texts."""


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
    model: str | None = None,
    calls_of: str = "",
    grading: str | None = None,
    judge: str | None = None,
    keep_text: bool = False,
    out: str = "atlas-bench",
    roster: str | None = None,
) -> Task:
    """One method on one suite, with a server of its own; evidence and records go to `out`.

    A pool replays its first epoch only: `atlas-mcp bench run --epochs` prepares more.
    """
    loaded = registry.load(suite, solver=solver, grading=grading, keep_text=keep_text)
    if loaded.private:
        raise BadRequestError(
            f"the texts of {suite} may not be written down, and Inspect alone would: run it with "
            "`atlas-mcp bench run`, or allow it with -T keep_text=true"
        )
    manner = Manner(
        effort=effort,
        strategy=strategy,
        greedy_solver=loaded.solver,
        model=model,
        calls_of=calls_of,
    )
    known = read_roster(load_settings())
    (asking,) = planned([method], manner, loaded, known)
    folder = Folder(Path(out))
    folder.info(suite, grading, private=loaded.private)
    judge_of(judge, loaded, folder, known)
    if loaded.arms:
        roster = str(write_roster(folder.replay, loaded, arms([asking], loaded), 1))
    return built(loaded, asking, folder, roster)


def built(loaded: Suite, asking: Asking, folder: Folder, roster: str | None = None) -> Task:
    """The task of one method on a suite that has been loaded."""
    info = folder.known()
    _ITEMS[str(folder.path)] = {one.id: one for one in loaded.items}
    return Task(
        name=asking.method,
        dataset=MemoryDataset(
            [_sample(one, loaded) for one in loaded.items], name=info.suite.partition(":")[0]
        ),
        solver=host(
            method=asking.method,
            solver=asking.solver,
            effort=asking.effort,
            strategy=asking.strategy,
            model=asking.model,
            calls_of=asking.calls_of,
            replays=bool(loaded.arms),
            private=loaded.private,
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
    model: str | None = None,
    calls_of: str = "",
    replays: bool = False,
    private: bool = False,
    label: str = "",
    run: str = "",
    out: str = "atlas-bench",
    roster: str | None = None,
) -> Solver:
    """Our reference host as a solver of Inspect's: it lets a method work on each sample.

    `label` and a colon stand before the answer, for scorers that look for `ANSWER: …`.
    """
    chosen = named(method)
    folder = Folder(Path(out))
    runs = None if private else folder.runs
    asked = solver or "auto"

    def opening() -> Opening:
        store = IN_MEMORY if private else folder.store
        options = ["--store", str(store), *(["--roster", roster] if roster else [])]
        return Opening(
            target=spawned(options, child_environment()),
            settings=load_settings,
            judging=_judging(folder, run),
        )

    def scope_of(state: TaskState) -> str:
        """What a question's evidence belongs to; of a task that is not ours, this sample alone."""
        own = [one for one in (model, calls_of) if one]
        place = (str(state.epoch), str(state.sample_id))
        return scope(run or state.uuid, method, asked, effort, strategy, *own, *place)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        item = _ITEMS.get(out, {}).get(str(state.sample_id)) or item_of(state)
        question = Question(
            text=item.text,
            answer_kind=item.answer_kind,
            scope=scope_of(state),
            attachments=item.attachments,
        )
        explore = Explore(
            solver=solver_of(asked, state.epoch) if replays else asked,
            effort=cast(Effort, effort),  # the server checks it
            strategy=strategy,
        )

        async def work(bench: Bench) -> tuple[Answered, Graded]:
            epoch = state.epoch if replays else None
            setup = Setup(
                explore=explore,
                model=await bench.models.named(model) if chosen.thinks else None,
                candidates=await choosable(bench.client, calls_of, epoch) if chosen.chooses else (),
            )
            found = await answer(bench.client, question, chosen, setup, runs, replays=replays)
            return found, await bench.verdicts.on(item, found.answer, found.drawn)

        found, graded = await with_bench(work, opening)
        row = _row(item, state.epoch, found, graded, chosen.calls)
        state.store.set(KEPT, {"method": method, "because": found.because, **as_plain(row)})
        tell(state, item, found.answer, label)
        if graded.fault:  # an error lets the same command try again; what was answered is kept
            raise UngradedError(graded.fault)
        state.completed = True
        return state

    return withheld(solve, KEPT, folder.runs, scope_of) if private else solve


@scorer(metrics=[accuracy()])
def verdict() -> Scorer:
    """The verdict on the method's answer, which was found where its hidden facts are."""

    async def score(state: TaskState, target: Target) -> Score:
        kept: Mapping[str, Any] = state.store.get(KEPT)
        right: bool | None = kept["right"]
        if told := TOLD.get():
            told(kept["method"], str(state.sample_id), state.epoch, right)
        answer, metadata = state.output.completion, dict(kept)
        if right is None:
            return Score.unscored(answer=answer, metadata=metadata)
        return Score(value=int(right), answer=answer, metadata=metadata)

    return score


def _row(item: Item, epoch: int, found: Answered, graded: Graded, most: int) -> Row:
    return Row(
        item=item.id,
        epoch=epoch,
        right=graded.right,
        answered=found.answer is not None,
        solvers=found.solvers,
        own=found.own,
        most=most,
        forced=found.forced,
        drawn=graded.drawn,
        votes=found.votes,
        missing=found.missing,
        failed=found.failed,
        seconds=found.seconds,
    )


def _judging(folder: Folder, run: str) -> Judging:
    """As the run's folder has it; a task that is not ours has none, but a scorer of its own.

    The judge's words are left away: here nobody knows whether the suite is private.
    """
    judge = folder.known().judge if run else None
    return Judging(kept=folder.verdicts, judge=judge, private=True)


def _sample(item: Item, suite: Suite) -> Sample:
    if suite.private:
        return Sample(id=item.id, input=WITHHELD)
    return Sample(id=item.id, input=item.text, target=item.gold)
