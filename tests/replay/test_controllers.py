"""Promises of all controllers, on random pools: they answer, are pure, and have true twins."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import reduce
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import draw, episode, recordeds

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.replay.arrays import Recorded
from atlas_mcp.replay.batch.registry import TWINS
from atlas_mcp.replay.controllers.registry import BUILT_IN, controller
from atlas_mcp.replay.controllers.votes import NO_VOTES, Tally, confidence, count, plurality
from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.part import Columns, play_batch, play_each
from atlas_mcp.replay.playing import play
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Bounded,
    Continue,
    Controller,
    Decision,
    Open,
    Probe,
    Prune,
    State,
    active,
    tell,
)

controllers = st.builds(
    lambda name, dial: controller(f"{name}:{dial}"),
    st.sampled_from(sorted(BUILT_IN)),
    st.floats(0, 1).map(lambda dial: round(dial, 2)),
)
small = st.sampled_from(
    [
        "adaptive-consistency@5:0.8",
        "early-stopping@9:3",
        "first-2-of-7",
        "parallel-probe@6:3:2:1",
        "parallel-probe@12:5:1:2",
        "self-consistency@4",
        "short-2-of-5",
    ]
).map(controller)
rules = st.builds(Rules, probe_tokens=st.sampled_from([0.0, 20.0]), exact=st.booleans())


@settings(max_examples=300)
@given(recordeds(), controllers | small, rules)
def test_a_twin_over_arrays_is_the_controller_to_the_token(
    recorded: Recorded, chosen: Controller, rules: Rules
) -> None:
    seeds = range(3)
    each = play_each(recorded, chosen, seeds, rules)
    batch = play_batch(recorded, chosen, seeds, rules)
    for column in (one.name for one in fields(Columns)):
        np.testing.assert_allclose(
            getattr(batch, column), getattr(each, column), rtol=1e-12, err_msg=column
        )
    assert not each.cut.any()


def test_every_built_in_controller_has_a_twin() -> None:
    assert {type(controller(name)) for name in BUILT_IN} == set(TWINS)


@given(recordeds(), controllers | small)
def test_the_same_state_gives_the_same_decision(recorded: Recorded, chosen: Controller) -> None:
    playing = Episode([recorded.arms[0].branches[0]], recorded.interval, Rules())
    state, memory = playing.start(), None
    while True:
        decision = chosen.ask(state, memory)
        assert chosen.ask(state, memory) == decision
        if isinstance(decision.actions[0], Answer):
            return
        state, memory = tell(state, playing.act(decision.actions)), decision.memory


@given(recordeds(), controllers)
def test_nothing_is_opened_that_is_not_there(recorded: Recorded, chosen: Controller) -> None:
    columns = play_batch(recorded, chosen, [7], Rules())
    assert (columns.calls <= recorded.arms[0].draws).all()
    assert (columns.calls >= 1).all()


@given(recordeds(), controllers | small)
def test_a_controller_opens_no_more_than_it_says(recorded: Recorded, chosen: Controller) -> None:
    assert isinstance(chosen, Bounded)
    assert play_batch(recorded, chosen, [7], Rules()).calls.max() <= chosen.calls


class Legal:
    """Does, at random, whatever its state admits, and answers at last."""

    name = "legal"

    def __init__(self, seed: int, rounds: int) -> None:
        self.seed = seed
        self.rounds = rounds

    def ask(self, state: State, memory: Any) -> Decision:
        random = Random(f"{self.seed} {state.rounds}")
        going = active(state.branches)
        probed = [n for n in going if state.branches[n].depth]
        choices: list[Action] = [
            Open(random.randint(1, left), random.choice([None, 1, 2]), arm)
            for arm, left in enumerate(state.left)
            if left
        ]
        if going:
            some = random.sample(going, random.randint(1, len(going)))
            choices.append(Continue(some, random.choice([None, 1, 3])))
            choices.append(Prune(some))
        if probed:
            choices.append(Probe(probed))
        if state.rounds >= self.rounds or not choices:
            votes = [one.answer for one in state.branches if one.answer is not None]
            return Decision([Answer(random.choice(votes) if votes else None)])
        return Decision([random.choice(choices)])


@given(recordeds(arms=2), st.integers(0, 2**32), st.integers(1, 12), rules)
def test_costs_only_grow_and_an_answer_is_always_reached(
    recorded: Recorded, seed: int, rounds: int, rules: Rules
) -> None:
    seen: list[State] = []
    arms = [arm.branches[0] for arm in recorded.arms]
    playing = Episode(arms, recorded.interval, rules)
    outcome = play(Legal(seed, rounds), playing, rules, lambda state, _: seen.append(state))
    assert outcome.cut is None
    assert outcome.spent == seen[-1].spent
    for before, after in pairwise(seen):
        for name in ("tokens", "latency", "usd", "calls", "probes"):
            old, new = getattr(before.spent, name), getattr(after.spent, name)
            assert new is None or (old is not None and 0 <= old <= new)
    if outcome.spent.tokens is not None and outcome.spent.latency is not None:
        assert outcome.spent.latency <= outcome.spent.tokens + 1e-9


@given(recordeds(arms=2), st.integers(0, 2**32), st.integers(1, 12), rules)
def test_an_episode_stands_where_all_its_reports_lead(
    recorded: Recorded, seed: int, rounds: int, rules: Rules
) -> None:
    arms = [arm.branches[0] for arm in recorded.arms]
    one, other = (Episode(arms, recorded.interval, rules) for _ in range(2))
    chosen, state = Legal(seed, rounds), one.start()
    while not isinstance((actions := chosen.ask(state, None).actions)[0], Answer):
        told = tell(state, one.act(actions))
        state = other.advance(actions)
        assert state == told


@given(recordeds(), st.data(), st.sampled_from([0.0, 20.0]))
def test_to_continue_and_probe_the_same_is_no_shortcut(
    recorded: Recorded, data: st.DataObject, price: float
) -> None:
    """Nor where a branch has ended, comes twice, or other things are done with it in the round."""
    draws = recorded.arms[0].branches[0]
    one, other = (Episode([draws], recorded.interval, Rules(probe_tokens=price)) for _ in range(2))
    opened = range(len(draws))
    assert one.act([Open(len(draws), 1), Probe(opened)]) == other.act(
        [Open(len(draws), 1), Probe([*opened])]
    )
    left = set(opened)
    for _ in range(data.draw(st.integers(1, 15))):
        pruned = data.draw(st.sets(st.sampled_from(sorted(left)), max_size=len(left) - 1))
        left -= pruned
        some = st.lists(st.sampled_from(sorted(left)), min_size=1)
        going = data.draw(some)
        before, after = (
            data.draw(st.one_of(some.map(Probe), some.map(Continue))) for _ in range(2)
        )
        first: list[Action] = [Prune(sorted(pruned)), before]
        assert one.act([*first, Continue(going), Probe(going), after]) == other.act(
            [*first, Continue(going), Probe(tuple(going)), after]
        )


@given(st.lists(st.lists(st.sampled_from("abcd") | st.none())))
def test_votes_that_come_little_by_little_are_counted_like_all_at_once(
    parts: list[list[str | None]],
) -> None:
    tally = reduce(Tally.plus, parts, NO_VOTES)
    answers = [one for part in parts for one in part]
    assert (tally.leader, tally.first, tally.second) == count(answers)
    assert tally.leader == plurality(answers)
    assert tally.asked == len(answers)


@given(st.integers(0, 40), st.integers(0, 40))
def test_confidence_is_the_tail_of_a_beta_distribution(first: int, second: int) -> None:
    first, second = max(first, second), min(first, second)
    grid = (np.arange(20_000) + 0.5) / 20_000
    density = np.exp(first * np.log(grid) + second * np.log1p(-grid))
    tail = density[grid > 0.5].sum() / density.sum()
    assert confidence(first, second) == pytest.approx(tail, abs=1e-4)


def test_of_equal_answers_the_one_seen_first_wins() -> None:
    rules = Rules()
    branches = [draw(100.0, code) for code in (4, 2, 2, 4)]
    assert play(controller("self-consistency@4"), episode(*branches), rules).answer == 4


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_dial_sets_every_number_monotonically(name: str) -> None:
    made = [controller(f"{name}:{step / 20}") for step in range(21)]
    for field in fields(made[0]):  # type: ignore[arg-type]
        values = [getattr(one, field.name) for one in made]
        assert values in (sorted(values), sorted(values, reverse=True)), field.name


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_controller_is_written_the_way_it_calls_itself(name: str) -> None:
    made = controller(f"{name}:0.4")
    assert controller(made.name) == made


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nothing:0.5", "unknown controller 'nothing:0.5'; known: adaptive-consistency"),
        ("momentum:1.5", "the dial is a number from 0 to 1"),
        ("momentum:nan", "the dial is a number from 0 to 1"),
        ("momentum@8", "write momentum:DIAL"),
        ("self-consistency@0", "with numbers above 0"),
        ("self-consistency@1:2", "write self-consistency@N"),
        ("first-2-of-0", "with numbers above 0"),
        ("early-stopping@8:0.5", "with numbers above 0"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(text: str, fault: str) -> None:
    with pytest.raises(BadRequestError, match=fault):
        controller(text)


def test_a_pool_without_probes_is_a_pool_of_draws() -> None:
    branches = [draw(100.0 * n, n % 2) for n in range(1, 9)]
    outcome = play(controller("parallel-probe@8"), episode(*branches), Rules())
    assert (outcome.answer, outcome.spent.tokens, outcome.spent.probes) == (1, 3_600.0, 0)
    assert not math.isnan(outcome.spent.latency or math.nan)
