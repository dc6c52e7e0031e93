"""What an orchestrating model is told of the solvers to choose from."""

from __future__ import annotations

import anyio
import pytest
from mcp.client import Client
from support import WAIT, Connect

from atlas_mcp.core.ports import Label
from atlas_mcp.host.explore_tool import Candidate
from atlas_mcp.host.menu import candidates
from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.registry import SolverSpec
from solvers.roster import Roster
from solvers.scripted import ScriptedSolver

pytestmark = pytest.mark.anyio


def priced(name: str, usd: float | None) -> SolverSpec:
    options: dict[str, object] = {"base_url": "http://127.0.0.1:1/v1"}
    if usd is not None:
        options["price"] = {"input": usd, "output": 5 * usd}
    return SolverSpec(name=name, api="chat", model="m", options=options)


async def menu(settings: Settings, *specs: SolverSpec, **caps: int) -> dict[str, Candidate]:
    roster = Roster(default=specs[0].name, specs={one.name: one for one in specs})
    async with Client(create_server(settings, roster=roster)) as client:
        with anyio.fail_after(WAIT):
            return {one.name: one for one in await candidates(client, caps)}


def calls(found: dict[str, Candidate]) -> dict[str, int]:
    return {name: one.calls for name, one in found.items()}


async def test_of_three_prices_the_dearest_is_asked_less_often(settings: Settings) -> None:
    specs = [priced("cheap", 0), priced("middle", 1), priced("dear", 5), priced("own", None)]
    twin = priced("dear+python", 5)
    assert calls(await menu(settings, *specs, twin)) == {
        "cheap": 8,
        "middle": 8,
        "dear": 4,
        "dear+python": 4,
        "own": 8,
    }


async def test_with_two_prices_each_is_asked_as_often(settings: Settings) -> None:
    specs = [priced("free", 0), priced("dear", 5), priced("twin", 5), priced("own", None)]
    assert set(calls(await menu(settings, *specs)).values()) == {8}


async def test_the_users_cap_wins(settings: Settings) -> None:
    specs = [priced("cheap", 0), priced("middle", 1), priced("dear", 5)]
    assert calls(await menu(settings, *specs, dear=9, cheap=1)) == {
        "cheap": 1,
        "middle": 8,
        "dear": 9,
    }


async def test_the_menu_tells_price_and_notices(settings: Settings) -> None:
    old = SolverSpec(
        name="old",
        api="chat",
        model="m",
        description="the old one",
        options={**priced("x", 2.5).options, "efforts": [], "images": False},
    )
    found = await menu(settings, old, priced("own", None))
    assert found["old"].description == (
        "m, the old one; reads no images; $2.5 in, $12.5 out per million tokens; "
        "not asked before; m: it has no control of effort; effort sets only the length of a reply"
    )
    assert found["own"].description.startswith("m; price unknown; not asked before; ")


async def test_the_menu_tells_the_record(connect: Connect) -> None:
    solver = ScriptedSolver(["42"], usd=0.0123)
    async with connect(solver) as host:
        evidence = (await host.explore("P", draws=2))["evidence"]
        assert host.server.app is not None
        await host.server.app.explorer.store.label(
            Label(evidence_id=evidence[0]["id"], correct=True)
        )
        with anyio.fail_after(WAIT):
            (found,) = await candidates(host.client, {})
    assert found.description.startswith("$0 in, $0 out per million tokens; answered 2 of 2 calls, ")
    assert found.description.endswith(" s, 15 tokens, $0.012, right 1 of 1 (21% to 100%)")
