"""Calls in flight. A job outlives the request that started it, and ends with the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

import anyio
from anyio.abc import TaskGroup

from atlas_mcp.core.types import Call


@dataclass(slots=True, eq=False)
class Job:
    call: Call
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    doing: Literal["queued", "running", "waiting for the evidence store"] = "queued"
    since: float = field(default_factory=time.monotonic)

    def now(self, doing: Literal["running", "waiting for the evidence store"]) -> None:
        """Say what the job has begun to do."""
        self.doing, self.since = doing, time.monotonic()


class Jobs:
    """The jobs of one server."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._running: dict[str, Job] = {}

    def start(self, call: Call, work: Callable[[Job], Awaitable[None]]) -> None:
        """Begin `work` for a call; the job counts as done when it returns."""
        job = Job(call)
        self._running[call.id] = job

        async def run() -> None:
            try:
                with job.scope:
                    await work(job)
            finally:
                del self._running[call.id]
                job.done.set()

        self._tasks.start_soon(run, name=f"call {call.id}")

    def running(self, call_ids: Collection[str]) -> list[Job]:
        return [job for id_ in call_ids if (job := self._running.get(id_)) is not None]

    def any_running(self) -> bool:
        return bool(self._running)

    async def cancel(self, call_ids: Collection[str]) -> None:
        """Stop these calls and wait until each has recorded what it had found."""
        jobs = self.running(call_ids)
        for job in jobs:
            job.scope.cancel()
        for job in jobs:
            await job.done.wait()


async def next_end(jobs: Collection[Job], seconds: float) -> None:
    """Wait until one of these jobs has ended, or has already; `seconds` at most.

    Without any it waits that long.
    """
    with anyio.move_on_after(seconds):
        if jobs:
            await _first(jobs)
        else:
            await anyio.sleep(seconds)


async def _first(jobs: Collection[Job]) -> None:
    async with anyio.create_task_group() as tasks:

        async def watch(job: Job) -> None:
            await job.done.wait()
            tasks.cancel_scope.cancel()

        for job in jobs:
            tasks.start_soon(watch, job)
