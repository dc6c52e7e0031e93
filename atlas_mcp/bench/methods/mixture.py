"""Mixture-of-Agents (Wang et al., 2406.04692, section 2): layers of proposers, then an aggregator.

Each proposer of a layer is a solver call that is shown the answers of the layer before; a model of
the method's own writes the answer from those of the last layer. The paper's proposers are several
models; here they are the solver that is asked, or whichever the server chooses (`--solver`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atlas_mcp.bench.methods.asking import DATA, Reader, answered, instruction, readable, reader
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.host.orchestrator import Abstain, Explore, Step, View
from atlas_mcp.host.replies import Capsule
from atlas_mcp.host.rules import MAX_DRAWS, FixedVote
from solvers.types import AnswerKind

_LEAD = f"""\
Other solvers have worked on this problem; what they answered is below. {DATA} Some of it may be \
biased or wrong. Do not simply repeat it: judge it critically, and write one better \
answer."""

SYSTEM = f"""\
Several solvers have worked on a problem; what they brought back is shown to you. Write from it \
the one answer that is best. Some of what they say may be biased or wrong: judge it critically, \
and do not simply repeat it. {DATA}

Reply with {{form}}"""


MOST_WIDE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """`layers` layers of `width` calls each, then one turn of the aggregator."""

    explore: Explore
    layers: int
    width: int
    aggregator: Reader
    kind: AnswerKind = "auto"
    name: str = "mixture-of-agents"

    async def decide(self, view: View) -> Step:
        vote = FixedVote(explore=self.explore, calls=self.layers * self.width)
        step = await vote.decide(view)
        if isinstance(step, Explore):
            return self._proposing(view, step)
        return step if isinstance(step, Abstain) else await self._aggregated(view)

    def _proposing(self, view: View, step: Explore) -> Explore:
        """The calls that the layer still lacks, each shown the layer before."""
        done = len(view.evidence)
        before = self._layer(view, done // self.width - 1)
        return replace(
            step,
            draws=min(self.width - done % self.width, step.draws, MAX_DRAWS),
            instruction=instruction(_LEAD, before) if before else None,
        )

    def _layer(self, view: View, number: int) -> Sequence[Capsule]:
        """The answers of a layer, in the order of their draws."""
        if number < 0:
            return ()
        those = view.evidence[number * self.width : (number + 1) * self.width]
        return sorted(readable(replace(view, evidence=those)), key=lambda one: one.draw)

    async def _aggregated(self, view: View) -> Step:
        last = self._layer(view, (len(view.evidence) - 1) // self.width) or readable(view)
        return await answered(view, self.aggregator, last, SYSTEM, self.kind, "aggregation")


def mixture(name: str, layers: int, width: int) -> Method:
    if width > MOST_WIDE:
        raise BadRequestError(
            f"method {name!r}: an instruction has room for the answers of {MOST_WIDE} proposers"
        )
    return Method(
        name=name,
        calls=layers * width,
        budget=f"always {layers * width} calls in {layers} layers of {width}, then 1 turn of an "
        "aggregator",
        make=lambda setup: Mixture(
            explore=setup.explore,
            layers=layers,
            width=width,
            aggregator=reader(setup),
            kind=setup.answer_kind,
            name=name,
        ),
        thinks=True,
        writes=True,
    )
