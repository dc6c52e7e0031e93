"""Serve over standard input and output, and end cleanly however the host says goodbye."""

from __future__ import annotations

import os
import signal
import sys

import anyio

from atlas_mcp.server.context import AtlasServer

TEARDOWN_SECONDS = 5.0


async def serve_stdio(server: AtlasServer) -> None:
    """Serve until end of input, SIGINT or SIGTERM; calls in flight are stopped and recorded."""
    async with anyio.create_task_group() as tasks:
        if os.name != "nt":  # no signals for loops there; end of input does the same
            tasks.start_soon(_exit_on_signal, server, tasks.cancel_scope)
        await server.run_stdio_async()
        tasks.cancel_scope.cancel()


async def _exit_on_signal(server: AtlasServer, serving: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            serving.cancel()
            with anyio.CancelScope(shield=True), anyio.move_on_after(TEARDOWN_SECONDS):
                await server.closed.wait()
            sys.stderr.flush()
            # The SDK's thread that reads standard input cannot be interrupted.
            os._exit(0)
