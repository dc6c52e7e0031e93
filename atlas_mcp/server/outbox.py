"""Which replies have left for their host, and which never did.

A handler that returns has not delivered anything yet: the host may have gone, or may not
read. So each reply that carries evidence bears a mark in its `_meta`, and the transport
reports what it has written. Until then the evidence is held for that reply.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup
from mcp.types import CallToolResult

from atlas_mcp.core.errors import AtlasError
from atlas_mcp.explore.service import Explorer

log = logging.getLogger(__name__)

MARK = "atlas-mcp/reply"
WRITE_SECONDS = 2.0
"""What a reply carries that was not written so soon goes to whoever asks next."""
LATE_SECONDS = 600.0
"""A reply that is written so late still counts as delivered."""

_WRITTEN = re.compile(rf'"{MARK}":\s*"([0-9a-f]{{32}})"')


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reply:
    problem_id: str
    evidence_ids: tuple[str, ...]
    written: anyio.Event = field(default_factory=anyio.Event)
    settled: anyio.Event = field(default_factory=anyio.Event)


class Outbox:
    """The replies on their way.

    `watched` says that the transport calls `written`. One that cannot, inside a process,
    is taken to deliver whatever it is given.
    """

    def __init__(self, explorer: Explorer, tasks: TaskGroup, *, watched: bool) -> None:
        self._explorer = explorer
        self._tasks = tasks
        self._watched = watched
        self._leaving: dict[str, _Reply] = {}

    def send(
        self, result: CallToolResult, problem_id: str, evidence_ids: Sequence[str]
    ) -> CallToolResult:
        """The reply with its mark; the delivery of this evidence is noted once it has left."""
        if not evidence_ids:
            return result
        mark = uuid4().hex
        reply = _Reply(problem_id=problem_id, evidence_ids=tuple(evidence_ids))
        self._leaving[mark] = reply
        if not self._watched:
            reply.written.set()
        self._tasks.start_soon(self._follow, mark, reply)
        return result.model_copy(update={"meta": {**(result.meta or {}), MARK: mark}})

    def written(self, message: str) -> None:
        """The transport has written this to the host."""
        if self._leaving:
            for mark in _WRITTEN.findall(message):
                if reply := self._leaving.get(mark):
                    reply.written.set()

    async def settled(self, problem_id: str | None = None) -> None:
        """Wait until the fate of the replies that are leaving is known to the store.

        Whoever is about to pay for a call asks first, so that a lost reply is given again.
        """
        for reply in list(self._leaving.values()):
            if problem_id in (None, reply.problem_id):
                await reply.settled.wait()

    async def _follow(self, mark: str, reply: _Reply) -> None:
        try:
            with anyio.move_on_after(WRITE_SECONDS):
                await reply.written.wait()
            if not reply.written.is_set():
                await self._explorer.undelivered(reply.evidence_ids)
                reply.settled.set()
                with anyio.move_on_after(LATE_SECONDS):
                    await reply.written.wait()
            if reply.written.is_set():
                await self._explorer.delivered(reply.evidence_ids)
        except AtlasError:
            log.exception("delivery could not be noted problem=%s", reply.problem_id)
        finally:
            reply.settled.set()
            del self._leaving[mark]


@asynccontextmanager
async def open_outbox(explorer: Explorer, *, watched: bool) -> AsyncIterator[Outbox]:
    """Run the outbox. Leaving it waits a moment for the last replies to be written."""
    async with anyio.create_task_group() as tasks:
        outbox = Outbox(explorer, tasks, watched=watched)
        try:
            yield outbox
        finally:
            with anyio.CancelScope(shield=True):
                await outbox.settled()
            tasks.cancel_scope.cancel()
