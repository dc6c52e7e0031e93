"""The time that one call is at work, and the limit on it. Both stand still while it waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio


class WorkTime:
    """A stopwatch that runs from the start, except within `paused`.

    The clock is the one that deadlines are of.
    """

    def __init__(self, clock: Callable[[], float] = anyio.current_time) -> None:
        self._clock = clock
        self._before = 0.0
        self._since: float | None = clock()
        self._scope: anyio.CancelScope | None = None
        self._limit = math.inf

    @property
    def seconds(self) -> float:
        """The time at work so far."""
        running = 0.0 if self._since is None else self._clock() - self._since
        return self._before + running

    @contextmanager
    def limited(self, seconds: float) -> Iterator[anyio.CancelScope]:
        """Cancel what is within once it has been at work for so many seconds from now on."""
        with anyio.CancelScope() as scope:
            self._scope, self._limit = scope, self.seconds + seconds
            self._set_deadline()
            try:
                yield scope
            finally:
                self._scope = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time stand still."""
        self._before, self._since = self.seconds, None
        self._set_deadline()
        try:
            yield
        finally:
            self._since = self._clock()
            self._set_deadline()

    def _set_deadline(self) -> None:
        if self._scope is not None:
            left = self._limit - self._before
            self._scope.deadline = math.inf if self._since is None else self._since + left
