"""mcporter as a host: it shows the tools and calls them, over both transports."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

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

Mcporter = Callable[..., Awaitable[Ended]]


@pytest.fixture(params=["stdio", "http"])
async def mcporter(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mcporter]:
    """Run a command of mcporter on the product."""
    tool, env, variables = node_tool("mcporter"), environment(tmp_path), scripted_atlas(tmp_path)
    async with AsyncExitStack() as stack:
        if request.param == "stdio":
            given = [part for item in variables.items() for part in ("--env", "=".join(item))]
            target = ["--stdio", shlex.join(atlas("serve")), *given]
        else:
            port = free_port()
            command = atlas("serve", "--http", f"127.0.0.1:{port}")
            server = serving(command, port, env={**env, **variables}, log=tmp_path / "server.log")
            target = ["--http-url", await stack.enter_async_context(server), "--allow-http"]

        async def ask(verb: str, *arguments: str) -> Ended:
            named = [tool, verb, *target, "--name", "atlas", *arguments]
            return await run(named, env=env, cwd=tmp_path)

        yield ask


async def test_mcporter_lists_the_tools_with_their_schemas(mcporter: Mcporter) -> None:
    listed = (await mcporter("list", "--schema", "--json")).json()

    assert listed["status"] == "ok"
    assert [tool["name"] for tool in listed["tools"]] == ["explore", "collect", "conclude"]
    explore = listed["tools"][0]["inputSchema"]["properties"]
    assert explore["effort"]["enum"] == ["low", "medium", "high", "max"]


async def test_mcporter_explores_and_collects(mcporter: Mcporter) -> None:
    asked = ("problem=What is 6 × 7?", "draws=3", "--output", "json")
    found = (await mcporter("call", "explore", *asked)).json()
    assert [one["answer"] for one in found["evidence"]] == ["42", "41", "42"]
    assert found["ledger"]["answers"][0]["count"] == 2

    problem = (f"problem_id={found['problem_id']}", "--output", "json")
    again = (await mcporter("call", "collect", *problem)).json()
    assert again["evidence"] == found["evidence"]
    assert again["ledger"] == found["ledger"]
