"""One back-off policy, and the lane that all calls to one provider share.

A lane lets so many calls through at a time, and holds all of them back while the provider
asks one of them to wait. Only `RetryLaterError`s are repeated. A call that waits holds
neither its place on the lane nor its slot.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import TypeVar

import anyio

from solvers.errors import RateLimitedError, RetryLaterError
from solvers.types import Slots

T = TypeVar("T")

ABSURD_SECONDS = 86_400.0
"""A provider that asks for a longer wait than a day is not believed."""

LONGEST_COOL_DOWN = 300.0
"""However long a provider asks one call to wait, others try again after so many seconds."""

_SPREAD = 0.5
"""Calls that were held back together start again within so many seconds, not at once."""


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a `retry-after` header asks for; None where it makes no sense."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now)
    return seconds if 0 <= seconds <= ABSURD_SECONDS else None


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    seconds = max(0.0, (then - now).total_seconds())
    return seconds if seconds <= ABSURD_SECONDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How often to try, and how long to wait in between: full jitter over a doubling span."""

    attempts: int = 5
    first: float = 1.0
    most: float = 60.0

    def wait(self, failed: int, asked: float | None, random: Random) -> float:
        """Seconds to wait after so many failed attempts; never less than the provider asked."""
        jitter = random.uniform(0, min(self.most, self.first * 2 ** (failed - 1)))
        return jitter if asked is None else asked + min(jitter, self.first)


class Lane:
    """The way to one provider. Clock and sleep are in seconds; the clock is the deadlines'."""

    def __init__(
        self,
        parallel: int,
        slots: Slots,
        *,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random: Random | None = None,
    ) -> None:
        self._gate = anyio.Semaphore(parallel)
        self._slots = slots
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random()
        self._closed_until = -math.inf

    async def run(
        self,
        attempt: Callable[[], Awaitable[T]],
        backoff: Backoff,
        *,
        deadline: float = math.inf,
        repeatable: Callable[[], bool] = lambda: True,
    ) -> T:
        """Make the attempt, and again while it fails with what may pass.

        Waiting for other calls to leave the lane is no fault of this one and puts its
        deadline off.

        Raises:
            RetryLaterError: the attempts are used up, `repeatable` forbids another one, or
                the wait for it would go past the deadline: then at once.
            SolverError: whatever else the attempt raises, unrepeated.
        """
        failed = 0
        while True:
            deadline = await self._enter(deadline)
            try:
                return await attempt()
            except RetryLaterError as error:
                failed += 1
                wait = backoff.wait(failed, error.retry_after, self._random)
                self._cool_down(error, wait)
                last = failed >= backoff.attempts or not repeatable()
                if last or self._clock() + wait >= deadline:
                    raise
            finally:
                self._gate.release()
            await self._rest(wait)

    async def _enter(self, deadline: float) -> float:
        """Get a place on the lane; returns the deadline, put off by the wait for it."""
        while True:
            await self._held_back(deadline)
            came = self._clock()
            await self._pass_gate()
            deadline += self._clock() - came
            if self._clock() >= self._closed_until:
                return deadline
            self._gate.release()

    async def _pass_gate(self) -> None:
        passed = False
        try:
            self._gate.acquire_nowait()
        except anyio.WouldBlock:
            # Those who wait here must not keep calls to other providers from working.
            try:
                async with self._slots.put_down():
                    await self._gate.acquire()
                    passed = True
            except BaseException:
                if passed:
                    self._gate.release()
                raise

    async def _held_back(self, deadline: float) -> None:
        while (left := self._closed_until - self._clock()) > 0:
            if self._closed_until >= deadline:
                raise RateLimitedError(
                    f"the provider asked for a pause of {left:.0f} s more, "
                    "which goes past the time limit of this call",
                    retry_after=left,
                )
            spread = self._random.uniform(0, _SPREAD)
            await self._rest(min(left + spread, deadline - self._clock()))

    def _cool_down(self, error: RetryLaterError, wait: float) -> None:
        if isinstance(error, RateLimitedError) or error.retry_after is not None:
            until = self._clock() + min(wait, LONGEST_COOL_DOWN)
            self._closed_until = max(self._closed_until, until)

    async def _rest(self, seconds: float) -> None:
        async with self._slots.put_down():
            await self._sleep(seconds)
