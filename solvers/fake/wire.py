"""One client's connection: whole requests in, any bytes out, and every way to break it off."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute

T = TypeVar("T")

_PATIENCE = 5.0  # seconds that a client has to close its end, too


class ClientLeft(Exception):
    """The client closed its end before it had its reply."""


class BadRequest(Exception):
    """What came over the wire is no HTTP request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; header names are in lower case, `path` is without its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Reads requests and writes bytes. What is written need not be HTTP."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._left = b""

    async def request(self) -> Request | None:
        """The next request, or None when the client has closed the connection.

        Raises:
            BadRequest: it sent something else.
        """
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=2**16)
        first: h11.Request | None = None
        body = bytearray()
        try:
            if self._left:
                parser.receive_data(self._left)
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    parser.receive_data(await self._receive())
                elif isinstance(event, h11.Request):
                    first = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise BadRequest(str(error)) from error
        self._left = parser.trailing_data[0]
        assert first is not None
        return _request(first, bytes(body))

    async def send(self, data: bytes) -> None:
        """Write bytes.

        Raises:
            ClientLeft: nobody is there to read them.
        """
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ClientLeft from error

    async def pause(self, seconds: float) -> None:
        """Wait, but not for a client that has left.

        Raises:
            ClientLeft: it closed its end meanwhile.
        """
        if seconds:
            with anyio.move_on_after(seconds):
                await self.stall()

    async def stall(self) -> None:
        """Say nothing until the client gives up.

        Raises:
            ClientLeft: it did.
        """
        while data := await self._receive():
            self._left += data
        raise ClientLeft

    async def attending(self, work: Awaitable[T]) -> T:
        """Await something, but not for a client that has left.

        Raises:
            ClientLeft: it closed its end meanwhile; the work is cancelled then.
        """
        done: list[T] = []

        async def watch() -> None:
            with suppress(ClientLeft):
                await self.stall()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            done.append(await work)
            tasks.cancel_scope.cancel()
        if not done:
            raise ClientLeft
        return done[0]

    async def reset(self) -> None:
        """Break the connection off, so that the client sees a reset and not an end."""
        raw = self._stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self._stream.aclose()

    async def close(self) -> None:
        """End the connection in order: the client reads all that was written, then the end."""
        with suppress(ClientLeft, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._stream.send_eof()
            await self.pause(_PATIENCE)
        await self._stream.aclose()

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return b""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """The status line and headers of a response."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """A part of a response whose length is not known beforehand; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


_REASONS = {status.value: status.phrase for status in HTTPStatus}


def _request(first: h11.Request, body: bytes) -> Request:
    path, _, _ = first.target.decode("latin-1").partition("?")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in first.headers}
    return Request(method=first.method.decode("ascii"), path=path, headers=headers, body=body)
