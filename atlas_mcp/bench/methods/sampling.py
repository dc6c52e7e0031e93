"""Methods that sample and count: no model of their own, so they run on any pool."""

from __future__ import annotations

from dataclasses import dataclass, replace

from atlas_mcp.bench.methods.method import Method
from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.equivalence import canonical
from atlas_mcp.host.orchestrator import Explore, Step, View
from atlas_mcp.host.rules import FixedVote, Greedy, StopAtAgreement, StopWhenConfident
from solvers.types import AnswerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Draw in windows and stop when all answers of one are the same, `calls` draws at most.

    The answer is the plurality of all draws. A call without an answer keeps its window from being
    unanimous.
    """

    explore: Explore
    calls: int
    window: int
    kind: AnswerKind = "auto"
    name: str = "early-stopping"

    async def decide(self, view: View) -> Step:
        step = await FixedVote(explore=self.explore, calls=self.calls).decide(view)
        if not isinstance(step, Explore):
            return step
        into = view.ledger.asked % self.window
        if view.ledger.asked and not into and self._unanimous(view):
            return await FixedVote(explore=self.explore, calls=0).decide(view)
        return replace(step, draws=min(step.draws, self.window - into))

    def _unanimous(self, view: View) -> bool:
        last = sorted(view.evidence, key=lambda one: one.draw)[-self.window :]
        keys = {
            None if one.answer is None else canonical(one.answer, self.kind, view.problem)
            for one in last
        }
        return len(keys) == 1 and None not in keys


def single(name: str) -> Method:
    """One sample, as pass@1 counts it."""
    return Method(
        name=name,
        calls=1,
        budget="1 sampled call, its answer",
        make=lambda setup: Greedy(explore=setup.explore, name=name),
    )


def greedy(name: str) -> Method:
    """One answer of a solver that does not sample."""
    return Method(
        name=name,
        calls=1,
        budget="1 call of the solver that does not sample, its answer",
        make=lambda setup: Greedy(explore=setup.explore, name=name),
        greedy=True,
    )


def self_consistency(name: str, calls: int) -> Method:
    """Self-consistency (Wang et al., 2203.11171)."""
    return Method(
        name=name,
        calls=calls,
        budget=f"always {calls} calls, the most frequent answer",
        make=lambda setup: FixedVote(explore=setup.explore, calls=calls, name=name),
    )


def adaptive(name: str, calls: int) -> Method:
    """Adaptive consistency (Aggarwal et al., 2305.11860)."""
    return Method(
        name=name,
        calls=calls,
        budget=f"one call at a time, {calls} at most; stops when the leader is the true plurality "
        "with probability 0.95 (Beta(1,1) prior)",
        make=lambda setup: StopWhenConfident(explore=setup.explore, calls=calls, name=name),
    )


def early(name: str, calls: int, window: int) -> Method:
    """Early-stopping self-consistency (Li et al., 2401.10480)."""
    if window > calls:
        raise BadRequestError(f"method {name!r}: the window is larger than the budget")
    return Method(
        name=name,
        calls=calls,
        budget=f"windows of {window} calls, {calls} at most; stops when a window is unanimous",
        make=lambda setup: EarlyStopping(
            explore=setup.explore,
            calls=calls,
            window=window,
            kind=setup.answer_kind,
            name=name,
        ),
    )


def first(name: str, agreeing: int, calls: int) -> Method:
    """Stop at the first m answers that agree."""
    if agreeing > calls:
        raise BadRequestError(f"method {name!r}: more answers must agree than there are calls")
    return Method(
        name=name,
        calls=calls,
        budget=f"{calls} calls at most; stops when {agreeing} answers are the same",
        make=lambda setup: StopAtAgreement(
            explore=setup.explore, agreeing=agreeing, calls=calls, name=name
        ),
    )
