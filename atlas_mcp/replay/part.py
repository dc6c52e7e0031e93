"""One part of a replay: some seeds of one controller, over all questions, in one process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from atlas_mcp.replay.arrays import NO_ANSWER, Bools, Floats, Ints, Recorded, orders
from atlas_mcp.replay.batch.episodes import Episodes
from atlas_mcp.replay.batch.registry import TWINS
from atlas_mcp.replay.draws import Draw
from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.playing import Outcome, play
from atlas_mcp.replay.state import Controller, IllegalActionError
from atlas_mcp.replay.tracing import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How episodes ended, by seed and question.

    An episode that was cut off has abstained as well; one that is exhausted has opened every
    branch that was recorded. Tokens, latency and dollars are nan where they were not.
    """

    right: Bools
    abstained: Bools
    cut: Bools
    exhausted: Bools
    tokens: Floats
    latency: Floats
    usd: Floats
    calls: Ints
    probes: Ints
    rounds: Ints


def play_batch(
    world: Recorded, controller: Controller, seeds: Sequence[int], rules: Rules
) -> Columns:
    """All episodes at once, by the controller's twin over arrays."""
    episodes = Episodes(world, world.arms[0], seeds, rules)
    TWINS[type(controller)](controller, episodes)
    answered = episodes.answers != NO_ANSWER
    shape = len(seeds), len(world.questions)
    return Columns(
        right=(answered & world.right[episodes.question, episodes.answers]).reshape(shape),
        abstained=~answered.reshape(shape),
        cut=np.zeros(shape, bool),
        exhausted=episodes.calls.reshape(shape) >= _draws(world),
        tokens=episodes.tokens.reshape(shape),
        latency=episodes.latency.reshape(shape),
        usd=episodes.usd.reshape(shape),
        calls=episodes.calls.reshape(shape),
        probes=episodes.probes.reshape(shape),
        rounds=episodes.rounds.reshape(shape),
    )


def play_each(
    world: Recorded,
    controller: Controller,
    seeds: Sequence[int],
    rules: Rules,
    traces: Path | None = None,
) -> Columns:
    """One episode after the other; traced to a file of that name where there is one.

    All seeds of a question are played before the next, while its branches are in the cache.

    Raises:
        IllegalActionError: the controller did what its state does not admit.
    """
    placed = [orders(arm.draws, seeds).tolist() for arm in world.arms]
    outcomes: list[list[Outcome]] = [[] for _ in seeds]
    with nullcontext() if traces is None else Trace(traces, world) as trace:
        for question in range(len(world.questions)):
            for row, seed in enumerate(seeds):
                arms = [
                    _shuffled(arm.branches[question], order[row][question])
                    for arm, order in zip(world.arms, placed, strict=True)
                ]
                episode = Episode(arms, world.interval, rules)
                watch = None if trace is None else trace.episode(question, seed)
                try:
                    outcome = play(controller, episode, rules, watch)
                except IllegalActionError as error:
                    where = f"question {world.questions[question]}, seed {seed}"
                    raise IllegalActionError(f"{controller.name}, {where}: {error}") from error
                if trace is not None:
                    trace.outcome(outcome)
                outcomes[row].append(outcome)
    found = list(chain.from_iterable(outcomes))
    return columns(world, found, (len(seeds), len(world.questions)))


def _shuffled(draws: Sequence[Draw], order: Sequence[int]) -> list[Draw]:
    return [draws[place] for place in order[: len(draws)]]


def columns(world: Recorded, outcomes: Sequence[Outcome], shape: tuple[int, int]) -> Columns:
    questions = np.tile(np.arange(shape[1]), shape[0])
    answers = np.array([NO_ANSWER if one.answer is None else one.answer for one in outcomes])
    known = (answers >= 0) & (answers < world.right.shape[1])
    right = known & world.right[questions, np.where(known, answers, 0)]
    spent = [one.spent for one in outcomes]
    calls = np.array([one.calls for one in spent]).reshape(shape)
    return Columns(
        right=right.reshape(shape),
        abstained=(answers == NO_ANSWER).reshape(shape),
        cut=np.array([one.cut is not None for one in outcomes]).reshape(shape),
        exhausted=calls >= _draws(world),
        tokens=_amounts([one.tokens for one in spent], shape),
        latency=_amounts([one.latency for one in spent], shape),
        usd=_amounts([one.usd for one in spent], shape),
        calls=calls,
        probes=np.array([one.probes for one in spent]).reshape(shape),
        rounds=np.array([one.rounds for one in outcomes]).reshape(shape),
    )


def _draws(world: Recorded) -> Ints:
    """How many branches each question has, over all arms."""
    found: Ints = np.sum([arm.draws for arm in world.arms], axis=0)
    return found


def _amounts(found: Sequence[float | None], shape: tuple[int, int]) -> Floats:
    return np.array([math.nan if one is None else one for one in found]).reshape(shape)
