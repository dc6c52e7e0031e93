"""What tests share: a host that is connected to a server, and rosters of scripted solvers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from mcp.client import Client
from mcp.types import CallToolResult, TextContent

from atlas_mcp.server.context import AtlasServer
from solvers.registry import SolverSpec
from solvers.roster import Roster
from solvers.scripted import ScriptedSolver

WAIT = 20.0
"""No wait in a test is longer than this, in seconds."""

PATIENCE = 180.0
"""The same for the embedded engine, which is slow where other work has the processor."""

Mode = Literal["auto", "legacy"]


def roster_of(*scripted: ScriptedSolver, **named: ScriptedSolver) -> Roster:
    """A roster of scripted solvers; the first is the default."""
    solvers = {**{f"s{n}": one for n, one in enumerate(scripted)}, **named}
    specs = {
        name: SolverSpec(name=name, api="scripted", options={"solver": one})
        for name, one in solvers.items()
    }
    return Roster(default=next(iter(specs)), specs=specs)


@dataclass(slots=True)
class Host:
    """A connected client with shortcuts for what hosts do."""

    client: Client
    server: AtlasServer

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        with anyio.fail_after(WAIT):
            return await self.client.call_tool(tool, arguments)

    async def explore(self, problem: str = "What is 6 × 7?", **more: Any) -> dict[str, Any]:
        asked = more if "problem_id" in more else {"problem": problem, **more}
        return self.structured(await self.call("explore", **asked))

    def structured(self, result: CallToolResult) -> dict[str, Any]:
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        found: dict[str, Any] = result.structured_content
        return found

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The text of the error that a call meets."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        return text_of(result)

    async def read(self, uri: str) -> str:
        with anyio.fail_after(WAIT):
            return str(getattr((await self.client.read_resource(uri)).contents[0], "text", ""))


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


Connect = Callable[..., AbstractAsyncContextManager[Host]]
