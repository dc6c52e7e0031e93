"""A pool as arrays: every answer a small integer, every branch a row, every arm a block.

Codes number the texts that stand for answers of one question, over all arms. So a controller
compares integers, and no text is touched while episodes are played.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.pools.arms import by_arm
from atlas_mcp.replay.draws import Draw
from solvers.recording import Pool, Question, Recording

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NO_ANSWER = -1
"""The code of a branch that ended without an answer."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The branches of one arm, as arrays by question and draw; short rows are padded.

    `draws` counts the branches of each question, `probes` the probes of each branch. The
    answer after step s, counted from 1, is `readings[..., s - 1]`, the final one behind the
    last probe.
    """

    name: str
    draws: Ints
    tokens: Floats
    usd: Floats
    answers: Ints
    probes: Ints
    readings: Ints

    def only(self, questions: Sequence[int]) -> Arm:
        """The same for some of the questions."""
        columns = ("draws", "tokens", "usd", "answers", "probes", "readings")
        return Arm(name=self.name, **{one: getattr(self, one)[questions] for one in columns})

    @cached_property
    def branches(self) -> tuple[tuple[Draw, ...], ...]:
        """The same as values, by question, for playing one episode at a time."""
        return tuple(self._branches(question) for question in range(len(self.draws)))

    def _branches(self, question: int) -> tuple[Draw, ...]:
        columns = (self.tokens, self.usd, self.readings, self.probes)
        rows = zip(*(column[question].tolist() for column in columns), strict=True)
        found = (
            Draw(tokens, usd, tuple(None if code == NO_ANSWER else code for code in codes[: n + 1]))
            for tokens, usd, codes, n in rows
        )
        return tuple(itertools.islice(found, int(self.draws[question])))


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What controllers are replayed on.

    `interval` is how many tokens a branch writes between two probes. `right[q, code]` says
    which answers of a question are right, `texts[q][code]` what they were.
    """

    questions: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    right: Bools
    interval: float
    arms: tuple[Arm, ...]

    def arm(self, name: str) -> Arm:
        for arm in self.arms:
            if arm.name == name:
                return arm
        known = ", ".join(arm.name for arm in self.arms)
        raise BadRequestError(f"the pool has no arm {name!r}; it has: {known}")

    def answered(self) -> Recorded:
        """The same without the questions that none of its arms has a branch of."""
        some = np.any([arm.draws > 0 for arm in self.arms], axis=0)
        if some.all():
            return self
        kept = np.flatnonzero(some).tolist()
        return Recorded(
            questions=tuple(self.questions[one] for one in kept),
            texts=tuple(self.texts[one] for one in kept),
            right=self.right[kept],
            interval=self.interval,
            arms=tuple(arm.only(kept) for arm in self.arms),
        )


def orders(draws: Ints, seeds: Sequence[int]) -> Ints:
    """The order in which branches are opened, by seed, question and place; -1 behind the last.

    A seed shuffles all questions with as many draws alike.
    """
    found = np.full((len(seeds), len(draws), int(draws.max(initial=0))), -1, np.int64)
    for number in {int(one) for one in draws}:
        for place, seed in enumerate(seeds):
            found[place, draws == number, :number] = shuffled(number, seed)
    return found


def shuffled(number: int, seed: int) -> list[int]:
    """The first so many whole numbers in the order of a seed."""
    order = list(range(number))
    Random(seed).shuffle(order)
    return order


# --- from a pool


def record(pool: Pool) -> Recorded:
    """Turn a pool into arrays.

    Questions that nobody can grade, since there is no gold answer and no verdict, are left out.

    Raises:
        BadRequestError: nothing is left, or there are probes at distances that differ.
    """
    arms = {name: _by_question(rows) for name, rows in by_arm(pool.recordings).items()}
    rights = {one.question_id: _right(one, arms.values()) for one in pool.questions}
    questions = [one for one in pool.questions if rights[one.question_id]]
    if not questions or not arms:
        raise BadRequestError(
            "this pool cannot be replayed: it keeps no answers, or nothing to grade them by"
        )
    codes = [_codes(one.question_id, arms.values()) for one in questions]
    graded = np.zeros((len(questions), max(1, *map(len, codes))), bool)
    for row, (question, known) in enumerate(zip(questions, codes, strict=True)):
        graded[row, [known[text] for text in rights[question.question_id] if text in known]] = True
    return Recorded(
        questions=tuple(one.question_id for one in questions),
        texts=tuple(tuple(known) for known in codes),
        right=graded,
        interval=_interval(questions, pool.recordings),
        arms=tuple(
            _arm(name, [rows.get(one.question_id, []) for one in questions], codes)
            for name, rows in arms.items()
        ),
    )


_Rows = Mapping[str, Sequence[Recording]]


def _by_question(rows: Iterable[Recording]) -> dict[str, list[Recording]]:
    found: dict[str, list[Recording]] = {}
    for row in rows:
        found.setdefault(row.question_id, []).append(row)
    return found


def _right(question: Question, arms: Iterable[_Rows]) -> set[str]:
    """The texts that are right, none where nobody knows.

    A text that no answer has, where all of them are known to be wrong.
    """
    rows = [row for arm in arms for row in arm.get(question.question_id, ())]
    right = {row.answer for row in rows if row.answer is not None and row.correct}
    if question.gold is not None:
        right.add(question.gold)
    wrong = {row.answer for row in rows if row.correct is False}
    answers = {row.answer for row in rows} - {None}
    return right or ({""} if answers and answers <= wrong else set())


def _codes(question: str, arms: Iterable[_Rows]) -> dict[str, int]:
    """Numbers for all answers of a question. Final ones come first, so that theirs stay small."""
    rows = [row for arm in arms for row in arm.get(question, ())]
    finals = [row.answer for row in rows if row.answer is not None]
    probes = [text for row in rows for text in row.probes or ()]
    return {text: code for code, text in enumerate(dict.fromkeys(finals + probes))}


def _interval(questions: Iterable[Question], recordings: Iterable[Recording]) -> float:
    probed = {row.question_id for row in recordings if row.probes}
    found = {one.meta.get("probe_freq") for one in questions if one.question_id in probed}
    if not found:
        return math.nan
    interval = found.pop()
    if found or isinstance(interval, bool) or not isinstance(interval, int | float):
        raise BadRequestError(
            "a pool with probes says in the meta of each question after how many tokens they were "
            "taken, as probe_freq, and it is the same for all"
        )
    return float(interval)


def _arm(name: str, rows: Sequence[Sequence[Recording]], codes: Sequence[dict[str, int]]) -> Arm:
    draws = np.array([len(one) for one in rows], np.int64)
    shape = (len(rows), int(draws.max(initial=1)))
    steps = 1 + max((len(row.probes or ()) for one in rows for row in one), default=0)
    tokens, usd = np.full(shape, math.nan), np.full(shape, math.nan)
    answers, probes = np.full(shape, NO_ANSWER, np.int32), np.zeros(shape, np.int32)
    readings = np.full((*shape, steps), NO_ANSWER, np.int32)
    for question, (found, known) in enumerate(zip(rows, codes, strict=True)):
        for draw, row in enumerate(found):
            at = question, draw
            tokens[at] = math.nan if row.output_tokens is None else row.output_tokens
            # A part of a branch of unknown length has an unknown price.
            whole = row.output_tokens is not None or not row.probes
            usd[at] = row.cost_usd if row.cost_usd is not None and whole else math.nan
            answers[at] = NO_ANSWER if row.answer is None else known[row.answer]
            probes[at] = taken = len(row.probes or ())
            readings[at][:taken] = [known[text] for text in row.probes or ()]
            readings[at][taken:] = answers[at]
    return Arm(
        name=name, draws=draws, tokens=tokens, usd=usd,
        answers=answers, probes=probes, readings=readings,
    )  # fmt: skip
