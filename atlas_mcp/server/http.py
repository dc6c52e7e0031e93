"""Serve over streamable HTTP, on loopback unless the user says which host names may ask."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from anyio.abc import SocketAttribute
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atlas_mcp.core.errors import BadRequestError, SetupError
from atlas_mcp.server.context import AtlasServer

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
PATH = "/mcp"
GRACE_SECONDS = 3

MAX_BODY = 32_000_000
"""The most bytes of one request: all attachments that a problem may have, in base64, and more."""


def parse_address(text: str) -> tuple[str, int]:
    """Split HOST:PORT.

    Raises:
        BadRequestError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    number = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not host or not number or int(port) > 65_535:
        raise BadRequestError(f"--http takes HOST:PORT, such as 127.0.0.1:8000, not {text!r}")
    return host, int(port)


def create_http_app(server: AtlasServer, host: str, allowed_hosts: Sequence[str] = ()) -> Starlette:
    """The ASGI application: MCP at /mcp, and /healthz for whoever watches it.

    Raises:
        BadRequestError: a host other than loopback without any allowed host name.
    """
    if host not in (*LOOPBACK, "::1") and not allowed_hosts:
        raise BadRequestError(
            f"--http {host} is reachable from other machines and has no access control of its own: "
            "put it behind a proxy that has, and name the public host with --allowed-host"
        )

    async def healthz(request: Request) -> Response:
        running = server.app is not None
        return JSONResponse({"ok": running}, status_code=200 if running else 503)

    server.custom_route("/healthz", methods=["GET"])(healthz)
    names = [*(f"{name}:*" for name in LOOPBACK), *allowed_hosts]
    server.reports_writes = True
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=host,
        max_request_body_size=MAX_BODY,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=names,
            allowed_origins=[
                f"{scheme}://{name}" for scheme in ("http", "https") for name in names
            ],
        ),
    )
    app.add_middleware(_Reporting, server=server)
    return app


class _Reporting:
    """Tells the server what has been written to a client that was still there."""

    def __init__(self, app: ASGIApp, server: AtlasServer) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def reporting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                self._server.written(message.get("body", b"").decode(errors="replace"))

        await self._app(scope, receive, reporting)


async def serve_http(
    server: AtlasServer,
    host: str,
    port: int,
    allowed_hosts: Sequence[str] = (),
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; calls in flight are stopped and recorded.

    Port 0 is any free port. `ready` is told the server's URL once it can be used.

    Raises:
        SetupError: the address cannot be listened at.
    """
    app = create_http_app(server, host, allowed_hosts)
    config = uvicorn.Config(
        app,
        lifespan="off",  # entered here, so that what stops it from starting can be told
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    serving = _Server(config)
    async with _listening(host.strip("[]"), port) as sockets, anyio.create_task_group() as tasks:
        async with app.router.lifespan_context(app):
            if os.name != "nt":  # no signals for loops there; Ctrl-C cancels instead
                tasks.start_soon(_exit_on_signal, serving)
            if ready is not None:
                ready(f"http://{host}:{sockets[0].getsockname()[1]}{PATH}")
            await serving.serve(sockets)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def _listening(host: str, port: int) -> AsyncIterator[list[socket.socket]]:
    try:
        listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SetupError(
            f"--http {host}:{port} cannot be listened at ({reason}): name an address of this "
            "machine and a port that is free, or port 0 for any"
        ) from error
    async with listener:
        yield [one.extra(SocketAttribute.raw_socket) for one in listener.listeners]


async def _exit_on_signal(serving: uvicorn.Server) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            serving.force_exit = serving.should_exit  # at the second signal
            serving.should_exit = True


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again before the store is closed."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
