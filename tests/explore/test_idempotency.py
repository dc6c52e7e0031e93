"""Whatever is retried, cancelled, lost or restarted: a draw is paid once and told in the end."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
from hypothesis import given
from hypothesis import strategies as st
from support import WAIT, roster_of

from atlas_mcp.core.redaction import Redactor
from atlas_mcp.core.types import Caps, Choice, Problem
from atlas_mcp.evidence.sqlite import SqliteStore, open_store
from atlas_mcp.explore.budget import Budget
from atlas_mcp.explore.dispatch import Dispatcher
from atlas_mcp.explore.service import Explorer, open_explorer
from solvers.scripted import ScriptedSolver
from solvers.types import Shared, Slots, SolveRequest

Fate = Literal["told", "reply lost", "cancelled"]

PROBLEM = Problem(text="P")
CHOICE = Choice(solver="s0")
CAP = 40


class World:
    """A service on a store, and the books that a person would keep."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "evidence.db"
        self.holding = False
        self.solver = ScriptedSolver(self.answer)
        self.told: list[str] = []

    async def answer(self, request: SolveRequest) -> str:
        if self.holding:
            await anyio.sleep_forever()
        return str(request.draw)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[tuple[Explorer, SqliteStore]]:
        dispatcher = Dispatcher(roster_of(self.solver), redact=Redactor(), shared=Shared(Slots(4)))
        budget = Budget(problem=Caps(calls=CAP), server=Caps())
        async with (
            open_store(self.path) as store,
            open_explorer(store, dispatcher, budget) as explorer,
        ):
            yield explorer, store

    async def ask(self, explorer: Explorer, draws: int, fate: Fate) -> None:
        self.holding = fate == "cancelled"
        if fate == "cancelled":
            with anyio.move_on_after(0.005):
                await explorer.explore(PROBLEM, CHOICE, draws=draws)
            self.holding = False
            return
        report = await explorer.explore(PROBLEM, CHOICE, draws=draws, wait_seconds=WAIT)
        assert len(report.evidence) == draws
        if fate == "told":
            self.told += [one.id for one in report.evidence]
            await explorer.delivered([one.id for one in report.evidence])
        else:
            await explorer.undelivered([one.id for one in report.evidence])


asks = st.tuples(
    st.integers(1, 3), st.sampled_from(["told", "reply lost", "cancelled"]), st.booleans()
)


@given(st.lists(asks, min_size=1, max_size=6))
def test_every_draw_is_paid_once_and_told_once(
    steps: list[tuple[int, Fate, bool]],
) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder, anyio.fail_after(WAIT):
            world = World(Path(folder))
            # The server is started anew whenever the mark of the steps changes.
            for _, group in itertools.groupby(steps, key=lambda step: step[2]):
                async with world.service() as (explorer, _store):
                    for draws, fate, _mark in group:
                        await world.ask(explorer, draws, fate)
            # Whatever was lost on the way is told first, once the host asks again.
            async with world.service() as (explorer, store):
                evidence = await store.evidence(PROBLEM.id)
                finished = {one.id for one in evidence if one.status == "ok"}
                untold = finished - set(world.told)
                paid = len(world.solver.requests)
                while left := len(untold - set(world.told)):
                    await world.ask(explorer, min(left, 8), "told")
                assert len(world.solver.requests) == paid
                assert finished <= set(world.told)
                assert len(world.told) == len(set(world.told))
                draws_made = sorted(request.draw for request in world.solver.requests)
                assert draws_made == sorted(set(draws_made))
                assert await store.pending(PROBLEM.id) == []
                account = await store.account(PROBLEM.id)
                assert account.committed.calls == account.spent.calls
                assert await store.verify() == []

    anyio.run(live)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_calls_at_the_same_time_never_share_a_draw(parallel: list[int]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder, anyio.fail_after(WAIT):
            world = World(Path(folder))
            async with world.service() as (explorer, store):
                async with anyio.create_task_group() as tasks:
                    for draws in parallel:
                        tasks.start_soon(world.ask, explorer, draws, "told")
                assert len(world.told) == len(set(world.told)) == sum(parallel)
                evidence = await store.evidence(PROBLEM.id)
                draws_made = sorted(one.call.draw for one in evidence)
                assert draws_made == list(range(1, sum(parallel) + 1))

    anyio.run(live)
