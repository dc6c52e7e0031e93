"""What a fake provider answers to each request; sockets are not its business."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from solvers.fake import chat, messages, responses
from solvers.fake.delivery import Response, as_json, garbled
from solvers.fake.exchange import Answer, Asked, Rejected, Reply, Script
from solvers.fake.faults import DATE, FAULTS, Break, Fault, Ordered, ordered
from solvers.fake.journal import Journal, Seen
from solvers.fake.script import say
from solvers.fake.spoiling import spoiled
from solvers.fake.sse import Event
from solvers.fake.tokens import Cache, bounded, prompt_tokens
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


_DIALECTS: dict[str, Dialect] = {
    "/v1/messages": messages,
    "/v1/responses": responses,
    "/v1/chat/completions": chat,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent, and how the connection breaks, if it does."""

    response: Response
    breaks: Break | None = None


@dataclass(slots=True, kw_only=True)
class Service:
    """Answers requests by a script, and by the faults that model ids ask for."""

    script: Script
    journal: Journal
    needs_key: bool = True
    _cache: Cache = field(default_factory=Cache)
    _failed: Counter[tuple[str, ...]] = field(default_factory=Counter)

    async def answer(self, request: Request, seen: Seen) -> Plan:
        """Decide on the answer, and write into the journal what it is."""
        dialect = _dialect(request)
        try:
            plan = await self._answer(request, seen, dialect)
        except Rejected as fault:
            error = dialect.error(fault.status, str(fault), fault.code, fault.param)
            plan = Plan(response=as_json(error, fault.status))
        seen.status = None if plan.breaks in ("reset", "stall") else plan.response.status
        return plan

    async def _answer(self, request: Request, seen: Seen, dialect: Dialect) -> Plan:
        match request.method, request.path:
            case "GET", "/healthz":
                return Plan(response=as_json({"status": "ok"}))
            case "GET", "/journal":
                return Plan(response=as_json(self.journal.as_dict()))
        if self.needs_key and not _has_key(request.headers):
            raise Rejected("A key is required.", status=401, code="invalid_api_key")
        match request.method, request.path:
            case "POST", "/v1/messages/count_tokens":
                seen.body = _parsed(request.body)
                asked = messages.read({"max_tokens": 1, **seen.body})
                return Plan(response=as_json({"input_tokens": prompt_tokens(asked)}))
            case "POST", path if path in _DIALECTS:
                return await self._call(request, seen, dialect)
        raise Rejected(f"Not found: {request.method} {request.path}", status=404)

    async def _call(self, request: Request, seen: Seen, dialect: Dialect) -> Plan:
        seen.body = _parsed(request.body)
        asked = _read(dialect, seen.body)
        seen.api, seen.model = asked.api, asked.model
        order = _ordered(asked.model)
        asked = replace(
            asked,
            model=order.model if order else asked.model,
            headers=seen.headers,
            number=seen.number,
        )
        fault = self._due(order, asked)
        reply = Reply() if fault and fault.status else await say(self.script, asked)
        if isinstance(reply, Fault):
            fault, reply = reply, Reply(text="It follows.")
        seen.fault = fault.name if fault else None
        if fault and fault.status:
            return Plan(response=_refusal(fault, dialect, asked))
        return self._replied(asked, reply, fault, seen, dialect)

    def _replied(
        self, asked: Asked, reply: Reply, fault: Fault | None, seen: Seen, dialect: Dialect
    ) -> Plan:
        if fault and fault.spoils:
            reply = spoiled(reply, fault.spoils)
        if reply.finish == "failed" and asked.api != "responses":
            return Plan(response=_refusal(FAULTS["500"], dialect, asked))
        reply = bounded(reply, asked.max_tokens)
        usage = reply.usage or self._cache.usage(asked, reply)
        told = None if fault and fault.spoils == "no-usage" else usage
        answer = Answer(asked=asked, reply=reply, usage=told, number=seen.number)
        response = _written(answer, dialect)
        if fault and fault.garbles:
            response = garbled(response, fault.garbles, dialect.error_event(answer))
        breaks = fault.breaks if fault else None
        seen.usage = told if breaks is None and not (fault and fault.garbles) else None
        return Plan(response=response, breaks=breaks)

    def _due(self, order: Ordered | None, asked: Asked) -> Fault | None:
        """The fault that a model id orders, unless it has struck this conversation enough."""
        if order is None:
            return None
        key = (order.fault.name, asked.model, asked.system, asked.problem)
        self._failed[key] += 1
        enough = order.times is not None and self._failed[key] > order.times
        return None if enough else order.fault


def _dialect(request: Request) -> Dialect:
    if found := _DIALECTS.get(request.path):
        return found
    return messages if "anthropic-version" in request.headers else chat


def _has_key(headers: Mapping[str, str]) -> bool:
    return bool(headers.get("x-api-key") or headers.get("authorization"))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Rejected("We could not parse the JSON body of your request.") from error
    if not isinstance(found, dict):
        raise Rejected("The body must be a JSON object.")
    return found


def _read(dialect: Dialect, body: Mapping[str, Any]) -> Asked:
    try:
        return dialect.read(body)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Rejected(f"The request has the wrong shape: {error!r}") from error


def _ordered(model: str) -> Ordered | None:
    try:
        return ordered(model)
    except KeyError as error:
        known = ", ".join(FAULTS)
        raise Rejected(f"The model id orders an unknown fault {error}; known: {known}") from error


def _written(answer: Answer, dialect: Dialect) -> Response:
    headers = {"request-id": f"req_{answer.id}", "x-request-id": f"req_{answer.id}"}
    if answer.asked.stream:
        return Response(events=list(dialect.events(answer)), headers=headers)
    return as_json(dialect.whole(answer), headers=headers)


def _refusal(fault: Fault, dialect: Dialect, asked: Asked) -> Response:
    assert fault.status is not None
    words = fault.message if asked.api == "messages" else fault.openai or fault.message
    headers = {} if fault.retry_after is None else {"retry-after": _retry_after(fault.retry_after)}
    return as_json(dialect.error(fault.status, words, fault.code, None), fault.status, headers)


def _retry_after(given: str) -> str:
    if given != DATE:
        return given
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
