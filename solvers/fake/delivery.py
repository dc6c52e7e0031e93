"""How a response goes over the wire: whole or in events, garbled or broken off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from solvers.fake.faults import Break, Garble
from solvers.fake.sse import Event, compact
from solvers.fake.wire import Wire, chunk, head


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is to be sent: a body, or the events of a stream."""

    status: int = 200
    body: bytes = b""
    events: Sequence[Event] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response whose body is JSON."""
    return Response(status=status, body=compact(data).encode(), headers=headers or {})


def garbled(response: Response, how: Garble, error: Event) -> Response:
    """The response as it arrives when its bytes are not what they should be.

    `error` is the event that the api breaks off a stream with. What only a stream can
    suffer leaves a whole response as it is.
    """
    match how:
        case "html":
            page = b"<html><body><h1>Welcome</h1></body></html>"
            return Response(body=page, media_type="text/html", headers=response.headers)
        case "empty":
            return Response(headers=response.headers)
        case "broken-json":
            broken = b'{"id": "broken", "content": ['
            return Response(body=broken, headers=response.headers)
        case "wrong-type":
            return replace(response, media_type="text/plain")
        case "no-choices":
            failure = {"error": {"message": "Provider returned error", "code": 502}}
            return as_json(failure, headers=response.headers)
        case "no-stop":
            events = response.events and [one for one in response.events if not one.last]
            return replace(response, events=events)
        case "stream-error":
            events = response.events and [*_half(response.events), error]
            return replace(response, events=events)


async def deliver(wire: Wire, response: Response, breaks: Break | None, between: float) -> None:
    """Send it; `between` is the seconds from one event to the next.

    Raises:
        ClientLeft: the client closed its end before it was all sent.
    """
    match breaks:
        case None:
            await _send(wire, response, between)
        case "stall":
            await wire.stall()
        case "reset":
            await wire.reset()
        case _:
            await wire.send(_first_half(response, broken_off=breaks == "cut"))
            await _break(wire, breaks)


async def _break(wire: Wire, breaks: Break) -> None:
    match breaks:
        case "stall-body":
            await wire.stall()
        case "reset-body":
            await wire.reset()
        case _:
            await wire.close()


async def _send(wire: Wire, response: Response, between: float) -> None:
    if response.events is None:
        await wire.send(_head(response) + response.body)
    elif not between:
        events = b"".join(event.encoded() for event in response.events)
        await wire.send(_head(response) + chunk(events) + chunk(b""))
    else:
        await wire.send(_head(response))
        for event in response.events:
            await wire.send(chunk(event.encoded()))
            await wire.pause(between)
        await wire.send(chunk(b""))


def _first_half(response: Response, *, broken_off: bool) -> bytes:
    """The head and half of the rest, which may end in the middle of an event."""
    if response.events is None:
        return _head(response) + response.body[: len(response.body) // 2]
    half = _half(response.events)
    data = b"".join(event.encoded() for event in half)
    if broken_off:
        data += response.events[len(half)].encoded()[:20]
    return _head(response) + chunk(data)


def _half(events: Sequence[Event]) -> Sequence[Event]:
    return events[: max(1, len(events) // 2)]


def _head(response: Response) -> bytes:
    stream = response.events is not None
    length = {"transfer-encoding": "chunked"} if stream else {"content-length": len(response.body)}
    media_type = "text/event-stream" if stream else response.media_type
    if stream and response.media_type != "application/json":
        media_type = response.media_type
    headers = {"content-type": media_type, **length, **response.headers}
    return head(response.status, {name: str(value) for name, value in headers.items()})
