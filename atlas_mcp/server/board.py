"""Announces changes to hosts of both protocol eras, and lists recent problems for them.

Modern hosts listen on the subscription bus. Hosts of the handshake era are told through
their connection. The SDK offers no public hook for that, so this module reaches for its
low-level server and for a session's connection, and a test holds both.
"""

from __future__ import annotations

import functools
from typing import Any
from weakref import WeakSet

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated
from mcp.types import EmptyResult, Resource, SubscribeRequestParams, UnsubscribeRequestParams

from atlas_mcp.core.cleaning import cut, one_line
from atlas_mcp.core.ports import EvidenceStore

INDEX = "atlas://index"
MAX_LISTED = 20
FIRST_MODERN = "2026-07-28"


class Board:
    """Who wants to hear of what."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.store: EvidenceStore | None = None
        self._connections: WeakSet[Any] = WeakSet()
        self._subscribed: dict[str, WeakSet[Any]] = {}

    def attach(self, server: Server[Any]) -> None:
        """Advertise and serve subscriptions on handshake sessions."""
        server.create_initialization_options = functools.partial(  # type: ignore[method-assign]
            server.create_initialization_options, NotificationOptions(resources_changed=True)
        )
        server.add_request_handler(
            "resources/subscribe", SubscribeRequestParams, self._on_subscribe
        )
        server.add_request_handler(
            "resources/unsubscribe", UnsubscribeRequestParams, self._on_unsubscribe
        )

    def seen(self, session: Any, protocol_version: str | None) -> None:
        """Remember a session of the handshake era, so that it hears of new problems."""
        if protocol_version is None or protocol_version < FIRST_MODERN:
            self._connections.add(session._connection)

    async def resources(self) -> list[Resource]:
        """The most recent problems as concrete resources."""
        if self.store is None:
            return []
        return [
            Resource(
                uri=f"atlas://problems/{row.id}",
                name=row.id,
                title=cut(one_line(row.text), 60),
                description=f"ledger and conclusions after {row.calls} solver calls",
                mime_type="application/json",
            )
            for row in await self.store.problems(limit=MAX_LISTED)
        ]

    async def listed(self, problem_id: str) -> None:
        """A problem was asked: it may be new to the list."""
        await self.bus.publish(ResourcesListChanged())
        await self._updated(INDEX)
        for connection in list(self._connections):
            await connection.send_resource_list_changed()

    async def changed(self, problem_id: str, evidence_id: str) -> None:
        """Evidence was stored."""
        for uri in (
            INDEX,
            f"atlas://problems/{problem_id}",
            f"atlas://problems/{problem_id}/evidence",
            f"atlas://evidence/{evidence_id}",
        ):
            await self._updated(uri)

    async def concluded(self, problem_id: str) -> None:
        """A conclusion was recorded."""
        await self._updated(INDEX)
        await self._updated(f"atlas://problems/{problem_id}")

    async def _updated(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=uri))
        for connection in list(self._subscribed.get(uri, ())):
            await connection.send_resource_updated(uri)

    async def _on_subscribe(self, ctx: Any, params: SubscribeRequestParams) -> EmptyResult:
        connection = ctx.session._connection
        self._connections.add(connection)
        # Those who left are forgotten, and what nobody listens to any more with them.
        self._subscribed = {uri: left for uri, left in self._subscribed.items() if left}
        self._subscribed.setdefault(str(params.uri), WeakSet()).add(connection)
        return EmptyResult()

    async def _on_unsubscribe(self, ctx: Any, params: UnsubscribeRequestParams) -> EmptyResult:
        self._subscribed.get(str(params.uri), WeakSet()).discard(ctx.session._connection)
        return EmptyResult()
