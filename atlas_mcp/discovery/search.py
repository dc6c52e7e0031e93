"""A proposer that needs no model: seeded evolution over the knobs of the rolling vote.

The text of `atlas_mcp.replay.controllers.rolling`, with other numbers in KNOBS and its class
named as that of a controller file must be, is what a run starts from and what is proposed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from atlas_mcp.core.errors import AtlasError
from atlas_mcp.discovery.lab import Lab, played
from atlas_mcp.discovery.proposer import Brief, Proposal
from atlas_mcp.discovery.splits import only
from atlas_mcp.replay.controllers.rolling import Rolling
from solvers.types import Meter, WorstCase

Knobs = Mapping[str, tuple[float, float]]

CHILDREN = 24
"""So many controllers are tried on the train questions for each that is proposed."""


class _Range(NamedTuple):
    """Where the values of a knob may lie; all of them rise with the dial."""

    low: float
    high: float


RANGES: Mapping[str, _Range] = {
    "width": _Range(1, 32),
    "most": _Range(1, 128),
    "sure": _Range(0.5, 0.999),
    "trust": _Range(1, 80),
    "patience": _Range(2, 80),
    "deepest": _Range(4, 90),
}

STEP = 0.4
"""How far a knob is moved, as the standard deviation of the logarithm of what is left of it."""


@dataclass(frozen=True, slots=True)
class Search:
    """Each round changes some knobs of the best controller so far and proposes the best child.

    What it proposes depends on the seed, the round and what was tried, and on nothing else.
    """

    lab: Lab
    seed: int = 0
    name = "search"

    def worst_case(self, brief: Brief) -> WorstCase:
        return WorstCase(tokens=0, usd=0.0, seconds=0.0)

    def propose(self, brief: Brief, meter: Meter) -> Proposal:
        random = Random(f"{self.seed}:{brief.round}")
        if not brief.ranked:
            raise AtlasError("the controller that the search starts from could not be played")
        parent = knobs_of(brief.ranked[0].proposal.source)
        children = [_mutated(parent, random, brief.dial) for _ in range(CHILDREN)]
        best = max(children, key=self._score)
        return Proposal(source=with_knobs(best), change=_change(parent, best))

    def _score(self, knobs: Knobs) -> float:
        lab = self.lab
        world = only(lab.split.world, lab.split.train)
        dials = lab.terms.dials
        controllers = [Rolling.of(knobs, dial) for dial in dials]
        found = played(world, controllers, dials, lab.terms, lab.goal.unit, lab.jobs)
        return lab.goal.value(found, lab.goal.floor[list(lab.split.train)])


def _mutated(parent: Knobs, random: Random, dial: bool) -> Knobs:
    knobs = dict(parent)
    for name in random.sample(sorted(knobs), random.choice((1, 2, 3))):
        low, high = sorted(_moved(name, one, random) for one in knobs[name])
        knobs[name] = (low, high) if dial else (high, high)
    return knobs


def _moved(name: str, value: float, random: Random) -> float:
    """A value nearby: numbers are multiplied, of a probability what is missing from 1."""
    bounds, by = RANGES[name], math.exp(random.gauss(0, STEP))
    moved = round(1 - (1 - value) * by, 3) if name == "sure" else round(value * by)
    return min(max(moved, bounds.low), bounds.high)


def _change(parent: Knobs, child: Knobs) -> str:
    changed = [
        f"{name} {old[0]:g}–{old[1]:g} → {child[name][0]:g}–{child[name][1]:g}"
        for name, old in parent.items()
        if child[name] != old
    ]
    return "; ".join(changed) or "nothing"


# --- knobs as source


@cache
def start() -> Proposal:
    """The controller that every run starts from."""
    text = files("atlas_mcp.replay.controllers").joinpath("rolling.py").read_text("utf-8")
    return Proposal(source=re.sub(r"\bRolling\b", "Controller", text), change="the start")


def knobs_of(source: str) -> Knobs:
    """The knobs of a source that a search proposed."""
    return {
        name: (pair[0], pair[1]) for name, pair in ast.literal_eval(_node(source).value).items()
    }


def with_knobs(knobs: Knobs) -> str:
    """The rolling vote with these knobs, as a controller file."""
    source = start().source
    node = _node(source)
    lines = source.splitlines(keepends=True)
    rows = [f'    "{name}": ({low!r}, {high!r}),\n' for name, (low, high) in knobs.items()]
    return "".join(
        [*lines[: node.lineno - 1], "KNOBS = {\n", *rows, "}\n", *lines[node.end_lineno :]]
    )


def _node(source: str) -> ast.Assign:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KNOBS":
            return node
    raise AtlasError("this controller has no KNOBS to search over")
