"""The MCP Inspector's command line as a host, in both protocol eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from programs import (
    Ended,
    atlas,
    environment,
    free_port,
    node_tool,
    run,
    scripted_atlas,
    serving,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Era = Literal["modern", "legacy"]
Inspect = Callable[..., Awaitable[Ended]]

REVISIONS: dict[Era, str] = {"modern": "2026-07-28", "legacy": "2025-11-25"}
MAX_LISTING = 4_000
"""Bytes of `tools/list`: every host pays them on every turn, about four to a token."""


@pytest.fixture(params=["modern", "legacy"], ids=["modern", "handshake"])
def era(request: pytest.FixtureRequest) -> Era:
    chosen: Era = request.param
    return chosen


@pytest.fixture
def inspect(era: Era, tmp_path: Path) -> Inspect:
    """Ask the product over stdio, a new process each time, all on one store."""
    tool = node_tool("mcp-inspector")
    # The Inspector hands a server only a few safe variables and those that are named here.
    variables = scripted_atlas(tmp_path).items()
    given = [part for name, value in variables for part in ("-e", f"{name}={value}")]

    async def ask(method: str, *arguments: str) -> Ended:
        flags = ["--cli", "--protocol-era", era, "--method", method, *arguments, "--format", "json"]
        command = [tool, *flags, *given, "--", *atlas("serve")]
        return await run(command, env=environment(tmp_path), cwd=tmp_path)

    return ask


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The product serving HTTP."""
    node_tool("mcp-inspector")
    port = free_port()
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    async with serving(command, port, env=env, log=tmp_path / "server.log") as url:
        yield url


async def test_the_inspector_connects_in_the_era_that_it_asks_for(
    inspect: Inspect, era: Era
) -> None:
    greeting = (await inspect("initialize")).json()["result"]

    assert greeting["protocolVersion"] == REVISIONS[era]
    assert greeting["serverInfo"]["name"] == "atlas-mcp"
    assert "explore" in greeting["instructions"]
    assert greeting["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}


async def test_the_tool_schemas_are_portable_and_the_listing_is_small(inspect: Inspect) -> None:
    ended = await inspect("tools/list", "--strict", "-q")

    listed = ended.json()["result"]["tools"]
    assert [tool["name"] for tool in listed] == ["explore", "collect", "conclude"]
    assert len(json.dumps(listed, separators=(",", ":")).encode()) <= MAX_LISTING
    assert ended.err == ""


async def test_what_one_process_explored_another_finds_among_the_resources(
    inspect: Inspect,
) -> None:
    arguments = json.dumps({"problem": "What is 6 × 7?", "draws": 2})
    called = await inspect("tools/call", "--tool-name", "explore", "--tool-args-json", arguments)
    found = called.json()["result"]["structuredContent"]
    problem = f"atlas://problems/{found['problem_id']}"

    assert sorted(one["answer"] for one in found["evidence"]) == ["41", "42"]
    assert found["ledger"]["asked"] == 2

    listed = (await inspect("resources/list")).json()["result"]["resources"]
    assert [one["uri"] for one in listed] == ["atlas://index", "atlas://solvers", problem]

    index = _text((await inspect("resources/read", "--uri", "atlas://index")).json())
    assert [one["uri"] for one in index["problems"]] == [problem]

    evidence = _text((await inspect("resources/read", "--uri", f"{problem}/evidence")).json())
    assert sorted(one["id"] for one in evidence["evidence"]) == sorted(
        one["id"] for one in found["evidence"]
    )


async def test_templates_and_the_prompt_reach_the_inspector(inspect: Inspect) -> None:
    templates = (await inspect("resources/templates/list")).json()["result"]["resourceTemplates"]
    assert [one["uriTemplate"] for one in templates] == [
        "atlas://problems/{problem_id}",
        "atlas://problems/{problem_id}/evidence",
        "atlas://evidence/{evidence_id}",
    ]

    arguments = ["--prompt-args", "problem=What is 6 × 7?", "effort=high"]
    got = await inspect("prompts/get", "--prompt-name", "orchestrate", *arguments)
    [message] = got.json()["result"]["messages"]
    assert "What is 6 × 7?" in message["content"]["text"]


async def test_a_refusal_reaches_the_inspector_as_a_tool_error(inspect: Inspect) -> None:
    ended = await inspect(
        "tools/call", "--tool-name", "explore", "--tool-args-json", '{"problem_id": "p_none"}'
    )

    assert ended.status == 5
    assert "p_none" in ended.out + ended.err


async def test_the_same_server_answers_over_http(address: str, era: Era, tmp_path: Path) -> None:
    async def ask(method: str, *arguments: str) -> Any:
        flags = ["--cli", "--protocol-era", era, "--server-url", address, "--method", method]
        command = [node_tool("mcp-inspector"), *flags, *arguments, "-q", "--format", "json"]
        return (await run(command, env=environment(tmp_path), cwd=tmp_path)).json()["result"]

    assert len((await ask("tools/list", "--strict"))["tools"]) == 3
    arguments = json.dumps({"problem": "What is 6 × 7?"})
    called = await ask("tools/call", "--tool-name", "explore", "--tool-args-json", arguments)
    assert called["structuredContent"]["ledger"]["answers"][0]["answer"] == "42"


def _text(read: Any) -> Any:
    """The JSON document inside the reply of `resources/read`."""
    [content] = read["result"]["contents"]
    return json.loads(content["text"])
