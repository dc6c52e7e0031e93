"""The main job on bundled problems: three orchestrators beside each other, and a table.

The questions are from the GSM8K test set (MIT). Greedy stands beside every voted figure,
since on models this small a vote may not beat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from mcp.client import Client

from atlas_mcp.core.intervals import wilson
from atlas_mcp.equivalence import same
from atlas_mcp.host.orchestrator import Explore, Orchestrator, Outcome, Task
from atlas_mcp.host.rules import FixedVote, Greedy, StopAtAgreement
from atlas_mcp.host.running import run
from atlas_mcp.host.terminal import Terminal
from solvers.recording import read_pool

TUNED_ON = 40
"""The prompt of the strategy `program` was chosen on the first questions; they are not shown."""

VOTES = 8
AGREEING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    id: str
    text: str
    gold: str


@dataclass(slots=True, kw_only=True)
class Score:
    """What one method did over all questions. `tokens` is None where any are unknown."""

    right: int = 0
    asked: int = 0
    calls: int = 0
    tokens: int | None = 0
    seconds: float = 0.0
    abstained: int = 0
    outcomes: list[Mapping[str, Any]] = field(default_factory=list)


def pool_folder() -> Path:
    """The folder of the recorded answers that come with the package."""
    return Path(str(files("atlas_mcp") / "data" / "embedded_qwen"))


def questions(count: int) -> list[Question]:
    """The first `count` bundled questions that no prompt was chosen on."""
    pool = read_pool(pool_folder())
    sampled = {row.question_id for row in pool.recordings if row.strategy == "expression"}
    found = [one for one in pool.questions if one.question_id in sampled][TUNED_ON:]
    return [
        Question(id=one.question_id, text=one.question, gold=one.gold or "")
        for one in found[:count]
    ]


def replay_roster() -> dict[str, Any]:
    """A roster that answers from the bundled recordings of the 1.5B model."""
    recorded = {
        "api": "replay",
        "pool": str(pool_folder()),
        "model": "qwen2.5-coder-1.5b-instruct-q4_k_m",
    }
    return {
        "default": "qwen",
        "solvers": {
            "qwen": {**recorded, "strategy": "expression", "description": "recorded, sampled"},
            "qwen-greedy": {
                **recorded,
                "strategy": "expression-greedy",
                "description": "recorded, greedy",
            },
        },
    }


def methods(solver: str) -> list[Orchestrator]:
    """The orchestrators that are compared, on a solver and its greedy twin."""
    sampled = Explore(solver=solver, effort="low", strategy="program")
    greedy = Explore(solver=f"{solver}-greedy", effort="low", strategy="program")
    return [
        Greedy(explore=greedy),
        FixedVote(explore=sampled, calls=VOTES, name=f"vote:{VOTES}"),
        StopAtAgreement(explore=sampled, agreeing=AGREEING, calls=VOTES, name=f"agree:{AGREEING}"),
    ]


async def compare(
    client: Client, asked: Sequence[Question], solver: str, scope: str, terminal: Terminal
) -> dict[str, Score]:
    """Run every method on every question, each in a scope of its own, and keep score."""
    scores = {method.name: Score() for method in methods(solver)}
    for number, question in enumerate(asked, 1):
        terminal.line()
        terminal.line(terminal.style(f"[{number}/{len(asked)}] {question.text}", "bold"))
        for method in methods(solver):
            terminal.line(f"  {terminal.style(method.name, 'bold')}")
            task = Task(text=question.text, answer_kind="number", scope=f"{scope}/{method.name}")
            outcome = await run(client, task, method, terminal)
            right = outcome.answer is not None and same(outcome.answer, question.gold, "number")
            _count(scores[method.name], outcome, right, question)
            mark = terminal.style("✓", "green") if right else terminal.style("✗", "red")
            terminal.line(f"    {mark} the answer is {question.gold}")
    return scores


def _count(score: Score, outcome: Outcome, right: bool, question: Question) -> None:
    score.asked += 1
    score.right += right
    score.abstained += outcome.abstained
    score.seconds += outcome.seconds
    score.calls += len(outcome.evidence)
    for one in outcome.evidence:
        unknown = score.tokens is None or one.tokens is None
        score.tokens = None if unknown else (score.tokens or 0) + (one.tokens or 0)
    score.outcomes.append(
        {
            "question_id": question.id,
            "problem_id": outcome.problem_id,
            "answer": outcome.answer,
            "gold": question.gold,
            "right": right,
            "confidence": outcome.confidence,
            "calls": len(outcome.evidence),
        }
    )


def table(scores: Mapping[str, Score]) -> list[str]:
    """The comparison as lines of text."""
    head = (
        f"{'method':<10}{'right':>8}{'accuracy':>10}{'95 % interval':>16}"
        f"{'calls':>8}{'tokens':>10}{'seconds':>9}"
    )
    rows = [head, "─" * len(head)]
    for name, score in scores.items():
        share = wilson(score.right / score.asked, score.asked)
        interval = f"{share.low:.0%} to {share.high:.0%}"
        tokens = "unknown" if score.tokens is None else f"{score.tokens:,}"
        rows.append(
            f"{name:<10}{f'{score.right}/{score.asked}':>8}{share.value:>10.0%}"
            f"{interval:>16}{score.calls:>8}{tokens:>10}{score.seconds:>9.1f}"
        )
    return rows


def calibration(score: Score, sure: float = 0.6) -> str:
    """How often a method was right where its confidence was at least `sure`, and below."""
    high = [bool(one["right"]) for one in score.outcomes if (one["confidence"] or 0) >= sure]
    low = [bool(one["right"]) for one in score.outcomes if (one["confidence"] or 0) < sure]
    return (
        f"right where at least {sure:.0%} of the votes agreed: {sum(high)} of {len(high)}; "
        f"elsewhere: {sum(low)} of {len(low)}"
    )
