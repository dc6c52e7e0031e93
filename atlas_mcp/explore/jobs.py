"""Calls in flight. A job outlives the request that started it, and ends with the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from atlas_mcp.core.types import Call


@dataclass(slots=True, eq=False)
class Job:
    call: Call
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    working: bool = False
    since: float = field(default_factory=time.monotonic)


class Jobs:
    """The jobs of one server."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._running: dict[str, Job] = {}

    def start(self, call: Call, work: Callable[[Job], Awaitable[None]]) -> Job:
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
        return job

    def running(self, call_ids: Collection[str]) -> list[Job]:
        return [job for id_ in call_ids if (job := self._running.get(id_)) is not None]

    async def cancel(self, call_ids: Collection[str]) -> None:
        """Stop these calls and wait until each has recorded what it had found."""
        jobs = self.running(call_ids)
        for job in jobs:
            job.scope.cancel()
        for job in jobs:
            await job.done.wait()

    async def wait(
        self,
        call_ids: Collection[str],
        seconds: float,
        tick_seconds: float,
        tick: Callable[[list[Job]], Awaitable[None]],
    ) -> None:
        """Wait for these calls, `seconds` at most, calling `tick` with those that still run.

        `tick` is called at least every `tick_seconds`, and when a job has finished.
        """
        deadline = anyio.current_time() + seconds
        while jobs := self.running(call_ids):
            await tick(jobs)
            rest = deadline - anyio.current_time()
            if rest <= 0:
                return
            with anyio.move_on_after(min(tick_seconds, rest)):
                await _first(jobs)


async def _first(jobs: list[Job]) -> None:
    async with anyio.create_task_group() as tasks:

        async def watch(job: Job) -> None:
            await job.done.wait()
            tasks.cancel_scope.cancel()

        for job in jobs:
            tasks.start_soon(watch, job)
