"""Serve over standard input and output, and end cleanly however the host says goodbye."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

import anyio
from mcp.server.stdio import stdio_server

from atlas_mcp.server.context import AtlasServer

TEARDOWN_SECONDS = 5.0


async def serve_stdio(server: AtlasServer) -> None:
    """Serve until the host goes, or SIGINT or SIGTERM; calls in flight are stopped and recorded."""
    server.reports_writes = True
    with _wire() as file:
        output = _Output(file, server)
        async with anyio.create_task_group() as tasks:
            if os.name != "nt":  # no signals for loops there; end of input does the same
                tasks.start_soon(_exit_on_signal, server, tasks.cancel_scope)
            tasks.start_soon(_exit_on_silence, output, server, tasks.cancel_scope)
            async with stdio_server(stdout=output) as (incoming, outgoing):
                low = server._lowlevel_server
                await low.run(incoming, outgoing, low.create_initialization_options())
            tasks.cancel_scope.cancel()


class _Output(anyio.AsyncFile[str]):
    """Standard output that tells the server what has been written to it."""

    def __init__(self, file: TextIO, server: AtlasServer) -> None:
        super().__init__(file)
        self.gone = anyio.Event()
        """Set once nobody reads any more."""
        self._server = server
        self._line = ""

    async def write(self, text: str) -> int:
        self._line = text
        return await super().write(text)

    async def flush(self) -> None:
        try:
            await super().flush()
        except BrokenPipeError:
            self.gone.set()
            await anyio.sleep_forever()
        self._server.written(self._line)


@contextmanager
def _wire() -> Iterator[TextIO]:
    """The protocol's output. What others print meanwhile goes to standard error."""
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        # Not closed: a thread may still be writing to it when the server ends.
        yield io.TextIOWrapper(os.fdopen(wire, "wb", closefd=False), encoding="utf-8", newline="\n")
    finally:
        os.dup2(wire, 1)


async def _exit_on_signal(server: AtlasServer, serving: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            await _exit(server, serving)


async def _exit_on_silence(
    output: _Output, server: AtlasServer, serving: anyio.CancelScope
) -> None:
    await output.gone.wait()
    await _exit(server, serving)


async def _exit(server: AtlasServer, serving: anyio.CancelScope) -> NoReturn:
    serving.cancel()
    with anyio.CancelScope(shield=True), anyio.move_on_after(TEARDOWN_SECONDS):
        await server.closed.wait()
    sys.stderr.flush()
    # The SDK's thread that reads standard input cannot be interrupted.
    os._exit(0)
