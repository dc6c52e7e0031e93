"""Controllers that drive the reference host: the same decisions as on recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support import WAIT, Connect, Host

from atlas_mcp.host import transcript
from atlas_mcp.host.controlled import Controlled
from atlas_mcp.host.orchestrator import Answer as Answered
from atlas_mcp.host.orchestrator import Explore, Explores, Outcome, Progress, Task, View
from atlas_mcp.host.replies import Capsule
from atlas_mcp.host.running import run
from atlas_mcp.replay.controllers.registry import controller
from atlas_mcp.replay.draws import Draw
from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.playing import play
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Continue,
    Controller,
    Decision,
    Open,
    Probe,
    Prune,
    State,
)
from solvers.errors import AuthenticationError, OverloadedError
from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest

pytestmark = pytest.mark.anyio

EXPLORE = Explore(effort="low")
EVERY = (
    "adaptive-consistency@6",
    "early-stopping@7:3",
    "first-2-of-5",
    "momentum:0.5",
    "parallel-probe@5",
    "self-consistency@10",
    "short-2-of-6",
)


@dataclass(frozen=True)
class Scripted:
    """Decides as a function of the state says."""

    decides: Callable[[State], Sequence[Action]]
    name: str = "scripted"

    def ask(self, state: State, memory: Any) -> Decision:
        return Decision(self.decides(state))


def controlled(by: str | Controller, *arms: str, **more: Any) -> Controlled:
    found = controller(by) if isinstance(by, str) else by
    explores = tuple(Explore(effort="low", solver=arm) for arm in arms) or (EXPLORE,)
    return Controlled(controller=found, arms=explores, kind="number", **more)


async def work(host: Host, orchestrator: Controlled, **more: Any) -> Outcome:
    task = Task(text="What is 6 × 7?", answer_kind="number", **more)
    with anyio.fail_after(WAIT):
        return await run(host.client, task, orchestrator)


# --- what it does


async def test_branches_are_draws_and_equal_answers_count_together(connect: Connect) -> None:
    solver = ScriptedSolver(["41", "42", "42.0", "40", "41", "42"])
    async with connect(solver) as host:
        outcome = await work(host, controlled("self-consistency@6"))
    assert (outcome.answer, outcome.because) == ("42", "3 of 6 answers agree")
    assert outcome.orchestrator == "controller:self-consistency@6"
    assert (len(solver.requests), outcome.forced) == (6, False)


async def test_it_stops_as_soon_as_its_controller_has_seen_enough(connect: Connect) -> None:
    solver = ScriptedSolver(["41", "42", "40", "42"])
    async with connect(solver) as host:
        outcome = await work(host, controlled("first-2-of-8"))
    assert (outcome.answer, len(solver.requests)) == ("42", 4)


async def test_more_branches_than_one_call_dispatches_are_one_round(connect: Connect) -> None:
    rounds: list[int] = []

    def decides(state: State) -> Sequence[Action]:
        rounds.append(len(state.branches))
        return [Answer(state.branches[0].answer)] if state.branches else [Open(20)]

    solver = ScriptedSolver(["42"])
    async with connect(solver) as host:
        await work(host, controlled(Scripted(decides)))
    assert (len(solver.requests), set(rounds)) == (20, {0, 20})


async def test_a_controller_chooses_among_solvers_by_their_place(connect: Connect) -> None:
    def decides(state: State) -> Sequence[Action]:
        if not state.branches:
            return [Open(2, arm=1)]
        if len(state.branches) == 2:
            return [Open(1, arm=0), Open(1, arm=1)]
        assert [one.arm for one in state.branches] == [1, 1, 0, 1]
        return [Answer(state.branches[2].answer)]

    first, second = ScriptedSolver(["1"]), ScriptedSolver(["2"])
    async with connect(named={"a": first, "b": second}) as host:
        outcome = await work(host, controlled(Scripted(decides), "a", "b"))
    assert (outcome.answer, len(first.requests), len(second.requests)) == ("1", 1, 3)


async def test_a_branch_that_fails_ends_without_an_answer(connect: Connect) -> None:
    def answer(request: SolveRequest) -> str:
        if request.draw == 1:
            raise OverloadedError("busy")
        return "42"

    seen: list[State] = []

    def decides(state: State) -> Sequence[Action]:
        seen.append(state)
        return [Answer(state.branches[1].answer)] if state.branches else [Open(2)]

    async with connect(ScriptedSolver(answer)) as host:
        outcome = await work(host, controlled(Scripted(decides)))
    assert outcome.answer == "42"
    assert [(one.ended, one.answer is None) for one in seen[-1].branches] == [
        (True, True),
        (True, False),
    ]


async def test_the_costs_it_sees_are_those_of_the_evidence_without_prompts(
    connect: Connect,
) -> None:
    seen: list[State] = []

    def decides(state: State) -> Sequence[Action]:
        seen.append(state)
        return [Answer(None)] if len(state.branches) > 2 else [Open(2), Probe([0])]

    async with connect(ScriptedSolver(["42"], usd=0.25)) as host:
        outcome = await work(host, controlled(Scripted(decides)))
    spent = seen[-1].spent
    assert (spent.calls, spent.tokens, spent.latency, spent.usd) == (4, 20, 10, 1.0)
    assert spent.probes == 0
    assert (outcome.abstained, outcome.because) == (True, "the controller abstains")


async def test_to_continue_what_has_ended_is_nothing(connect: Connect) -> None:
    def decides(state: State) -> Sequence[Action]:
        known = range(len(state.branches))
        if state.rounds == 3:
            return [Answer(state.branches[1].answer)]
        return [Continue(known), Prune([0]) if state.rounds == 2 else Open(1, 1), Probe(known[1:])]

    solver = ScriptedSolver(["41", "42"])
    async with connect(solver) as host:
        outcome = await work(host, controlled(Scripted(decides)))
    assert (outcome.answer, len(solver.requests)) == ("42", 2)


# --- what it may not do


def _fails(state: State) -> Sequence[Action]:
    raise RuntimeError("I am broken")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (lambda _: [Open(7)], "7 branches of arm 0 cannot be opened: 6 are left"),
        (lambda _: [Open(1, arm=1)], "there is no arm 1"),
        (lambda _: [Open(1), Prune([9])], "there is no branch 9"),
        (lambda _: [Continue([2])], "there is no branch 2"),
        (lambda _: [], "a decision that does nothing"),
        (lambda _: [Continue([0])], "gave no answer after 1,000 rounds"),
        (lambda _: [Answer("number:43")], "no branch has answered 'number:43'"),
        (_fails, "RuntimeError('I am broken')"),
    ],
)
async def test_a_controller_that_errs_ends_the_run_with_the_leading_answer_and_pays_for_nothing(
    connect: Connect, second: Callable[[State], Sequence[Action]], said: str
) -> None:
    def decides(state: State) -> Sequence[Action]:
        return second(state) if state.branches else [Open(2)]

    solver = ScriptedSolver(["42"])
    async with connect(solver) as host:
        outcome = await work(host, controlled(Scripted(decides), calls=8))
    assert (outcome.answer, outcome.forced, len(solver.requests)) == ("42", True, 2)
    assert "controller:scripted" in outcome.because
    assert said in outcome.because


async def test_a_fault_that_no_draw_can_escape_ends_the_run_with_its_cure(
    connect: Connect,
) -> None:
    def refuse(request: SolveRequest) -> str:
        raise AuthenticationError("set KEY")

    solver = ScriptedSolver(refuse)
    async with connect(solver) as host:
        outcome = await work(host, controlled("adaptive-consistency@8"))
    assert (outcome.abstained, len(solver.requests)) == (True, 1)
    assert "set KEY" in outcome.because


# --- caps


async def test_a_cap_on_calls_is_what_a_controller_sees_left(connect: Connect) -> None:
    solver = ScriptedSolver(["41", "42", "42"])
    async with connect(solver) as host:
        outcome = await work(host, controlled("self-consistency@8", calls=3), max_calls=3)
    assert (outcome.answer, outcome.forced, len(solver.requests)) == ("42", False, 3)


@pytest.mark.parametrize("cap", [{"max_calls": 3}, {"max_tokens": 50}, {"max_usd": 0.8}])
async def test_a_cap_that_it_does_not_see_ends_the_run_and_is_told(
    connect: Connect, cap: dict[str, Any]
) -> None:
    solver = ScriptedSolver(["41", "42", "42"], usd=0.25)
    async with connect(solver) as host:
        outcome = await work(host, controlled("self-consistency@8"), **cap)
    assert (outcome.answer, outcome.forced, len(solver.requests)) == ("42", True, 3)
    assert "the cap was reached" in outcome.because


# --- kills


class CutOff(Exception):
    """Stands for the death of the process."""


@pytest.mark.parametrize("named", EVERY)
async def test_a_run_goes_on_wherever_it_was_cut_off_and_pays_for_nothing_twice(
    connect: Connect, tmp_path: Path, named: str
) -> None:
    task = Task(text="What is 6 × 7?", answer_kind="number", max_tokens=100_000)
    script = ["41", "42", "40", "42", "41"]

    async def go(
        host: Host, path: Path, dies_after: int | None = None, *, again: bool = False
    ) -> tuple[Outcome, int]:
        before = transcript.read(path).progress if again else None
        kept = 0

        async def keep(progress: Progress) -> None:
            nonlocal kept
            kept += 1
            await transcript.Transcript(path, task).keep(progress)
            if kept == dies_after:
                raise CutOff

        with anyio.fail_after(WAIT):
            by = controlled(named)
            return await run(host.client, task, by, progress=before, keep=keep), kept

    whole = ScriptedSolver(script)
    async with connect(whole) as host:
        outcome, kept = await go(host, tmp_path / "whole.json")
    for dies_after in range(1, kept + 1):
        solver = ScriptedSolver(script)
        path = tmp_path / f"{dies_after}.json"
        async with connect(solver, store=tmp_path / f"{dies_after}.db") as host:
            with pytest.raises(CutOff):
                await go(host, path, dies_after)
            again, _ = await go(host, path, again=True)
        assert (again.answer, again.because) == (outcome.answer, outcome.because)
        assert len(solver.requests) == len(whole.requests)


# --- the same as on recordings


@given(
    named=some.sampled_from(EVERY),
    answers=some.lists(some.sampled_from(["1", "2", "3", None]), min_size=1, max_size=12),
    seed=some.integers(0, 99),
)
async def test_live_it_decides_as_on_recordings(
    named: str, answers: list[str | None], seed: int
) -> None:
    keys = [None if one is None else f"number:{one}" for one in answers]
    draws = [Draw(10.0 + n, 0.5, (key,)) for n, key in enumerate(keys)]
    recorded = play(controller(named), Episode([draws], math.nan, Rules()), Rules())
    found, dispatched = await _live(named, answers, Random(seed))
    assert dispatched - recorded.spent.calls in range(0, 12)  # those that no recording is left for
    assert min(dispatched, len(draws)) == recorded.spent.calls
    wanted: Any = recorded.answer
    assert (None if found is None else f"number:{found}") == wanted


async def _live(named: str, answers: list[str | None], random: Random) -> tuple[str | None, int]:
    """Let it decide on draws that overtake each other; behind the last one is none recorded."""
    by, evidence = controlled(named), list[Capsule]()
    while True:
        step = await by.decide(View(problem="?", evidence=tuple(evidence)))
        if not isinstance(step, Explore | Explores):
            return (step.answer if isinstance(step, Answered) else None), len(evidence)
        explores = step.explores if isinstance(step, Explores) else (step,)
        count = sum(one.draws for one in explores)
        new = [_capsule(draw, answers) for draw in range(len(evidence), len(evidence) + count)]
        evidence += random.sample(new, len(new))


def _capsule(draw: int, answers: list[str | None]) -> Capsule:
    answer = answers[draw] if draw < len(answers) else None
    return Capsule(
        id=f"e{draw}",
        solver="s",
        effort="low",
        strategy="direct",
        draw=draw + 1,
        status="ok" if answer else "failed",
        answer=answer,
        error=None if draw < len(answers) else "recording_miss: no more",
        tokens=10 + draw,
    )
