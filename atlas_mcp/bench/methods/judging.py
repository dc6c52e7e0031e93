"""A language model as judge: it scores each attempt by itself, from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from atlas_mcp.bench.methods.asking import DATA, Reader, adopted
from atlas_mcp.host.orchestrator import Answer, View
from atlas_mcp.host.replies import Capsule
from atlas_mcp.host.turns import NoReplyError, taken
from solvers.answer import UnreadableAnswer, as_probability, first_object

SYSTEM = f"""\
You judge one attempt at a problem. Find out for yourself whether its answer is right: check every \
step of its reasoning against the problem as it is written. {DATA}

Reply with one JSON object and nothing else. Its keys, in this order:
- "because", a string: in a few sentences, what in the attempt is right and what is wrong
- "score", a number from 0 to 1: how probable it is that the answer is right"""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "because": {"type": "string"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["because", "score"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How probable it is that an attempt is right, and why."""

    score: float
    because: str


async def judged(
    view: View, judge: Reader, attempts: Sequence[Capsule]
) -> list[tuple[Capsule, Judgement]]:
    """The attempts with their judgements, all at the same time; without those that failed.

    Raises:
        NoReplyError: there are attempts, and no judgement on any.
    """
    found: dict[str, Judgement] = {}
    faults: list[NoReplyError] = []

    async def one(attempt: Capsule) -> None:
        request = judge.request(view, [attempt], SYSTEM, SCHEMA)
        try:
            found[attempt.id] = await taken(
                view, judge.model, f"judgement/{attempt.id}", request, read
            )
        except NoReplyError as fault:
            faults.append(fault)

    async with anyio.create_task_group() as tasks:
        for attempt in attempts:
            tasks.start_soon(one, attempt)
    if faults and not found:
        raise faults[0]
    return [(attempt, found[attempt.id]) for attempt in attempts if attempt.id in found]


def best(scored: Sequence[tuple[Capsule, Judgement]]) -> Answer:
    """Stop with the attempt that is judged best, of equals the first."""
    attempt, judgement = max(scored, key=lambda one: one[1].score)
    return adopted(attempt, f"judged right with {judgement.score:.2f}: {judgement.because}")


def read(text: str) -> Judgement:
    """Read the judgement in a reply.

    Raises:
        UnreadableAnswer: there is none.
    """
    said = first_object(text, "score")
    score = as_probability(said["score"])
    if score is None:
        raise UnreadableAnswer("score: write a number from 0 to 1")
    return Judgement(score=score, because=str(said.get("because") or ""))
