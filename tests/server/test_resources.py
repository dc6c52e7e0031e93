"""Resources, prompts, completions and announcements, in both protocol eras."""

from __future__ import annotations

import json

import anyio
import pytest
from mcp.types import PromptReference, ResourceTemplateReference
from support import WAIT, Connect, Mode

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


async def test_a_problem_shows_its_ledger_and_conclusions(connect: Connect, mode: Mode) -> None:
    async with connect(["42"], mode=mode) as host:
        found = await host.explore("P", draws=2)
        await host.call("conclude", problem_id=found["problem_id"], answer="42", because="agreed")
        shown = json.loads(await host.read(f"atlas://problems/{found['problem_id']}"))
        assert shown["problem"]["text"] == "P"
        assert shown["ledger"]["answers"][0]["count"] == 2
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
