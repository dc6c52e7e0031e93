"""Resources, prompts, completions and announcements, in both protocol eras."""

from __future__ import annotations

import json

import anyio
import pytest
from mcp.client import Client
from mcp.types import PromptReference, ResourceTemplateReference
from support import WAIT, Connect, Host, Mode

from atlas_mcp.core.ports import Label
from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.registry import SolverSpec
from solvers.roster import Roster
from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest, SolveResult

pytestmark = pytest.mark.anyio


async def test_the_index_lists_problems_newest_first(connect: Connect, mode: Mode) -> None:
    async with connect(["1"], mode=mode) as host:
        first = (await host.explore("First?"))["problem_id"]
        second = (await host.explore("Second?"))["problem_id"]
        found = json.loads(await host.read("atlas://index"))["problems"]
        assert [one["id"] for one in found] == [second, first]
        listed = [str(one.uri) for one in (await host.client.list_resources()).resources]
        assert listed[:2] == ["atlas://index", "atlas://solvers"]
        assert f"atlas://problems/{first}" in listed


async def test_solvers_say_what_they_are_and_what_they_lack(connect: Connect) -> None:
    async with connect(["1"]) as host:
        found = json.loads(await host.read("atlas://solvers"))
        assert found["default"] == "s0"
        assert found["solvers"][0]["missing"] is None
        assert found["efforts"] == ["low", "medium", "high", "max"]
        assert len(found["strategies"]) >= 10


async def test_solvers_say_what_they_have_shown_so_far(connect: Connect) -> None:
    def unreadable(request: SolveRequest) -> SolveResult:
        return SolveResult(status="unparsed", model="m", text="?")

    dear = ScriptedSolver(["1"], usd=0.00002)
    async with connect(dear, unreadable, ["unused"]) as host:
        found = await host.explore("P", draws=3)
        await host.explore("P", solver="s1")
        assert host.server.app is not None
        store = host.server.app.explorer.store
        for one, correct in zip(found["evidence"], (False, True, True), strict=True):
            await store.label(Label(evidence_id=one["id"], correct=correct))
        await store.label(Label(evidence_id=found["evidence"][0]["id"], correct=True))
        await store.label(Label(evidence_id=found["evidence"][2]["id"], correct=False))
        rows = json.loads(await host.read("atlas://solvers"))["solvers"]
    first, second, unused = (one["record"] for one in rows)
    assert first.pop("median_seconds") >= 0
    assert first == {
        "calls": 3,
        "answered": 3,
        "unparsed": 0,
        "failed": 0,
        "mean_tokens": 15.0,
        "mean_usd": 0.00002,
        "labels": {"right": 2, "labelled": 3, "interval": [0.208, 0.939]},
    }
    assert (second["calls"], second["answered"], second["unparsed"]) == (1, 0, 1)
    assert second["labels"] is None
    assert (unused["calls"], unused["median_seconds"], unused["mean_usd"]) == (0, None, None)


async def test_solvers_say_what_they_cost_and_can_do(settings: Settings) -> None:
    local = {"base_url": "http://127.0.0.1:1/v1"}
    price = {"price": {"input": 2.5, "output": 10}}
    specs = [
        SolverSpec(name="free", api="scripted", options={"answers": ["1"]}),
        SolverSpec(name="listed", api="anthropic", model="claude-opus-5-5"),
        SolverSpec(name="old", api="anthropic", model="claude-opus-4-5"),
        SolverSpec(name="own", api="chat", model="m", options={**local, **price}),
        SolverSpec(name="unknown", api="chat", model="m", options=local),
        SolverSpec(name="broken", api="chat", model="m", options={"no": "option"}),
    ]
    roster = Roster(default="free", specs={one.name: one for one in specs})
    server = create_server(settings, roster=roster)
    async with Client(server) as client:
        text = await Host(client, server).read("atlas://solvers")
    rows = {row["name"]: row for row in json.loads(text)["solvers"]}
    assert {name: row["usd_per_million"] for name, row in rows.items()} == {
        "free": {"input": 0.0, "output": 0.0},
        "listed": {"input": 4.0, "output": 20.0},
        "old": {"input": 5.0, "output": 25.0},
        "own": {"input": 2.5, "output": 10.0},
        "unknown": None,
        "broken": None,
    }
    assert [rows[name]["images"] for name in ("listed", "unknown")] == [True, None]
    assert rows["old"]["efforts"]["max"] == "high"
    assert any("no effort 'max'" in one for one in rows["old"]["notices"])
    assert "option no" in rows["broken"]["missing"]


async def test_a_long_roster_is_cut_and_says_so(settings: Settings) -> None:
    specs = {
        f"s{n}": SolverSpec(name=f"s{n}", api="scripted", description="d" * 5_000)
        for n in range(150)
    }
    server = create_server(settings, roster=Roster(default="s0", specs=specs))
    async with Client(server) as client:
        text = await Host(client, server).read("atlas://solvers")
    found = json.loads(text)
    assert (len(found["solvers"]), found["left_out"]) == (100, 50)
    assert len(text) < 200_000


async def test_a_problem_shows_its_ledger_and_conclusions(connect: Connect, mode: Mode) -> None:
    async with connect(["42"], mode=mode) as host:
        found = await host.explore("P", draws=2)
        await host.call("conclude", problem_id=found["problem_id"], answer="42", because="agreed")
        shown = json.loads(await host.read(f"atlas://problems/{found['problem_id']}"))
        assert shown["problem"]["text"] == "P"
        (group,) = shown["ledger"]["answers"]
        assert (group["count"], group["evidence_id"]) == (2, found["evidence"][0]["id"])
        assert shown["conclusions"] == [
            {"answer": "42", "because": "agreed", "evidence_ids": [], "abstain": False}
        ]


async def test_evidence_can_be_read_in_full(connect: Connect) -> None:
    async with connect(["42"]) as host:
        found = await host.explore("P")
        id_ = found["evidence"][0]["id"]
        whole = json.loads(await host.read(f"atlas://evidence/{id_}"))
        assert whole["text"] == "42"
        assert whole["problem_id"] == found["problem_id"]
        assert (whole["input_tokens"], whole["output_tokens"]) == (10, 5)
        listed = json.loads(await host.read(f"atlas://problems/{found['problem_id']}/evidence"))
        assert [one["id"] for one in listed["evidence"]] == [id_]


async def test_ids_solvers_and_strategies_are_completed(connect: Connect, mode: Mode) -> None:
    async with connect(["1"], mode=mode) as host:
        found = await host.explore("P")

        async def complete(ref: object, name: str, value: str) -> list[str]:
            with anyio.fail_after(WAIT):
                done = await host.client.complete(
                    ref,  # type: ignore[arg-type]
                    {"name": name, "value": value},
                )
            return list(done.completion.values)

        problem = ResourceTemplateReference(
            type="ref/resource", uri="atlas://problems/{problem_id}"
        )
        assert await complete(problem, "problem_id", "p_") == [found["problem_id"]]
        assert await complete(problem, "problem_id", "zz") == []
        evidence = ResourceTemplateReference(
            type="ref/resource", uri="atlas://evidence/{evidence_id}"
        )
        assert await complete(evidence, "evidence_id", "e_") == [found["evidence"][0]["id"]]
        prompt = PromptReference(type="ref/prompt", name="orchestrate")
        assert await complete(prompt, "effort", "m") == ["medium"]


async def test_the_prompt_holds_the_problem_and_the_disposition(
    connect: Connect, mode: Mode
) -> None:
    async with connect(["1"], mode=mode) as host:
        got = await host.client.get_prompt("orchestrate", {"problem": "Why?", "effort": "high"})
        text = getattr(got.messages[0].content, "text", "")
        assert "Why?" in text
        assert "three answers agree" in text


async def test_a_modern_host_hears_of_new_evidence(connect: Connect) -> None:
    async with connect(["1"]) as host:
        with anyio.fail_after(WAIT):
            async with host.client.listen(
                resource_subscriptions=["atlas://index"], resources_list_changed=True
            ) as events:
                await host.explore("P")
                seen: set[str] = set()
                async for event in events:
                    seen.add(type(event).__name__)
                    if {"ResourcesListChanged", "ResourceUpdated"} <= seen:
                        break


# The era's own way to subscribe is deprecated, and hosts of that era have no other.
@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")
async def test_a_handshake_host_hears_of_new_evidence(connect: Connect) -> None:
    heard: list[str] = []
    both = anyio.Event()

    async def on_message(message: object) -> None:
        heard.append(type(getattr(message, "root", message)).__name__)
        wanted = {"ResourceUpdatedNotification", "ResourceListChangedNotification"}
        if wanted <= set(heard):
            both.set()

    async with connect(["1"], mode="legacy", on_message=on_message) as host:
        capabilities = host.client.server_capabilities.resources
        assert capabilities is not None
        assert capabilities.list_changed
        assert capabilities.subscribe
        await host.client.subscribe_resource("atlas://index")
        await host.explore("P")
        with anyio.fail_after(WAIT):
            await both.wait()
        await host.client.unsubscribe_resource("atlas://index")
