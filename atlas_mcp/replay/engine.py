"""Replays controllers on recorded arms: all questions, all seeds, all cores.

A controller with a twin over arrays is replayed by it, any other one episode at a time; so are
all of them where an episode may be cut off, is to be traced, or has several arms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from atlas_mcp.replay.arrays import Recorded
from atlas_mcp.replay.batch.registry import TWINS
from atlas_mcp.replay.environment import Rules
from atlas_mcp.replay.part import Columns, play_batch, play_each
from atlas_mcp.replay.state import Controller
from atlas_mcp.replay.workers import on_backend, on_cores

CHUNK = 20
"""Seeds that are replayed together: arrays of that many episodes stay in the cache."""

Told = Callable[[str, str, int, int], None]
"""Is told of each controller that is done with an arm: both, how many are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to replay, on all arms unless some are named.

    With `together` the controllers choose among the arms themselves. `scalar` replays one
    episode at a time even where there is a twin over arrays. `jobs` is how many processes work,
    -1 for one a core; `backend` names another of joblib's backends, such as ray or dask. Traces
    go to files of that folder, one for each part.
    """

    controllers: tuple[Controller, ...]
    seeds: tuple[int, ...]
    arms: tuple[str, ...] = ()
    together: bool = False
    rules: Rules = field(default_factory=Rules)
    scalar: bool = False
    jobs: int = -1
    backend: str | None = None
    traces: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How the episodes of one controller on one arm ended."""

    controller: str
    arm: str
    questions: tuple[str, ...]
    columns: Columns


@dataclass(frozen=True, slots=True)
class _Task:
    world: Recorded
    controller: Controller
    seeds: tuple[int, ...]

    @property
    def arm(self) -> str:
        return " | ".join(arm.name for arm in self.world.arms)

    def done(self, parts: Sequence[Columns]) -> Replayed:
        names = [one.name for one in fields(Columns)]
        joined = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
        return Replayed(
            controller=self.controller.name,
            arm=self.arm,
            questions=self.world.questions,
            columns=Columns(**joined),
        )


def replay(recorded: Recorded, plan: Plan, told: Told | None = None) -> list[Replayed]:
    """Replay every controller of the plan on every arm. The same plan gives the same result.

    Raises:
        BadRequestError: an arm is unknown, or a controller did what its state does not admit.
        SetupError: the backend is not there.
    """
    chunks = [plan.seeds[start : start + CHUNK] for start in range(0, len(plan.seeds), CHUNK)]
    tasks = [
        _Task(world, controller, seeds)
        for controller in plan.controllers
        for world in _worlds(recorded, plan)
        for seeds in chunks
    ]
    found: list[Replayed] = []
    parts: list[Columns] = []
    for task, columns in zip(tasks, _spread(plan, tasks), strict=True):
        parts.append(columns)
        if len(parts) == len(chunks):
            found.append(task.done(parts))
            parts = []
            if told is not None:
                told(task.controller.name, task.arm, len(found), len(tasks) // len(chunks))
    return found


def _worlds(recorded: Recorded, plan: Plan) -> list[Recorded]:
    """What each controller meets: one arm at a time, or all of them at once."""
    arms = [recorded.arm(name) for name in plan.arms] or list(recorded.arms)
    groups = [arms] if plan.together else [[arm] for arm in arms]
    return [replace(recorded, arms=tuple(group)).answered() for group in groups]


# --- spreading


def _spread(plan: Plan, tasks: Sequence[_Task]) -> Iterator[Columns]:
    """Run the tasks wherever the plan says, and yield what they give in their order."""
    import joblib

    name = plan.backend
    with on_cores(plan.jobs) if name is None else on_backend(name, plan.jobs):
        # Not every backend gives results one by one.
        parallel = joblib.Parallel(return_as="generator" if name is None else "list")
        yield from parallel(
            joblib.delayed(_run)(plan, task, number) for number, task in enumerate(tasks)
        )


def _run(plan: Plan, task: _Task, number: int) -> Columns:
    twin = type(task.controller) in TWINS and len(task.world.arms) == 1
    if twin and not (plan.scalar or plan.traces or plan.rules.cut):
        return play_batch(task.world, task.controller, task.seeds, plan.rules)
    name = re.sub(r"[^\w.+@-]+", "-", f"{number:04}-{task.controller.name}-{task.arm}.jsonl")
    path = None if plan.traces is None else plan.traces / name
    return play_each(task.world, task.controller, task.seeds, plan.rules, path)
