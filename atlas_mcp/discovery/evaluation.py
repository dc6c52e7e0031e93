"""Replays controllers whose code nobody vouches for.

The environment stays on this side. Each order of the branches of each arm is played in a process
of its own, all questions side by side, so that nothing a controller remembers of one episode is
of use in another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.fenced import BrokenControllerError, Code, Fenced, fenced
from atlas_mcp.discovery.splits import only
from atlas_mcp.replay.arrays import Recorded, orders
from atlas_mcp.replay.engine import Replayed
from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.part import columns
from atlas_mcp.replay.playing import Game, Outcome, Watch
from atlas_mcp.replay.state import IllegalActionError
from atlas_mcp.replay.workers import on_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What sandboxed controllers are played on; `jobs` as of joblib."""

    world: Recorded
    seeds: tuple[int, ...]
    rules: Rules = field(default_factory=Rules)
    jobs: int = -1


def replay_fenced(fence: Fence, codes: Mapping[str, Code]) -> list[Replayed]:
    """Replay each code, by its name, on every arm. The same gives the same.

    Raises:
        BadRequestError: one of them is no controller, gave no decision, or did what its state
            does not admit.
        SetupError: nothing keeps programs in on this machine.
    """
    import joblib

    worlds = [replace(fence.world, arms=(arm,)).answered() for arm in fence.world.arms]
    tasks = [(name, code, world) for name, code in codes.items() for world in worlds]
    with on_cores(fence.jobs):
        played = joblib.Parallel()(
            joblib.delayed(_play)(name, world, code, fence.seeds, fence.rules)
            for name, code, world in tasks
        )
    return [
        Replayed(
            controller=name,
            arm=world.arms[0].name,
            questions=world.questions,
            columns=columns(world, outcomes, (len(fence.seeds), len(world.questions))),
        )
        for (name, _, world), outcomes in zip(tasks, played, strict=True)
    ]


def _play(
    name: str, world: Recorded, code: Code, seeds: Sequence[int], rules: Rules
) -> list[Outcome]:
    try:
        return _played(world, code, seeds, rules)
    except BadRequestError as error:
        raise type(error)(f"{name}: {error}") from error


def _played(world: Recorded, code: Code, seeds: Sequence[int], rules: Rules) -> list[Outcome]:
    found = [one for seed in seeds for one in play_seed(world, code, seed, rules)]
    # Once more by itself, a question tells whether its episode hung on those beside it.
    place = len(world.questions) // 2
    if play_seed(only(world, [place]), code, seeds[0], rules) != [found[place]]:
        raise BrokenControllerError(
            "asked of a question alone it decides otherwise: what it remembers must be in its "
            "memory, and what it does must depend on state and memory alone"
        )
    return found


def play_seed(
    world: Recorded,
    code: Code,
    seed: int,
    rules: Rules,
    watch: Mapping[int, Watch] | None = None,
) -> list[Outcome]:
    """Play one order of the only arm on all questions; some are watched, by their place."""
    (arm,) = world.arms
    games = {
        question: Game(_episode(world, question, order, rules), rules)
        for question, order in enumerate(orders(arm.draws, [seed])[0].tolist())
    }
    deadline = time.monotonic() + code.limits.processor_seconds
    with fenced(code) as controller:
        while going := {place: one for place, one in games.items() if one.outcome is None}:
            if time.monotonic() > deadline:
                raise BrokenControllerError(
                    f"it took more than {code.limits.processor_seconds} seconds for one order"
                )
            _round(controller, going, watch or {})
    return [one.outcome for one in games.values() if one.outcome is not None]


def _episode(world: Recorded, question: int, order: Sequence[int], rules: Rules) -> Episode:
    draws = world.arms[0].branches[question]
    return Episode([[draws[place] for place in order if place >= 0]], world.interval, rules)


def _round(controller: Fenced, going: Mapping[int, Game], watch: Mapping[int, Watch]) -> None:
    decisions = controller.ask_all([(one.state, one.memory) for one in going.values()])
    for (question, game), (actions, memory) in zip(going.items(), decisions, strict=True):
        if told := watch.get(question):
            told(game.state, actions)
        try:
            game.decided(actions, memory)
        except IllegalActionError as error:
            raise IllegalActionError(f"round {game.state.rounds}: {error}") from error
