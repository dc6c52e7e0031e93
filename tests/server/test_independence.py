"""A solver is given the problem and the choice, and nothing that others have found."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
from support import Connect, Mode

from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest, SolveResult

pytestmark = pytest.mark.anyio

SENTINEL = "xyzzy-7391"


async def test_nothing_of_earlier_evidence_reaches_a_later_solver(
    connect: Connect, mode: Mode
) -> None:
    telling = SolveResult(
        status="ok",
        model=f"model {SENTINEL}",
        answer=f"answer {SENTINEL}",
        approach=f"approach {SENTINEL}",
        reasoning=f"reasoning {SENTINEL}",
        confidence=0.9,
        text=f"text {SENTINEL}",
    )
    first = ScriptedSolver([telling])
    later = ScriptedSolver(["clean"])
    async with connect(first, mode=mode, named={"later": later}) as host:
        found = await host.explore("What is it?", draws=2)
        problem_id = found["problem_id"]
        assert SENTINEL in str(found)
        await host.call(
            "conclude", problem_id=problem_id, answer=f"{SENTINEL}", because=f"{SENTINEL}"
        )
        for strategy in ("direct", "verify", "program"):
            for effort in ("low", "max"):
                await host.explore(
                    problem_id=problem_id, solver="later", strategy=strategy, effort=effort
                )
        await host.explore(problem_id=problem_id, solver="s0")
    seen = [*later.requests, *first.requests]
    assert len(seen) == 9
    for request in seen:
        assert SENTINEL not in str(asdict(request))


async def test_what_the_host_writes_reaches_the_solver_as_part_of_the_choice(
    connect: Connect,
) -> None:
    solver = ScriptedSolver(["1"])
    async with connect(solver) as host:
        found = await host.explore("P", instruction="mind the units")
    (request,) = solver.requests
    assert request.problem == "P"
    assert "mind the units" in request.prompt
    assert found["evidence"][0]["instruction"] == "mind the units"


def test_a_request_has_no_field_for_earlier_evidence() -> None:
    assert {field.name for field in fields(SolveRequest)} == {
        "problem",
        "system",
        "prompt",
        "attachments",
        "answer_kind",
        "form",
        "effort",
        "strategy",
        "instruction",
        "draw",
    }


async def test_draws_of_one_choice_are_given_the_same_prompt(connect: Connect) -> None:
    solver = ScriptedSolver(["1"])
    async with connect(solver) as host:
        await host.explore("P", draws=4)
    assert len({(request.system, request.prompt) for request in solver.requests}) == 1
    assert sorted(request.draw for request in solver.requests) == [1, 2, 3, 4]
