"""Best-of-N with a language model as judge.

N samples, each scored by itself, and the answer of the best one (Cobbe et al., 2110.14168, section
4.2, whose verifier was trained; here it is a prompted model, as in LLM-as-a-judge, 2306.05685).
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_mcp.bench.methods.asking import Reader, readable, reader
from atlas_mcp.bench.methods.judging import best, judged
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.host.orchestrator import Answer, Explore, Step, View, leading
from atlas_mcp.host.rules import FixedVote
from atlas_mcp.host.turns import NoReplyError


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """`calls` draws, then the answer that the judge scores highest, of equals the first drawn."""

    explore: Explore
    calls: int
    judge: Reader
    name: str = "best-of"

    async def decide(self, view: View) -> Step:
        step = await FixedVote(explore=self.explore, calls=self.calls).decide(view)
        if not isinstance(step, Answer):
            return step
        drawn = sorted(readable(view), key=lambda one: one.draw)
        try:
            return best(await judged(view, self.judge, drawn))
        except NoReplyError as fault:
            return leading(view.ledger, f"no attempt could be judged ({fault})")


def best_of(name: str, calls: int) -> Method:
    return Method(
        name=name,
        calls=calls,
        budget=f"always {calls} calls, and a judge's turn on each answer; the best-judged answer",
        make=lambda setup: BestOf(
            explore=setup.explore, calls=calls, judge=reader(setup), name=name
        ),
        thinks=True,
    )
