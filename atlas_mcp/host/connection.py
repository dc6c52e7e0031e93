"""Reach a server over MCP: one spawned for this run, one at a URL, or one in this process."""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import CONNECTION_CLOSED

from atlas_mcp.core.errors import AtlasError

CONNECT_SECONDS = 15.0
"""How long a server at a URL may take to answer for the first time."""

_BROKEN = (MCPError, OSError, httpx2.HTTPError, httpx2.InvalidURL)

Target = str | StdioServerParameters | MCPServer


class ConnectionFailedError(AtlasError):
    """The server could not be reached, went away or does not speak with us."""


def spawned(options: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Target:
    """A server process of our own, serving over stdio and ending with the connection."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "atlas_mcp", "serve", *options],
        env=dict(env or {}),
    )


@asynccontextmanager
async def connect(
    target: Target, *, connect_seconds: float = CONNECT_SECONDS
) -> AsyncIterator[Client]:
    """Connect to a server. What the caller's block raises comes out as it is.

    Raises:
        ConnectionFailedError: it cannot be reached, does not answer within `connect_seconds`
            (at a URL), ended during the run or refused a request.
    """
    raised: Exception | None = None
    broken: BaseException | None = None
    limit = connect_seconds if isinstance(target, str) else math.inf
    try:
        with anyio.CancelScope(deadline=anyio.current_time() + limit) as patience:
            async with Client(target) as client:
                patience.deadline = math.inf
                try:
                    yield client
                except Exception as error:
                    raised = error
    except _BROKEN as error:
        broken = error
    except BaseExceptionGroup as group:
        broken, other = group.split(_BROKEN)
        if broken is None or other is not None:
            raise
    if raised is not None and not _of_the_wire(raised):
        raise raised
    if cause := broken or raised:
        raise _failed(target, cause) from cause
    if patience.cancelled_caught:
        raise ConnectionFailedError(
            f"the server at {target} did not answer within {connect_seconds:g} s: {_CHECK}"
        )


def _of_the_wire(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.split(MCPError)[1] is None
    return isinstance(error, MCPError)


_CHECK = "is an atlas-mcp server running there, and does the address end in /mcp?"


def _failed(target: Target, error: BaseException) -> ConnectionFailedError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    refused = isinstance(error, MCPError) and error.code != CONNECTION_CLOSED
    if isinstance(target, str):
        what = "refused a request" if refused else "cannot be reached"
        return ConnectionFailedError(f"the server at {target} {what} ({error}): {_CHECK}")
    if refused:
        return ConnectionFailedError(f"the server refused a request ({error})")
    return ConnectionFailedError(
        f"the server process ended ({error}); what it said last stands above"
    )
