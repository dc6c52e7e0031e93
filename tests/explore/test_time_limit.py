"""The limit of a solver bounds its time at work, not the time that it waits for its turn."""

from __future__ import annotations

import anyio
from hypothesis import assume, given
from hypothesis import strategies as st
from support import roster_of
from virtual_time import in_virtual_time

from atlas_mcp.core.redaction import Redactor
from atlas_mcp.core.types import Call, Choice, Evidence, Problem
from atlas_mcp.explore.dispatch import PATIENCE, Dispatcher, Ready
from solvers.errors import OverloadedError
from solvers.registry import SolverSpec
from solvers.retry import Backoff, Lane
from solvers.scripted import Script, ScriptedSolver
from solvers.types import Shared, Slots, SolveRequest

PROBLEM = Problem(text="P")
LIMIT = 100.0


def dispatched(script: Script, shared: Shared, draws: int = 1) -> list[Evidence]:
    """The evidence of so many draws at once of a solver with this limit, by draw."""
    found: list[Evidence] = []

    async def dispatch() -> None:
        solver = ScriptedSolver(script)
        dispatcher = Dispatcher(roster_of(solver), redact=Redactor(), shared=shared)
        spec = SolverSpec(name="s0", api="scripted", max_seconds=LIMIT)
        ready = Ready(spec=spec, solver=solver)
        async with anyio.create_task_group() as tasks:
            for draw in range(1, draws + 1):
                call = Call(problem_id=PROBLEM.id, choice=Choice(solver="s0"), draw=draw)
                tasks.start_soon(dispatcher.run, ready, PROBLEM, call, found.append)

    in_virtual_time(dispatch)
    return sorted(found, key=lambda one: one.call.draw)


def test_draws_of_a_slow_solver_that_wait_for_their_turn_all_answer() -> None:
    shared = Shared(Slots(16))
    lane = Lane(1, shared.slots)

    async def slow() -> str:
        await anyio.sleep(90)
        return "42"

    async def answer(request: SolveRequest) -> str:
        deadline = anyio.current_effective_deadline()
        return await lane.run(slow, Backoff(), deadline=deadline)

    found = dispatched(answer, shared, draws=8)
    assert [(one.status, one.seconds) for one in found] == [("ok", 90.0)] * 8


def test_a_call_that_waited_for_its_turn_may_try_again_like_any_other() -> None:
    shared = Shared(Slots(16))
    lane = Lane(1, shared.slots)

    async def answer(request: SolveRequest) -> str:
        failed: list[int] = []

        async def attempt() -> str:
            await anyio.sleep(40)
            if not failed:
                failed.append(1)
                raise OverloadedError("busy")
            return "42"

        deadline = anyio.current_effective_deadline()
        return await lane.run(attempt, Backoff(), deadline=deadline)

    found = dispatched(answer, shared, draws=5)
    assert [(one.status, one.seconds) for one in found] == [("ok", 80.0)] * 5


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200)), max_size=5))
def test_only_the_time_at_work_counts(spans: list[tuple[int, int]]) -> None:
    shared = Shared(Slots(1))
    at_work = sum(work for work, _ in spans)
    assume(at_work != LIMIT)

    async def answer(request: SolveRequest) -> str:
        for work, wait in spans:
            await anyio.sleep(work)
            async with shared.slots.put_down():
                await anyio.sleep(wait)
        return "42"

    (found,) = dispatched(answer, shared)
    if at_work < LIMIT:
        assert (found.status, found.seconds) == ("ok", at_work)
    else:
        assert (found.status, found.seconds) == ("timeout", LIMIT)
        assert found.fault is not None
        assert found.fault.message == "no answer within 100 s"


def test_a_solver_that_gives_up_a_wait_is_at_work_again() -> None:
    shared = Shared(Slots(1))

    async def answer(request: SolveRequest) -> str:
        with anyio.move_on_after(LIMIT):
            async with shared.slots.put_down():
                await anyio.sleep_forever()
        await anyio.sleep_forever()
        raise AssertionError

    (found,) = dispatched(answer, shared)
    assert (found.status, found.seconds) == ("timeout", LIMIT)


def test_nothing_waits_for_ever() -> None:
    shared = Shared(Slots(1))

    async def answer(request: SolveRequest) -> str:
        async with shared.slots.put_down():
            await anyio.sleep_forever()
        raise AssertionError

    (found,) = dispatched(answer, shared)
    assert (found.status, found.seconds) == ("timeout", 0.0)
    assert found.fault is not None
    assert f"within {PATIENCE * LIMIT:g} s, most of them in wait" in found.fault.message


def test_a_call_that_waits_for_a_slot_has_not_begun() -> None:
    async def answer(request: SolveRequest) -> str:
        await anyio.sleep(90)
        return "42"

    found = dispatched(answer, Shared(Slots(1)), draws=3)
    assert [(one.status, one.seconds) for one in found] == [("ok", 90.0)] * 3
