"""How long a caller waits for the calls that it started."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from support import roster_of

from atlas_mcp.core.redaction import Redactor
from atlas_mcp.core.types import Caps, Choice, Problem
from atlas_mcp.evidence.sqlite import open_store
from atlas_mcp.explore.budget import Budget
from atlas_mcp.explore.dispatch import Dispatcher
from atlas_mcp.explore.service import TICK_SECONDS, Moment, open_explorer
from solvers.scripted import ScriptedSolver
from solvers.types import Shared, SolveRequest

pytestmark = pytest.mark.anyio


async def test_a_call_that_ends_while_its_caller_is_told_is_reported_at_once(
    tmp_path: Path,
) -> None:
    may_answer, ended = anyio.Event(), anyio.Event()

    async def answer(request: SolveRequest) -> str:
        await may_answer.wait()
        return "42"

    async def changed(problem_id: str, evidence_id: str) -> None:
        ended.set()

    async def watch(moment: Moment) -> None:
        may_answer.set()
        await ended.wait()

    roster = roster_of(ScriptedSolver(answer))
    dispatcher = Dispatcher(roster, redact=Redactor(), shared=Shared())
    budget = Budget(problem=Caps(), server=Caps())
    async with (
        open_store(tmp_path / "evidence.db") as store,
        open_explorer(store, dispatcher, budget) as explorer,
    ):
        explorer.changed = changed
        with anyio.fail_after(TICK_SECONDS / 2):
            report = await explorer.explore(Problem(text="P"), Choice(solver="s0"), watch=watch)
    assert [one.answer for one in report.evidence] == ["42"]
