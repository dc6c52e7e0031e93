"""Controller files drive the reference host from their sandbox, and end no run badly."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from discovering import controller, escaping
from support import WAIT, Connect
from virtual_time import VirtualLoop

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.loading import Loaded, load, opened
from atlas_mcp.host.controlled import Controlled
from atlas_mcp.host.orchestrator import Explore, Outcome, Task
from atlas_mcp.host.running import run
from atlas_mcp.replay.state import Decision, Open, State
from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's"),
]

TASK = Task(text="What is 6 × 7?", answer_kind="number")
SECOND = "if not state.branches:\n    return Decision((Open(2),))\n"
VOTE = "return Decision((Answer(count(one.answer for one in state.branches).leader),))"


def file(folder: Path, source: str, *, seconds: float = 10.0) -> Loaded:
    path = folder / "mine.py"
    path.write_text(source, "utf-8")
    found = load(f"{path}:0.5")
    limits = replace(found.code.limits, seconds=seconds)
    return replace(found, code=replace(found.code, limits=limits))


async def work(connect: Connect, solver: ScriptedSolver, found: Loaded) -> Outcome:
    with anyio.fail_after(WAIT):
        async with connect(solver) as host, opened(found) as made:
            orchestrator = Controlled(controller=made, arms=(Explore(),), kind="number")
            return await run(host.client, TASK, orchestrator)


def sandboxes() -> list[str]:
    """The sandboxed processes that this one has, by their number."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"confined.py" in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue  # it has ended meanwhile
    return found


async def test_a_file_decides_until_it_answers_and_its_process_ends_with_the_run(
    connect: Connect, tmp_path: Path
) -> None:
    during: list[list[str]] = []

    def answer(request: SolveRequest) -> str:
        during.append(sandboxes())
        return ["41", "42", "42.0"][request.draw - 1]

    found = file(tmp_path, controller(f"if len(state.branches) < 3:\n    return Open_\n{VOTE}",
                                      "Open_ = Decision((Open(1),))"))  # fmt: skip
    outcome = await work(connect, ScriptedSolver(answer), found)
    assert (outcome.answer, outcome.because) == ("42", "2 of 3 answers agree")
    assert (outcome.orchestrator, outcome.forced) == ("controller:mine:0.5", False)
    assert len({*map(tuple, during)}) == 1, "one process for the whole run"
    assert len(during[0]) == 1
    assert sandboxes() == []


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("raise ValueError('I am broken')", "ValueError: I am broken"),
        ("raise SystemExit('bye')", "its process ended: bye"),
        ("while True: pass", "it gave no decision within 1 seconds"),
        ("return None", "it failed: TypeError"),
        ("return Decision((Open(9_999),))", "9999 branches of arm 0 cannot be opened"),
        ("return Decision((Answer(7),))", "it answered with what no branch had said"),
    ],
)
async def test_a_file_that_fails_in_the_middle_ends_the_run_with_the_leading_answer(
    connect: Connect, tmp_path: Path, second: str, said: str
) -> None:
    solver = ScriptedSolver(["42"])
    found = file(tmp_path, controller(SECOND + second), seconds=1)
    outcome = await work(connect, solver, found)
    assert (outcome.answer, outcome.forced, len(solver.requests)) == ("42", True, 2)
    assert "controller:mine:0.5" in outcome.because
    assert said in outcome.because
    assert sandboxes() == []


async def test_live_code_of_a_file_has_no_way_out(connect: Connect, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s", "utf-8")
    reading = escaping(f"get('os').open({str(secret)!r}, 0)")
    outcome = await work(connect, ScriptedSolver(["42"]), file(tmp_path, reading))
    assert (outcome.abstained, outcome.evidence) == (True, ())
    assert "PermissionError" in outcome.because


async def test_a_run_that_is_stopped_does_not_wait_for_a_controller_that_hangs(
    connect: Connect, tmp_path: Path
) -> None:
    found = file(tmp_path, controller("while True: pass"), seconds=10 * WAIT)
    asked = threading.Event()

    class Told:
        name = "told"

        def __init__(self, made: Any) -> None:
            self._made = made

        def ask(self, state: State, memory: Any) -> Decision:
            asked.set()
            decision: Decision = self._made.ask(state, memory)
            return decision

    with anyio.fail_after(WAIT):
        async with connect(["42"]) as host, opened(found) as made, anyio.create_task_group() as on:
            orchestrator = Controlled(controller=Told(made), arms=(Explore(),), kind="number")
            on.start_soon(run, host.client, TASK, orchestrator)
            await anyio.to_thread.run_sync(asked.wait, WAIT)
            on.cancel_scope.cancel()
    assert sandboxes() == []


async def test_a_file_that_cannot_be_set_up_is_named(tmp_path: Path) -> None:
    broken = controller(VOTE).replace("found = cls()", "found = 1 / 0")
    with pytest.raises(BadRequestError, match=r"controller file .*mine\.py: it failed: .*ZeroDiv"):
        async with opened(file(tmp_path, broken)):
            raise AssertionError("it was opened")
    assert sandboxes() == []


def test_a_controller_outlives_the_threads_in_which_it_was_asked(tmp_path: Path) -> None:
    found = file(tmp_path, controller("return Decision((Open(1),))"))
    together = threading.Barrier(8)

    async def meet(workers: set[threading.Thread]) -> None:
        await anyio.to_thread.run_sync(together.wait, WAIT)
        workers.add(await anyio.to_thread.run_sync(threading.current_thread))

    async def later() -> Decision:
        async with opened(found) as made:
            workers = set[threading.Thread]()
            async with anyio.create_task_group() as all_at_once:
                for _ in range(together.parties):
                    all_at_once.start_soon(meet, workers)
            await anyio.sleep(3_600)  # idle threads are given up when the next one is needed
            kept = await anyio.to_thread.run_sync(threading.current_thread)
            for worker in workers - {kept}:
                worker.join(WAIT)
            return await anyio.to_thread.run_sync(made.ask, State(left=(3,)), None)

    decision = anyio.run(later, backend_options={"loop_factory": VirtualLoop})
    assert decision.actions == [Open(1)]
