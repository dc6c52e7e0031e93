"""The three apis that a fake provider speaks: the one place to add another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from solvers.fake import chat, messages, responses
from solvers.fake.exchange import Answer, Asked
from solvers.fake.quota import Standings
from solvers.fake.sse import Event
from solvers.fake.wire import Request


class Dialect(Protocol):
    """How one api writes things down. Its implementations are modules of this package."""

    def read(self, body: Mapping[str, Any]) -> Asked: ...

    def whole(self, answer: Answer) -> dict[str, Any]: ...

    def events(self, answer: Answer) -> Iterator[Event]: ...

    def error_event(self, answer: Answer) -> Event: ...

    def error(
        self, status: int, message: str, code: str | None, param: str | None
    ) -> dict[str, Any]: ...

    def limits(self, standings: Standings) -> dict[str, str]: ...


DIALECTS: dict[str, Dialect] = {
    "/v1/messages": messages,
    "/v1/responses": responses,
    "/v1/chat/completions": chat,
}


def dialect_of(request: Request) -> Dialect:
    """The api of a request; for paths of both providers, the headers tell."""
    if found := DIALECTS.get(request.path):
        return found
    anthropic = request.path.startswith("/v1/messages") or "anthropic-version" in request.headers
    return messages if anthropic else chat
