"""One connection to a server, lent to all samples of a benchmark.

Inspect has an event loop of its own, so the connection lives in a loop on another thread, and
samples send their work there. Where nothing is lent, as under `inspect eval`, a sample connects
for itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp.client import Client

from atlas_mcp.host.connection import Target, connect

T = TypeVar("T")
Work = Callable[[Client], Awaitable[T]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A connected client and the loop that it lives in."""

    portal: BlockingPortal
    client: Client

    async def do(self, work: Work[T]) -> T:
        """Do the work in the client's loop; what is cancelled here is cancelled there."""
        future = self.portal.start_task_soon(work, self.client)
        try:
            return await anyio.to_thread.run_sync(
                future.result, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )
        finally:
            future.cancel()


_LENT: ContextVar[Loan | None] = ContextVar("lent", default=None)


@contextmanager
def lent(target: Target) -> Iterator[None]:
    """Lend a connection to every sample that is run in this block.

    Raises:
        ConnectionFailedError: the server cannot be reached.
    """
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(connect(target)) as client,
    ):
        before = _LENT.set(Loan(portal=portal, client=client))
        try:
            yield
        finally:
            _LENT.reset(before)


async def with_client(work: Work[T], otherwise: Callable[[], Target]) -> T:
    """Do the work with the client that is lent, or with one of our own."""
    loan = _LENT.get()
    if loan is not None:
        return await loan.do(work)
    async with connect(otherwise()) as client:
        return await work(client)
