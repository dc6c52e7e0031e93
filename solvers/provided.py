"""A language model that a provider serves: what all three apis have in common.

A `Wire` sends one turn once, in its api's own form. A `ProvidedModel` adds the rest: what
is checked before sending, retries, the account of every attempt, and the worst case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import anyio

from solvers.errors import BrokenReplyError
from solvers.facts import Facts
from solvers.images import check_images
from solvers.model import Message, ModelReply, ModelRequest
from solvers.pricing import Pricer
from solvers.retry import Backoff, Lane
from solvers.types import Meter, Usage, WorstCase

NOTHING_USED = Usage(requests=1)
"""A request that was sent, or tried to, and that no model began to answer."""

BILLED_ATTEMPTS = 2
"""An attempt that may have been billed is repeated once; one that was turned away, more often."""

_OVERHEAD_TOKENS = 2_048
"""More than a provider writes around a prompt: roles, the words that introduce tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A request with what its effort means for this model."""

    request: ModelRequest
    effort: str | None
    max_tokens: int


@dataclass(slots=True)
class Receipt:
    """What one attempt has used, so far as the provider has said. `usd` is its own word."""

    usage: Usage = field(default_factory=Usage)
    usd: float | None = None


class Wire(Protocol):
    """Sends turns in the form of one api. May be called concurrently."""

    async def send(self, turn: Turn, receipt: Receipt) -> ModelReply:
        """Send the turn once, and put what that used on the receipt whatever happens.

        Raises:
            SolverError: there is no reply.
        """
        ...


@dataclass(slots=True)
class _Account:
    """The attempts of one turn, each booked as it ends."""

    meter: Meter
    price: Pricer
    billed: int = 0

    def book(self, receipt: Receipt) -> None:
        usd = self.price(receipt.usage) if receipt.usd is None else receipt.usd
        self.meter.spend(receipt.usage, usd)
        self.billed += receipt.usage.total_tokens != 0


class ProvidedModel:
    """Takes turns in conversations through a provider's api."""

    def __init__(
        self,
        wire: Wire,
        *,
        facts: Facts,
        price: Pricer,
        lane: Lane,
        backoff: Backoff,
        max_seconds: float = 300.0,
    ) -> None:
        self.facts = facts
        self._wire = wire
        self._price = price
        self._lane = lane
        self._backoff = backoff
        self._max_seconds = max_seconds

    @property
    def name(self) -> str:
        return self.facts.model

    def worst_case(self, request: ModelRequest) -> WorstCase:
        """A prompt has at most as many tokens as bytes; all of it may be written to a cache."""
        times = min(BILLED_ATTEMPTS, self._backoff.attempts)
        prompt, reply = self._prompt_bound(request), self._max_tokens(request)
        plain = self._price(Usage(input_tokens=prompt, output_tokens=reply))
        written = self._price(
            Usage(input_tokens=prompt, cache_write_tokens=prompt, output_tokens=reply)
        )
        usd = None if plain is None or written is None else times * max(plain, written)
        return WorstCase(tokens=times * (prompt + reply), usd=usd, seconds=self._max_seconds)

    async def reply(self, request: ModelRequest, meter: Meter) -> ModelReply:
        """Take one turn; what may pass is tried again until the caller's deadline.

        Raises:
            FixRequestError: an attachment cannot be shown to this model; nothing was sent.
            SolverError: there is no reply; the class says what can be done about it.
        """
        for message in request.messages:
            check_images(message.attachments, self.facts)
        turn = Turn(
            request=request,
            effort=self.facts.effort(request.effort),
            max_tokens=self._max_tokens(request),
        )
        account = _Account(meter, self._price)
        reply = await self._lane.run(
            partial(self._attempt, turn, account),
            self._backoff,
            deadline=self._deadline(),
            repeatable=lambda: account.billed < BILLED_ATTEMPTS,
        )
        return _without_calls(reply) if request.tools_closed or not request.tools else reply

    async def _attempt(self, turn: Turn, account: _Account) -> ModelReply:
        receipt = Receipt()
        try:
            return await self._wire.send(turn, receipt)
        finally:
            account.book(receipt)

    def _deadline(self) -> float:
        return min(anyio.current_effective_deadline(), anyio.current_time() + self._max_seconds)

    def _max_tokens(self, request: ModelRequest) -> int:
        if request.max_tokens is None:
            return self.facts.limit(request.effort)
        return self.facts.clamped(request.max_tokens)

    def _prompt_bound(self, request: ModelRequest) -> int:
        texts = [request.system, json.dumps(request.schema and dict(request.schema))]
        for tool in request.tools:
            texts += [tool.name, tool.description, json.dumps(dict(tool.schema))]
        for message in request.messages:
            texts += _texts(message)
        images = sum(len(message.attachments) for message in request.messages)
        bound = sum(len(text.encode("utf-8", "replace")) for text in texts) + 16 * len(
            request.messages
        )
        bound += images * self.facts.image_tokens + _OVERHEAD_TOKENS
        return bound if self.facts.context is None else min(bound, self.facts.context)


def _texts(message: Message) -> Iterable[str]:
    if message.native is not None:
        yield json.dumps(message.native)
    yield message.text
    yield from (call.raw + json.dumps(call.name) for call in message.tool_calls)
    yield from (result.text for result in message.tool_results)


def _without_calls(reply: ModelReply) -> ModelReply:
    """The reply to a request that had no tool to call: a call in it cannot be answered."""
    if not reply.tool_calls:
        return reply
    if not reply.text.strip():
        raise BrokenReplyError(f"{reply.model} called a tool where none was offered")
    return replace(reply, finish="stop", tool_calls=(), native=None)
