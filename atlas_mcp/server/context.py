"""What every handler of the server shares, and the server class itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import CallToolResult, InputRequiredResult, Resource, Tool
from pydantic import ValidationError

from atlas_mcp.core.redaction import Redactor
from atlas_mcp.explore.service import Explorer
from atlas_mcp.server.board import Board
from atlas_mcp.server.outbox import Outbox


@dataclass(slots=True, kw_only=True)
class App:
    """The opened application. It lives as long as the server runs."""

    explorer: Explorer
    board: Board
    redact: Redactor
    attachments_folder: Path | None
    outbox: Outbox


class AtlasServer(MCPServer[App]):
    """An `MCPServer` whose listings are compact, and whose resources follow the store."""

    app: App | None = None
    """Set while the server runs."""

    reports_writes = False
    """Whether the transport tells the outbox what it has written; set before it serves."""

    def written(self, message: str) -> None:
        """The transport has written this to the host."""
        if self.app is not None:
            self.app.outbox.written(message)

    closed: anyio.Event
    """Set once the application has been closed in order."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[App] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what it refuses is told in its own words, wrong arguments in a line each."""
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(_faults(cause)) from error
            raise (cause if isinstance(cause, ToolError) else error) from error

    async def list_tools(self) -> list[Tool]:
        return [
            tool.model_copy(update={"input_schema": _compact(tool.input_schema)})
            for tool in await super().list_tools()
        ]

    async def list_resources(self) -> list[Resource]:
        recent = [] if self.app is None else await self.app.board.resources()
        return [*await super().list_resources(), *recent]


def _faults(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].removeprefix('Input ')}"
        for one in error.errors(include_input=False, include_url=False)[:5]
    ]
    return "wrong arguments: " + "; ".join(faults)


def _compact(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the titles that pydantic derives from the names."""
    return {
        key: {name: _compact(part) for name, part in value.items()}
        if key == "properties"
        else _compact(value)
        if isinstance(value, dict)
        else value
        for key, value in schema.items()
        if key != "title"
    }
