"""What a fake provider saw: one entry for each request, written as it comes and as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import anyio

from solvers.types import Usage

Outcome = Literal["open", "answered", "broken", "client left", "stopped"]

_SECRET = ("authorization", "x-api-key", "api-key", "cookie", "proxy-authorization")


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request. `arrived` and `seconds` are in seconds, the former since the start.

    `in_flight` counts the requests that were open when it came, itself among them. `usage`
    is what the reply reported to the client; None where it reported none. `outcome` is
    "broken" where a fault broke the reply off, "stopped" where the provider ended first.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    arrived: float
    in_flight: int
    body: Any = None
    api: str | None = None
    model: str | None = None
    fault: str | None = None
    status: int | None = None
    usage: Usage | None = None
    seconds: float | None = None
    outcome: Outcome = "open"


@dataclass(slots=True)
class Journal:
    """Everything that a provider was sent, in the order of arrival.

    Where `keep` is a number, only so many of the newest entries hold headers and a body.
    """

    entries: list[Seen] = field(default_factory=list)
    keep: int | None = None
    open: int = 0
    most_in_flight: int = 0
    _waiting: list[anyio.Event] = field(default_factory=list, repr=False)

    def __iter__(self) -> Iterator[Seen]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def calls(self) -> list[Seen]:
        """The requests for a reply of a model, whatever became of them."""
        return [one for one in self.entries if one.api is not None]

    @property
    def usage(self) -> Usage:
        """The sum of all that was reported to clients."""
        return sum((one.usage for one in self.entries if one.usage), Usage())

    def begin(self, method: str, path: str, headers: Mapping[str, str], now: float) -> Seen:
        """Write down that a request has come."""
        self.open += 1
        self.most_in_flight = max(self.most_in_flight, self.open)
        seen = Seen(
            number=len(self.entries) + 1,
            method=method,
            path=path,
            headers=_redacted(headers),
            arrived=now,
            in_flight=self.open,
        )
        self.entries.append(seen)
        if self.keep is not None and seen.number > self.keep:
            old = self.entries[-self.keep - 1]
            old.headers, old.body = {}, None
        return seen

    def end(self, seen: Seen, outcome: Outcome, now: float) -> None:
        """Write down what became of it. Only the first word on it counts."""
        if seen.outcome != "open":
            return
        self.open -= 1
        seen.outcome = outcome
        seen.seconds = now - seen.arrived
        if not self.open:
            while self._waiting:
                self._waiting.pop().set()

    async def settled(self) -> None:
        """Wait until no request is open, such as one whose client has just given up."""
        while self.open:
            event = anyio.Event()
            self._waiting.append(event)
            await event.wait()

    def as_dict(self) -> dict[str, Any]:
        """The journal as JSON."""
        return {
            "requests": len(self.entries),
            "most_in_flight": self.most_in_flight,
            "usage": asdict(self.usage),
            "entries": [asdict(one) for one in self.entries],
        }


def _redacted(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name in _SECRET else value for name, value in headers.items()}
