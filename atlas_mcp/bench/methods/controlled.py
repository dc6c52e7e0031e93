"""Controllers of recordings as methods, to be compared with all others through MCP."""

from __future__ import annotations

from atlas_mcp.bench.methods.method import Method
from atlas_mcp.host.controlled import Controlled
from atlas_mcp.replay.controllers.registry import controller
from atlas_mcp.replay.state import Bounded

MOST = 64
"""The cap of a controller that does not say how many branches it opens at most."""


def controlled(name: str) -> Method:
    """The controller that is named behind the colon, on one solver."""
    found = controller(name.partition(":")[2])
    calls = found.calls if isinstance(found, Bounded) else MOST
    return Method(
        name=f"controller:{found.name}",
        calls=calls,
        budget=f"{calls} calls at most; after each round of them {found.name} decides on the final "
        "answers whether to go on",
        make=lambda setup: Controlled(
            controller=found, arms=(setup.explore,), kind=setup.answer_kind, calls=calls
        ),
    )
