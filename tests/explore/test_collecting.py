"""A call that ends while its state is being read is neither unknown nor left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from support import WAIT, roster_of

from atlas_mcp.core.redaction import Redactor
from atlas_mcp.core.types import Call, Caps, Choice, Evidence, Problem
from atlas_mcp.evidence.sqlite import SqliteStore, open_store
from atlas_mcp.explore.budget import Budget
from atlas_mcp.explore.dispatch import Dispatcher
from atlas_mcp.explore.service import Explorer, open_explorer
from solvers.scripted import ScriptedSolver
from solvers.types import Shared, SolveRequest

pytestmark = pytest.mark.anyio

PROBLEM = Problem(text="P")


class EndsBetweenReads:
    """A store on which the running call ends right after a read: the `reads`-th from now."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads = 0
        self.may_end = anyio.Event()
        self.stored = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def evidence(self, problem_id: str) -> list[Evidence]:
        found = await self._store.evidence(problem_id)
        await self._end()
        return found

    async def pending(self, problem_id: str) -> list[Call]:
        found = await self._store.pending(problem_id)
        await self._end()
        return found

    async def _end(self) -> None:
        self.reads -= 1
        if self.reads == 0:
            self.may_end.set()
            await self.stored.wait()


@asynccontextmanager
async def one_running(folder: Path) -> AsyncIterator[tuple[Explorer, EndsBetweenReads, str]]:
    """A service with one call in flight, and the id of that call."""

    async def answer(request: SolveRequest) -> str:
        await store.may_end.wait()
        return "42"

    async def stored(problem_id: str, evidence_id: str) -> None:
        store.stored.set()

    roster = roster_of(ScriptedSolver(answer))
    dispatcher = Dispatcher(roster, redact=Redactor(), shared=Shared())
    budget = Budget(problem=Caps(), server=Caps())
    async with open_store(folder / "evidence.db") as real:
        store = EndsBetweenReads(real)
        async with open_explorer(store, dispatcher, budget) as explorer:
            explorer.changed = stored
            with anyio.fail_after(WAIT):
                report = await explorer.explore(PROBLEM, Choice(solver="s0"), wait_seconds=0)
                yield explorer, store, report.pending[0].id


async def test_a_call_that_ends_while_it_is_looked_up_is_known(tmp_path: Path) -> None:
    async with one_running(tmp_path) as (explorer, store, running):
        store.reads = 1
        report = await explorer.collect(PROBLEM, evidence_ids=[running], wait_seconds=0)
        assert [one.id for one in report.evidence] == [running]


async def test_a_call_that_ends_while_it_is_reported_is_in_the_report(tmp_path: Path) -> None:
    async with one_running(tmp_path) as (explorer, store, running):
        store.reads = 3
        report = await explorer.collect(PROBLEM, wait_seconds=0)
        told = [one.id for one in report.evidence] + [call.id for call in report.pending]
        assert told == [running]
        assert report.ledger.asked == 1
