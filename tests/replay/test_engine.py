"""Replays as a whole: on all cores or one, alone or together, traced or not, the same comes out."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from replaying import INTERVAL, pool_of

from atlas_mcp.core.errors import BadRequestError, SetupError
from atlas_mcp.replay.arrays import Recorded, orders, record, shuffled
from atlas_mcp.replay.controllers.registry import controller
from atlas_mcp.replay.engine import Plan, Replayed, replay
from atlas_mcp.replay.environment import Rules
from atlas_mcp.replay.part import Columns
from atlas_mcp.replay.state import Answer, Continue, Decision, IllegalActionError, Open, State
from solvers.recording import Recording

NAMES = ("self-consistency@5", "parallel-probe@6:3:2:1", "momentum:0.3")


def rows(question: int, model: str, count: int = 9) -> list[Recording]:
    """Branches that first say "x" and then, two times in three, the question's number."""
    return [
        Recording(
            question_id=f"q{question}",
            model=model,
            sample_idx=n,
            answer=str(question) if n % 3 else "y",
            output_tokens=INTERVAL * (n % 4 + 1) + 40 * n,
            probes=("x",) * (n % 4 + 1),
        )
        for n in range(count)
    ]


@pytest.fixture
def recorded() -> Recorded:
    questions = [[*rows(q, "small"), *rows(q, "large", 7)] for q in range(3)]
    return record(pool_of(questions, ["0", "1", "y"]))


def plan(*names: str, **more: Any) -> Plan:
    chosen = tuple(controller(name) for name in names or NAMES)
    return Plan(controllers=chosen, seeds=tuple(range(45)), jobs=1, **more)


def assert_same(found: list[Replayed], other: list[Replayed]) -> None:
    for one, two in zip(found, other, strict=True):
        assert (one.controller, one.arm, one.questions) == (
            two.controller,
            two.arm,
            two.questions,
        )
        for column in (field.name for field in fields(Columns)):
            np.testing.assert_allclose(
                getattr(one.columns, column), getattr(two.columns, column), err_msg=column
            )


def test_all_cores_and_one_give_the_same(recorded: Recorded) -> None:
    assert_same(replay(recorded, replace(plan(), jobs=2)), replay(recorded, plan()))


def test_another_backend_of_joblib_gives_the_same(recorded: Recorded) -> None:
    assert_same(
        replay(recorded, replace(plan(), backend="threading", jobs=2)), replay(recorded, plan())
    )


@pytest.mark.parametrize("backend", ["ray", "dask", "abacus"])
def test_a_backend_that_is_not_there_is_a_matter_of_set_up(
    recorded: Recorded, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("ray", "dask"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SetupError, match=f"cannot use the backend '{backend}'"):
        replay(recorded, replace(plan(), backend=backend))


def test_one_at_a_time_gives_the_same(recorded: Recorded) -> None:
    assert_same(replay(recorded, plan(scalar=True)), replay(recorded, plan()))


def test_progress_counts_controllers_and_arms(recorded: Recorded) -> None:
    told: list[tuple[str, str, int, int]] = []
    replay(recorded, plan("short-2-of-4"), lambda *one: told.append(one))
    assert told == [("short-2-of-4", "small", 1, 2), ("short-2-of-4", "large", 2, 2)]


def test_traces_are_lines_of_json_for_every_decision(recorded: Recorded, tmp_path: Path) -> None:
    traced = plan("parallel-probe@6:3:2:1", arms=("small",), traces=tmp_path)
    assert_same(replay(recorded, traced), replay(recorded, replace(traced, traces=None)))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    lines = [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]
    ends = [line for line in lines if "right" in line]
    assert [(line["question"], line["seed"]) for line in ends] == [
        (f"q{q}", seed)
        for seeds in (range(20), range(20, 40), range(40, 45))
        for q in range(3)
        for seed in seeds
    ]
    assert lines[0]["actions"] == [["open", 6, 1, 0], ["probe", [0, 1, 2, 3, 4, 5]]]
    assert lines[1]["read"] == {"x": 6}


class Cascade:
    """Asks the first arm once, and the second where its answer has another code than 0."""

    name = "cascade"

    def ask(self, state: State, memory: Any) -> Decision:
        if len(state.branches) < 1:
            return Decision([Open(arm=0)])
        last = state.branches[-1]
        if len(state.branches) < 2 and last.answer != 0:
            return Decision([Open(arm=1)])
        return Decision([Answer(last.answer)])


def test_a_controller_can_choose_among_the_arms(recorded: Recorded) -> None:
    both = Plan(controllers=(Cascade(),), seeds=tuple(range(9)), together=True, jobs=1)
    (found,) = replay(recorded, both)
    assert found.arm == "small | large"
    assert set(found.columns.calls.flatten().tolist()) == {1, 2}


class Meddling:
    """Continues a branch that is not there."""

    name = "meddling"

    def ask(self, state: State, memory: Any) -> Decision:
        return Decision([Continue([5])])


def test_an_illegal_action_names_controller_question_and_seed(recorded: Recorded) -> None:
    one = Plan(controllers=(Meddling(),), seeds=(4,), jobs=1)
    with pytest.raises(IllegalActionError, match=r"meddling, question q0, seed 4: there is no"):
        replay(recorded, one)


def test_what_is_refused_stands_in_its_trace(recorded: Recorded, tmp_path: Path) -> None:
    one = Plan(controllers=(Meddling(),), seeds=(4,), jobs=1, arms=("small",), traces=tmp_path)
    with pytest.raises(IllegalActionError):
        replay(recorded, one)
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text("utf-8"))["actions"] == [["continue", [5], 1]]


def test_what_is_cut_off_is_counted(recorded: Recorded) -> None:
    one = plan("self-consistency@5", rules=Rules(max_tokens=1_000), arms=("small",))
    (found,) = replay(recorded, one)
    assert found.columns.cut.all()
    assert not found.columns.right.any()


def test_an_arm_meets_only_the_questions_that_it_answered() -> None:
    questions = [rows(0, "small"), [*rows(1, "small"), *rows(1, "large")]]
    found = replay(record(pool_of(questions, ["0", "1"])), plan("self-consistency@3"))
    assert {one.arm: one.questions for one in found} == {"small": ("q0", "q1"), "large": ("q1",)}


def test_a_seed_shuffles_as_the_source_does() -> None:
    expected = list(range(8))
    Random(3).shuffle(expected)
    assert shuffled(8, 3) == expected
    both = orders(np.array([3, 5, 3]), [0, 9])
    assert both[1, 1].tolist() == shuffled(5, 9)
    assert both[:, 0].tolist() == [[*shuffled(3, seed), -1, -1] for seed in (0, 9)]
    assert (both[:, 0] == both[:, 2]).all()


def test_an_answer_is_right_by_gold_or_by_its_recorded_verdict() -> None:
    found = record(
        pool_of(
            [
                [
                    Recording(question_id="q0", model="m", answer="1/2", correct=True),
                    Recording(question_id="q0", model="m", answer="0.5", sample_idx=1),
                    Recording(question_id="q0", model="m", answer="2", sample_idx=2),
                ]
            ],
            ["0.5"],
        )
    )
    right = dict(zip(found.texts[0], found.right[0].tolist(), strict=True))
    assert right == {"1/2": True, "0.5": True, "2": False}


def test_questions_that_nobody_can_grade_are_left_out() -> None:
    pool = pool_of([rows(0, "small"), rows(1, "small")], ["0", "1"])
    ungraded = replace(pool.questions[0], gold=None)
    assert record(replace(pool, questions=(ungraded, pool.questions[1]))).questions == ("q1",)


@pytest.mark.parametrize("probe_freq", [None, "500"])
def test_probes_at_unknown_distances_are_refused(probe_freq: Any) -> None:
    with pytest.raises(BadRequestError, match="probe_freq"):
        record(pool_of([rows(0, "small")], ["0"], probe_freq=probe_freq))


def test_a_pool_that_keeps_no_answers_cannot_be_replayed() -> None:
    kept = [Recording(question_id="q0", model="m", correct=True, answer_recorded=False)]
    with pytest.raises(BadRequestError, match="cannot be replayed"):
        record(pool_of([kept], ["0"]))


def test_an_unknown_arm_is_refused_with_those_there_are(recorded: Recorded) -> None:
    with pytest.raises(BadRequestError, match="no arm 'medium'; it has: small, large"):
        replay(recorded, plan(arms=("medium",)))
