"""LLM selection at fixed N: the control that separates what stopping is worth from aggregating.

N samples, then one turn of a model that sees them all and writes the answer, as the orchestrator of
ATLAS does at its end (2606.01667, Table 7, “LLM-Selection”).
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_mcp.bench.methods.asking import DATA, Reader, answered, readable, reader
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.host.orchestrator import Answer, Explore, Step, View
from atlas_mcp.host.rules import FixedVote
from solvers.types import AnswerKind

SYSTEM = f"""\
Independent solvers have worked on a problem; all that they brought back is shown to you. Do not \
solve the problem yourself: compare their answers and their reasoning, and decide. A minority can \
be right: weigh reasoning, not only votes. {DATA}

Reply with {{form}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`calls` draws, then one turn of a model that answers from all of them."""

    explore: Explore
    calls: int
    selector: Reader
    kind: AnswerKind = "auto"
    name: str = "llm-selection"

    async def decide(self, view: View) -> Step:
        step = await FixedVote(explore=self.explore, calls=self.calls).decide(view)
        if not isinstance(step, Answer):
            return step
        drawn = sorted(readable(view), key=lambda one: one.draw)
        return await answered(view, self.selector, drawn, SYSTEM, self.kind, "selection")


def selection(name: str, calls: int) -> Method:
    return Method(
        name=name,
        calls=calls,
        budget=f"always {calls} calls, then 1 turn of a model that answers from all of them",
        make=lambda setup: Selection(
            explore=setup.explore,
            calls=calls,
            selector=reader(setup),
            kind=setup.answer_kind,
            name=name,
        ),
        thinks=True,
    )
