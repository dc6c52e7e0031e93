"""Whether an answer is right, decided from the item and the answer alone, or by a judge."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from atlas_mcp.bench.judge import Judge
from atlas_mcp.bench.mathematics import equivalent
from atlas_mcp.bench.programs import Programs
from atlas_mcp.bench.suite import Grading, Item
from atlas_mcp.core.errors import AtlasError
from atlas_mcp.equivalence import canonical, same
from atlas_mcp.sandbox.isolation import Isolation
from solvers.errors import SolverError
from solvers.recording import Recording

ENOUGH = 0.99
"""A graded score from here on counts as right."""


Grader = Callable[[Item, str], Awaitable[bool | None]]


class UngradedError(AtlasError):
    """A judge gave no verdict. Of a private suite, the message quotes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """The verdicts on a method's answer and on the answers of its solver calls.

    None is no verdict. `fault` says why a judge that was asked gave none.
    """

    right: bool | None
    drawn: tuple[bool | None, ...]
    fault: str | None = None


class Verdicts:
    """Verdicts on the answers of a benchmark, each decided once however often it was given.

    `isolation` is how programs are kept in that are run to grade them. The `judge` is asked about
    the answers of methods, and about those of all draws with `draws`.
    """

    def __init__(
        self,
        isolation: Isolation = "strict",
        *,
        judge: Judge | None = None,
        draws: bool = False,
    ) -> None:
        programs = Programs(isolation)
        self._graders: Mapping[Grading, Grader] = {
            **_GRADERS,
            "tests": lambda item, answer: programs.passes(item.facts, answer),
            **({"judge": judge.of} if judge else {}),
        }
        self._judge = judge
        self._draws = draws
        self._known: dict[tuple[str, bytes], bool | None] = {}
        self._deciding: dict[str, anyio.Lock] = {}

    async def on(self, item: Item, answer: str | None, drawn: Sequence[str | None]) -> Graded:
        """Grade an answer to an item and the answers that were drawn on the way to it."""
        right: bool | None = None
        try:
            right = await self.of(item, answer)
            if item.grading == "judge":
                verdicts = await self._judged_draws(item, answer, drawn)
            else:
                verdicts = tuple([await self.of(item, one) for one in drawn])
        except SolverError as error:
            nothing = tuple(False if one is None else None for one in drawn)
            return Graded(right=right, drawn=nothing, fault=str(error) or error.kind)
        return Graded(right=right, drawn=verdicts)

    async def _judged_draws(
        self, item: Item, answer: str | None, drawn: Sequence[str | None]
    ) -> tuple[bool | None, ...]:
        """Of answers that count as the same one is judged, the method's own if it is among them."""
        keys = [_key(item, one) for one in drawn]
        texts = {key: one for key, one in zip(keys, drawn, strict=True) if one is not None}
        texts |= {_key(item, answer): answer} if answer is not None else {}
        asked = {
            key: await self.of(item, one)
            if self._draws or one == answer
            else self._heard(item, one)
            for key, one in texts.items()
        }
        return tuple(False if key is None else asked[key] for key in keys)

    def _heard(self, item: Item, answer: str) -> bool | None:
        return self._judge.known(item, answer) if self._judge else None

    async def of(self, item: Item, answer: str | None) -> bool | None:
        """Whether the answer is right; None where nobody can say. No answer is wrong.

        Raises:
            SolverError: the judge gave no verdict.
        """
        if answer is None:
            return False
        key = item.id, hashlib.sha256(answer.encode()).digest()
        async with self._deciding.setdefault(item.id, anyio.Lock()):
            if key not in self._known:
                self._known[key] = await self._graders[item.grading](item, answer)
            return self._known[key]


def _key(item: Item, answer: str | None) -> str | None:
    return None if answer is None else canonical(answer, item.answer_kind, item.text)


def agreement(items: Iterable[Item], recordings: Iterable[Recording]) -> str | None:
    """How often our grading by gold and the recorded verdict agree; None if they always do."""
    by_gold = {one.id: one for one in items if one.grading == "gold"}
    judged = [
        (row.answer is not None and _gold(by_gold[row.question_id], row.answer)) == row.correct
        for row in recordings
        if row.question_id in by_gold and row.correct is not None
    ]
    if all(judged):
        return None
    return (
        f"grading by the gold answer agrees with {sum(judged)} of {len(judged)} recorded verdicts "
        "of this arm; --grading recorded takes those"
    )


def _gold(item: Item, answer: str) -> bool | None:
    return same(answer, item.gold, item.answer_kind, item.text) if item.gold else None


async def _by_gold(item: Item, answer: str) -> bool | None:
    return _gold(item, answer)


async def _by_mathematics(item: Item, answer: str) -> bool | None:
    return await equivalent(item.gold, answer)


async def _by_record(item: Item, answer: str) -> bool | None:
    """The verdict on a recorded answer, or on one that means the same."""
    verdicts: Mapping[str, bool] = item.facts["verdicts"]
    if answer in verdicts:
        return verdicts[answer]
    key = canonical(answer, item.answer_kind, item.text)
    alike = (
        right
        for text, right in verdicts.items()
        if canonical(text, item.answer_kind, item.text) == key
    )
    return next(alike, None)


async def _by_reasoning_gym(item: Item, answer: str) -> bool | None:
    from atlas_mcp.bench.suites.reasoning_gym import score

    return score(item.facts["entry"], answer) >= ENOUGH


_GRADERS: Mapping[Grading, Grader] = {
    "gold": _by_gold,
    "math": _by_mathematics,
    "recorded": _by_record,
    "reasoning-gym": _by_reasoning_gym,
}
