"""Reach a server over MCP: one spawned for this run, one at a URL, or one in this process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from atlas_mcp.core.errors import AtlasError

_BROKEN = (MCPError, OSError, httpx2.HTTPError)

Target = str | StdioServerParameters | MCPServer


class ConnectionFailedError(AtlasError):
    """The server could not be reached or went away."""


def spawned(options: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Target:
    """A server process of our own, serving over stdio and ending with the connection."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "atlas_mcp", "serve", *options],
        env=dict(env or {}),
    )


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Client]:
    """Connect to a server.

    Raises:
        ConnectionFailedError: it cannot be reached, or it ended during the run.
    """
    try:
        async with Client(target) as client:
            yield client
    except _BROKEN as error:
        raise _failed(target, error) from error
    except BaseExceptionGroup as group:
        wire, other = group.split(_BROKEN)
        if wire is None or other is not None:
            raise
        raise _failed(target, wire) from group


def _failed(target: Target, error: BaseException) -> ConnectionFailedError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(target, str):
        return ConnectionFailedError(
            f"the server at {target} cannot be reached ({error}): is it running, and does the "
            "address end in /mcp?"
        )
    return ConnectionFailedError(
        f"the server process ended ({error}); what it said last stands above"
    )
