"""What actions bring and cost, reckoned by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from replaying import draw, episode

from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.playing import play
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Branch,
    Continue,
    Decision,
    IllegalActionError,
    Open,
    Probe,
    Prune,
    Spent,
    State,
    tell,
)

LONG = draw(1_300, 1, 2, 3, usd=0.13)
"""Two probes, then the answer 3 after 300 tokens more."""

SHORT = draw(700, 5, 6, 6, usd=0.07)
"""Its second probe was taken 300 tokens behind its end."""


def after(*rounds: Sequence[Action], of: Episode | None = None) -> State:
    """The state when these rounds have been played on LONG and SHORT."""
    playing = of or episode(LONG, SHORT)
    state = playing.start()
    for actions in rounds:
        state = tell(state, playing.act(actions))
    return state


def test_a_branch_that_is_read_at_once_costs_its_length() -> None:
    state = after([Open()])
    assert state.branches == (Branch(0, 3, 3, 3, ended=True),)
    assert state.left == (1,)
    assert state.spent == Spent(1_300, 1_300, 0.13, calls=1, probes=0)


def test_steps_cost_intervals_and_the_last_one_what_is_left() -> None:
    steps: list[list[Action]] = [[Open(intervals=1)], [Continue([0])], [Continue([0])]]
    assert [after(*steps[:n]).spent.tokens for n in (1, 2, 3)] == [500, 1_000, 1_300]
    assert after(*steps).branches == (Branch(0, 3, 3, 3, ended=True),)


def test_an_interval_costs_in_full_where_the_branch_ended_within_it() -> None:
    assert after([Open(2, intervals=2)], [Continue([1])]).spent.tokens == 1_000 + 1_000


def test_exact_rules_charge_what_was_written() -> None:
    playing = episode(SHORT, rules=Rules(exact=True))
    steps: list[list[Action]] = [[Open(intervals=1)], [Continue([0])], [Continue([0])]]
    assert after(*steps, of=playing).spent.tokens == 700


def test_continuing_what_has_ended_costs_its_last_step_again() -> None:
    state = after([Open(intervals=3)], [Continue([0])], [Continue([0])])
    assert state.spent.tokens == 1_300 + 300 + 300
    assert after([Open()], [Continue([0])]).spent.tokens == 1_300


def test_a_probe_tells_the_answer_of_its_depth_for_its_price() -> None:
    playing = episode(LONG, rules=Rules(probe_tokens=20))
    state = after([Open(intervals=1), Probe([0])], [Continue([0]), Probe([0])], of=playing)
    assert state.branches == (Branch(0, 2, 2, 2),)
    assert state.spent == Spent(1_040, 1_040, pytest.approx(0.104), calls=1, probes=2)  # type: ignore[arg-type]


def test_without_a_probe_nothing_is_known_of_a_branch_that_writes() -> None:
    assert after([Open(intervals=2)]).branches == (Branch(0, 2),)


def test_probing_what_has_ended_is_free() -> None:
    playing = episode(LONG, rules=Rules(probe_tokens=20))
    assert after([Open()], [Probe([0])], of=playing).spent.tokens == 1_300


def test_branches_of_a_round_write_at_the_same_time() -> None:
    together = after([Open(2)]).spent
    in_turn = after([Open()], [Open()]).spent
    assert (together.tokens, together.latency) == (2_000, 1_300)
    assert (in_turn.tokens, in_turn.latency) == (2_000, 2_000)


def test_a_branch_of_another_arm_is_another_solver() -> None:
    playing = Episode([[LONG], [SHORT]], 500, Rules())
    state = after([Open(arm=1), Open(arm=0)], of=playing)
    assert [(one.arm, one.answer) for one in state.branches] == [(1, 6), (0, 3)]
    assert state.left == (0, 0)


def test_what_was_not_recorded_is_unknown_and_not_free() -> None:
    unknown = draw(float("nan"), 4)
    spent = after([Open()], of=episode(unknown)).spent
    assert (spent.tokens, spent.latency, spent.usd, spent.calls) == (None, None, None, 1)


def test_a_branch_of_unknown_length_is_paid_once() -> None:
    played = episode(draw(math.nan, 1, usd=0.5), draw(300, 2, usd=0.3))
    played.act([Open(2)])
    spent = played.act([Probe([0, 1])]).spent
    assert spent.usd == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("rounds", "fault"),
    [
        ([[]], "does nothing"),
        ([[Open(3)]], "3 branches of arm 0 cannot be opened: 2 are left"),
        ([[Open(0)]], "cannot be opened"),
        ([[Open(arm=1)]], "there is no arm 1"),
        ([[Continue([0])]], "there is no branch 0; 0 are open"),
        ([[Open()], [Probe([1])]], "there is no branch 1; 1 are open"),
        ([[Open()], [Continue([-1])]], "there is no branch -1"),
        ([[Open(intervals=0)]], "for 0 intervals"),
        ([[Open(intervals=1)], [Prune([0])], [Continue([0])]], "was pruned"),
        ([[Open(intervals=1)], [Prune([0])], [Probe([0])]], "was pruned"),
        ([[Open(intervals=1)], [Prune([0])], [Continue((0,)), Probe((0,))]], "was pruned"),
        ([[Open(), Answer(3)]], "must be the only action"),
        ([["branch"]], "'branch' is no action"),
    ],
)
def test_what_the_state_does_not_admit_is_refused(rounds: Any, fault: str) -> None:
    with pytest.raises(IllegalActionError, match=fault):
        after(*rounds)


def test_exact_rules_refuse_to_continue_what_has_ended() -> None:
    with pytest.raises(IllegalActionError, match="has ended"):
        after([Open()], [Continue([0])], of=episode(LONG, rules=Rules(exact=True)))


class Probing:
    """Opens a branch and probes it for ever."""

    name = "probing"

    def ask(self, state: State, memory: Any) -> Decision:
        if not state.branches:
            return Decision([Open(intervals=1)])
        return Decision([Probe([0])])


class Spending:
    """Opens whatever there is, and then answers."""

    name = "spending"

    def ask(self, state: State, memory: Any) -> Decision:
        return Decision([Open()] if state.left[0] else [Answer(3)])


def test_a_controller_that_never_stops_is_cut_off() -> None:
    rules = Rules(max_rounds=50)
    ended = play(Probing(), episode(LONG, rules=rules), rules)
    assert (ended.answer, ended.cut, ended.rounds) == (None, "rounds", 50)


def test_a_controller_that_overspends_is_cut_off() -> None:
    rules = Rules(max_tokens=1_500)
    ended = play(Spending(), episode(LONG, SHORT, rules=rules), rules)
    assert (ended.answer, ended.cut, ended.spent.tokens) == (None, "tokens", 2_000)
    rules = Rules(max_tokens=2_000)
    assert play(Spending(), episode(LONG, SHORT, rules=rules), rules).answer == 3


class Guessing:
    """Answers before anything was read, or what was read of the first step."""

    name = "guessing"

    def __init__(self, key: object, *, opens: bool) -> None:
        self.key = key
        self.opens = opens

    def ask(self, state: State, memory: Any) -> Decision:
        if self.opens and not state.branches:
            return Decision([Open(intervals=2), Probe([0])])
        answer: Any = self.key
        return Decision([Answer(answer)])


@pytest.mark.parametrize("key", [3, "3", -1])
def test_what_no_branch_has_answered_is_no_answer(key: object) -> None:
    rules = Rules()
    for opens in (True, False):
        with pytest.raises(IllegalActionError, match="is a guess"):
            play(Guessing(key, opens=opens), episode(LONG), rules)
    assert play(Guessing(2, opens=True), episode(LONG), rules).answer == 2
    assert play(Guessing(None, opens=False), episode(LONG), rules).answer is None
