"""How a response goes over the wire: whole or in events, garbled or broken off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    stream_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)

    def marked(self, id: str) -> Response:
        """The same with a request id, under the names that both providers have for it."""
        return replace(self, headers={"request-id": id, "x-request-id": id, **self.headers})


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
            return replace(response, media_type="text/plain", stream_type="text/plain")
        case "no-choices":
            failure = {"error": {"message": "Provider returned error", "code": 502}}
            return as_json(failure, headers=response.headers)
        case "no-stop":
            events = response.events and [one for one in response.events if not one.last]
            return replace(response, events=events)
        case "stream-error":
            events = response.events and [*_half(response.events), error]
            return replace(response, events=events)


async def deliver(
    wire: Wire,
    response: Response,
    breaks: Break | None = None,
    *,
    between: float = 0.0,
    finishing: Callable[[], None] = lambda: None,
) -> None:
    """Send it; `between` is the seconds from one event to the next.

    `finishing` is called just before the last of it is sent, so that what it writes down
    is there when the client has its reply. It is not called where the reply stalls.
    After a break there is nothing to do but to close the connection.

    Raises:
        ClientLeft: the client closed its end before it was all sent.
    """
    match breaks:
        case None:
            *parts, last = _parts(response, together=not between)
            for part in parts:
                await wire.send(part)
                await wire.pause(between)
            finishing()
            await wire.send(last)
        case "stall":
            await wire.stall()
        case "stall-body":
            await wire.send(_first_half(response))
            await wire.stall()
        case "reset":
            finishing()
            await wire.reset()
        case "reset-body":
            finishing()
            await wire.send(_first_half(response))
            await wire.reset()
        case "cut":
            finishing()
            await wire.send(_first_half(response, into_an_event=True))


def _parts(response: Response, *, together: bool) -> list[bytes]:
    """What is sent one after the other: the events, or all at once."""
    if response.events is None:
        return [_head(response) + response.body]
    data = [event.encoded() for event in response.events]
    chunks = [chunk(b"".join(data))] if together else [chunk(one) for one in data]
    chunks[0] = _head(response) + chunks[0]
    chunks[-1] += chunk(b"")
    return chunks


def _first_half(response: Response, *, into_an_event: bool = False) -> bytes:
    """The head and half of the rest, with the beginning of the next event if need be."""
    if response.events is None:
        return _head(response) + response.body[: len(response.body) // 2]
    half = _half(response.events)
    data = b"".join(event.encoded() for event in half)
    if into_an_event:
        data += response.events[len(half)].encoded()[:20]
    return _head(response) + chunk(data)


def _half(events: Sequence[Event]) -> Sequence[Event]:
    return events[: max(1, len(events) // 2)]


def _head(response: Response) -> bytes:
    if response.events is None:
        length, media_type = {"content-length": str(len(response.body))}, response.media_type
    else:
        length, media_type = {"transfer-encoding": "chunked"}, response.stream_type
    return head(response.status, {"content-type": media_type, **length, **response.headers})
