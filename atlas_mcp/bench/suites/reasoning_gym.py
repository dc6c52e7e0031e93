"""`reasoning-gym`: puzzles generated from a seed, each graded by its task's own verifier.

Item:     {"id": "chain_sum-0", "text": "State the final answer to …: 4 + 3 =", "gold": "7"}
Graded:   by `score_answer` of the task; some tasks accept many answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError
from solvers.errors import MissingPackageError

TASKS = (
    "chain_sum",
    "basic_arithmetic",
    "gcd",
    "simple_equations",
    "number_sequence",
    "calendar_arithmetic",
    "leg_counting",
    "fraction_simplification",
)
"""Taken in turn, unless others are named. Each has one right answer, so that votes make sense."""

SIZE = 400
SEED = 20_261


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    tasks = tuple(argument.split(",")) if argument else TASKS
    made = [_dataset(task, -(-SIZE // len(tasks))) for task in tasks]
    items = [
        _item(task, place, data[place])
        for place in range(-(-SIZE // len(tasks)))
        for task, data in zip(tasks, made, strict=True)
    ]
    return Suite(items=tuple(items[:SIZE]), solver=solver)


def score(entry: Mapping[str, Any], answer: str) -> float:
    """The verifier's score of an answer, from 0 to 1."""
    task = entry["metadata"]["source_dataset"]
    return float(_package().get_score_answer_fn(task)(answer, entry))


def _dataset(task: str, size: int) -> Any:
    try:
        return _package().create_dataset(task, size=size, seed=SEED)
    except ValueError as error:
        raise BadRequestError(f"reasoning-gym has no task {task!r}: {error}") from error


def _item(task: str, place: int, entry: Mapping[str, Any]) -> Item:
    # As it will come back from a log, so that a verifier sees the same at any time.
    plain = json.loads(json.dumps(dict(entry), default=str))
    return Item(
        id=f"{task}-{place}",
        text=entry["question"],
        gold=str(entry["answer"] or ""),
        grading="reasoning-gym",
        facts={"entry": plain},
    )


def _package() -> Any:
    try:
        import reasoning_gym
    except ImportError as error:
        raise MissingPackageError(
            "this suite needs the package reasoning-gym: pip install 'atlas-mcp[bench]'"
        ) from error
    return reasoning_gym
