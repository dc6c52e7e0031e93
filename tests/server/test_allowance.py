"""A host's own allowance for the calls of one explore."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult
from support import WAIT, Connect, Host, text_of

from atlas_mcp.host.calling import ALLOWANCE_META as HOST_META
from atlas_mcp.server.tools import ALLOWANCE_META
from solvers.scripted import ScriptedSolver
from solvers.types import WorstCase

pytestmark = pytest.mark.anyio

WORST = WorstCase(tokens=100, usd=0.5, seconds=1.0)


async def explore(host: Host, allowance: Any, draws: int) -> CallToolResult:
    meta: Any = {ALLOWANCE_META: allowance}
    with anyio.fail_after(WAIT):
        arguments = {"problem": "P", "draws": draws}
        return await host.client.call_tool("explore", arguments, meta=meta)


@pytest.mark.parametrize(
    ("allowance", "unit"), [({"tokens": 250}, "tokens"), ({"usd": 1.0, "tokens": None}, "dollars")]
)
async def test_calls_that_may_cost_more_than_the_allowance_are_not_made(
    connect: Connect, allowance: dict[str, Any], unit: str
) -> None:
    solver = ScriptedSolver(["42"], worst=WORST)
    async with connect(solver) as host:
        refused = await explore(host, allowance, 3)
        assert refused.is_error
        assert f"{unit} for this run" in text_of(refused)
        assert "ask for at most 2 draws" in text_of(refused)
        assert solver.requests == []
        assert not (await explore(host, allowance, 2)).is_error
    assert len(solver.requests) == 2


@pytest.mark.parametrize("junk", [7, {"tokens": -1}, {"dollars": 1}, {"usd": "much"}])
async def test_an_allowance_that_makes_no_sense_is_refused(connect: Connect, junk: Any) -> None:
    solver = ScriptedSolver(["42"])
    async with connect(solver) as host:
        refused = await explore(host, junk, 1)
    assert "write tokens and usd" in text_of(refused)
    assert solver.requests == []


def test_host_and_server_mean_the_same_key() -> None:
    assert HOST_META == ALLOWANCE_META
