"""An event loop whose clock jumps to the next timer instead of waiting for it.

For code that waits for nothing but timers and itself: no threads, no sockets.
"""

from __future__ import annotations

import asyncio  # noqa: TID251  # anyio has no loop of its own to put in its place
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from support import WAIT

T = TypeVar("T")

_HOUR = 3_600.0


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(WAIT if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(work: Callable[[], Awaitable[T]]) -> T:
    """Run a test whose hours pass at once; it fails after a day of its own time."""

    async def bounded() -> T:
        with anyio.fail_after(24 * _HOUR):
            return await work()

    return anyio.run(bounded, backend_options={"loop_factory": VirtualLoop})
