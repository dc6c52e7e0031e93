"""The methods by name: the one place to add one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from atlas_mcp.bench.methods.atlas import atlas
from atlas_mcp.bench.methods.best_of import best_of
from atlas_mcp.bench.methods.budget_forcing import budget_forcing
from atlas_mcp.bench.methods.controlled import controlled
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.bench.methods.mixture import mixture
from atlas_mcp.bench.methods.refining import self_refine
from atlas_mcp.bench.methods.sampling import (
    adaptive,
    early,
    first,
    greedy,
    self_consistency,
    single,
)
from atlas_mcp.bench.methods.selection import selection
from atlas_mcp.bench.methods.tree_search import ab_mcts
from atlas_mcp.core.errors import BadRequestError

MOST = 1_000
"""No number in a method's name is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a method is written, what makes it of the parts of its name, and an example."""

    pattern: str
    make: Callable[..., Method]
    example: str


_AT, _EFFORT = r"(?:@(\d+))?", r"(?::(low|medium|high))?"

METHODS = {
    "single": Entry(pattern="single", make=single, example="single"),
    "greedy": Entry(pattern="greedy", make=greedy, example="greedy"),
    "self-consistency@N": Entry(
        pattern=r"self-consistency@(\d+)", make=self_consistency, example="self-consistency@8"
    ),
    "adaptive-consistency@N": Entry(
        pattern=r"adaptive-consistency@(\d+)", make=adaptive, example="adaptive-consistency@8"
    ),
    "early-stopping@N:W": Entry(
        pattern=r"early-stopping@(\d+):(\d+)", make=early, example="early-stopping@8:4"
    ),
    "first-M-of-K": Entry(pattern=r"first-(\d+)-of-(\d+)", make=first, example="first-3-of-8"),
    "controller:NAME|FILE[:DIAL]": Entry(
        pattern=r"controller:.+", make=controlled, example="controller:self-consistency@8"
    ),
    "best-of-N": Entry(pattern=r"best-of-(\d+)", make=best_of, example="best-of-8"),
    "llm-selection@N": Entry(
        pattern=r"llm-selection@(\d+)", make=selection, example="llm-selection@8"
    ),
    "self-refine@N": Entry(
        pattern=r"self-refine()@(\d+)", make=self_refine, example="self-refine@4"
    ),
    "self-refine-full@N": Entry(
        pattern=r"self-refine(-full)@(\d+)", make=self_refine, example="self-refine-full@4"
    ),
    "budget-forcing@N": Entry(
        pattern=r"budget-forcing@(\d+)", make=budget_forcing, example="budget-forcing@4"
    ),
    "mixture-of-agents@LxW": Entry(
        pattern=r"mixture-of-agents@(\d+)x(\d+)", make=mixture, example="mixture-of-agents@2x3"
    ),
    "ab-mcts@N": Entry(pattern=r"ab-mcts@(\d+)", make=ab_mcts, example="ab-mcts@8"),
    **{
        f"atlas{variant}[@N][:EFFORT]": Entry(
            pattern=f"atlas({variant}){_AT}{_EFFORT}", make=atlas, example=f"atlas{variant}"
        )
        for variant in ("", "-mm", "-mi", "-integrator")
    },
}
"""Each as a person writes it. EFFORT is low, medium or high, and medium where it is left away."""


def method(name: str) -> Method:
    """The method of this name.

    Raises:
        BadRequestError: there is none, or a number is out of range.
    """
    for entry in METHODS.values():
        if found := re.fullmatch(entry.pattern, name, re.ASCII):
            parts = [int(one) if one and one.isdigit() else one for one in found.groups()]
            if not all(1 <= one <= MOST for one in parts if isinstance(one, int)):
                raise BadRequestError(f"method {name!r}: numbers are from 1 to {MOST}")
            return entry.make(name, *parts)
    raise BadRequestError(f"unknown method {name!r}; known: {', '.join(METHODS)}")
