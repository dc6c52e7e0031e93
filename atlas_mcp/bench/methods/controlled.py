"""Controllers of recordings as methods, to be compared with all others through MCP."""

from __future__ import annotations

from atlas_mcp.bench.methods.method import Method, Setup
from atlas_mcp.discovery.loading import Loaded, named
from atlas_mcp.host.controlled import Controlled
from atlas_mcp.replay.state import Bounded
from atlas_mcp.settings import load_settings

MOST = 64
"""The cap of a controller that does not say how many branches it opens at most."""


def controlled(name: str) -> Method:
    """The controller that is named behind the colon, or whose file is, on one solver."""
    found = named(name.partition(":")[2], isolation=load_settings().sandbox)
    calls = found.calls if isinstance(found, Bounded) else MOST

    def make(setup: Setup) -> Controlled:
        return Controlled(
            controller=setup.own_controller,
            arms=(setup.explore,),
            kind=setup.answer_kind,
            calls=calls,
        )

    return Method(
        name=f"controller:{found.pinned if isinstance(found, Loaded) else found.name}",
        calls=calls,
        budget=f"{calls} calls at most; after each round of them {found.name} decides on the final "
        "answers whether to go on",
        make=make,
        controller=found,
    )
