"""Tools for hosts that look for controllers: submit one, and read how all have done so far.

They are offered only where a folder for it is set. A host is told of the train questions alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import anyio
from mcp.server.mcpserver import Message, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from atlas_mcp.core.cleaning import cut
from atlas_mcp.core.errors import AtlasError
from atlas_mcp.discovery import source as sources
from atlas_mcp.replay.extra import need_arrays
from atlas_mcp.sandbox.isolation import Isolation
from atlas_mcp.server.context import AtlasServer
from atlas_mcp.server.wire import MAX_CHARS
from solvers.errors import FixSetupError

if TYPE_CHECKING:
    from atlas_mcp.discovery.rounds import Run

T = TypeVar("T")

_SUBMIT = """\
Try a controller: Python source that defines class Controller. It runs in a sandbox on recorded \
answers; you are told its accuracy and cost on the train questions, or why it was refused."""

_FRONTIER = """\
Read the baselines, all controllers submitted so far with their scores, the best sources, and \
excerpts of episodes."""

_DISCOVER = """\
Look for a better controller. Read the tool `frontier`, submit with `submit_controller`, read what \
came of it, and go on for about {rounds} rounds; then say which was best and why.

{rules}"""


def add_lab(server: AtlasServer, folder: Path, isolation: Isolation) -> None:
    """Register the tools of the lab and its prompt on the server."""
    lab = _Lab(folder, isolation)

    @server.tool(
        title="Submit a controller",
        description=_SUBMIT,
        annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False),
        structured_output=False,
    )
    async def submit_controller(
        source: Annotated[str, Field(max_length=sources.MAX_CHARS)],
        change: Annotated[str, Field(max_length=2_000, description="what it changes, and why")],
    ) -> str:
        return await lab.use(lambda run: _submitted(run, source, change))

    @server.tool(
        title="Frontier",
        description=_FRONTIER,
        annotations=ToolAnnotations(read_only_hint=True),
        structured_output=False,
    )
    async def frontier() -> str:
        return await lab.use(_feedback)

    @server.prompt(title="Discover", description="Look for a better controller")
    async def discover(
        rounds: Annotated[str, Field(description="how many to submit")] = "5",
    ) -> list[Message]:
        text = await lab.use(_rules)
        return [UserMessage(_DISCOVER.format(rounds=rounds, rules=text))]


class _Lab:
    """A run that is opened when it is first used, by one call at a time, off the loop."""

    def __init__(self, folder: Path, isolation: Isolation) -> None:
        self._folder = folder
        self._isolation = isolation
        self._run: Run | None = None
        self._one = anyio.Lock()

    async def use(self, what: Callable[[Run], T]) -> T:
        async with self._one:
            try:
                return await anyio.to_thread.run_sync(self._used, what)
            except (AtlasError, FixSetupError) as error:
                raise ToolError(str(error)) from error

    def _used(self, what: Callable[[Run], T]) -> T:
        if self._run is None:
            need_arrays()
            from atlas_mcp.discovery.opening import reopen

            # One process: others would hold the server's own standard streams.
            self._run = reopen(self._folder, jobs=1, isolation=self._isolation)
        return what(self._run)


def _submitted(run: Run, source: str, change: str) -> str:
    from atlas_mcp.discovery.feedback import outcome
    from atlas_mcp.discovery.proposer import Proposal
    from atlas_mcp.discovery.report import conclude

    run.submit(Proposal(source=source, change=change))
    conclude(run)
    last = run.brief().tried[-1]
    return f"round {last.number}: {outcome(last)}"


def _feedback(run: Run) -> str:
    from atlas_mcp.discovery.feedback import feedback

    return cut(feedback(run.brief()), MAX_CHARS)


def _rules(run: Run) -> str:
    from atlas_mcp.discovery.rules import told

    return told(run.brief())
