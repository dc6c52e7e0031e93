"""The calls of one run on its server, each noted as a step, within the run's time."""

from __future__ import annotations

import time
from typing import Any

from mcp.client import Client
from mcp.types import CallToolResult

from atlas_mcp.core.types import Caps
from atlas_mcp.host import lookup
from atlas_mcp.host.orchestrator import Progress, Task, Watch

SCOPE_META = "atlas-mcp/scope"
"""The request's `_meta` key under which a host names the scope of a problem."""

ALLOWANCE_META = "atlas-mcp/allowance"
"""The request's `_meta` key for what the calls of one explore may cost: {tokens, usd}."""

LAST_SHARE = 0.2
"""The part of a cap on seconds that is kept for the final answer."""


class Calls:
    """Calls tools of the server, keeps the run's notes, and knows what time and calls are left."""

    def __init__(self, client: Client, task: Task, watch: Watch, at: Progress) -> None:
        self.client = client
        self.task = task
        self.watch = watch
        self.at = at
        self._began = time.monotonic() - at.seconds
        self._written: dict[str, int | None] = {}

    @property
    def seconds(self) -> float:
        """How long the run has worked."""
        return time.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the run ends; None without a cap."""
        most = self.task.max_seconds
        return None if most is None else most - self.seconds

    @property
    def explore_seconds(self) -> float | None:
        """Seconds until no more calls of solvers are made; None without a cap."""
        most = self.task.max_seconds
        return None if most is None else most * (1 - LAST_SHARE) - self.seconds

    @property
    def late(self) -> bool:
        """Whether the time for exploring is over."""
        left = self.explore_seconds
        return left is not None and left <= 0

    @property
    def wait_seconds(self) -> float:
        """How long a call may wait for solvers."""
        left = self.explore_seconds
        most = self.task.wait_seconds
        return most if left is None else min(most, max(left, 0))

    @property
    def left(self) -> int | None:
        """How many solver calls may still be made; None without a cap."""
        if self.late:
            return 0
        most = self.task.max_calls
        own = None if most is None else max(most - len(self.at.evidence), 0)
        caps = [cap for cap in (own, self.at.ledger.left.calls) if cap is not None]
        return min(caps, default=None)

    async def call(
        self, tool: str, arguments: dict[str, Any], allowance: Caps | None = None
    ) -> CallToolResult:
        """Call a tool; its solver calls may cost the `allowance` in all."""
        meta: dict[str, Any] = {SCOPE_META: self.task.scope} if self.task.scope else {}
        if allowance is not None and (allowance.tokens, allowance.usd) != (None, None):
            meta[ALLOWANCE_META] = {"tokens": allowance.tokens, "usd": allowance.usd}
        self.note(tool=tool, arguments=_noted(arguments))
        sent: Any = meta or None
        result = await self.client.call_tool(
            tool, arguments, progress_callback=self._on_progress, meta=sent
        )
        self.note(reply=result.structured_content, error=result.is_error or None)
        return result

    async def written(self, evidence_id: str) -> int | None:
        """The tokens that a solver wrote for this evidence, asked of the server once."""
        if evidence_id not in self._written:
            self._written[evidence_id] = await lookup.written(self.client, evidence_id)
        return self._written[evidence_id]

    def note(self, **what: Any) -> None:
        """Add a step to the run's record."""
        known = {key: value for key, value in what.items() if value is not None}
        self.at.steps.append({"at": round(self.seconds, 3), **known})

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.watch.progress(message or "")


def _noted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as a record has them: it is written after every step, so without images."""
    if not arguments.get("attachments"):
        return arguments
    named = [one.partition(";base64,")[0] for one in arguments["attachments"]]
    return {**arguments, "attachments": named}
