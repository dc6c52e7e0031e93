"""What any solver must keep, as a check that its own tests can call.

    async def test_my_solver_keeps_the_contract() -> None:
        await check_solver(lambda: MySolver(...), request)

It makes about five calls, so give it a solver whose calls are free or cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from time import perf_counter

import anyio

from solvers.errors import SolverError
from solvers.types import (
    Attachment,
    Meter,
    Solver,
    SolveRequest,
    SolveResult,
    Usage,
    WorstCase,
)

QUICK_SECONDS = 0.1
MEASURABLE_SECONDS = 0.02
PROMPT_SECONDS = 2.0
"""How long a cancelled call may take to end."""


class ContractError(AssertionError):
    """The solver breaks a promise; the message says which."""


async def check_solver(make: Callable[[], Solver], request: SolveRequest) -> None:
    """Check that a solver keeps the promises of `solvers.types.Solver`.

    `request` must be one that it can answer. Calls on the same solver, one after another
    and at once, must all work, so `make` is called only once.

    Raises:
        ContractError: it does not; the message says in a sentence what is wrong.
    """
    solver = make()
    worst = _check_worst_case(solver, request)
    await _check_call(solver, request, worst)
    started = perf_counter()
    await _check_call(solver, request, worst)
    took = perf_counter() - started
    faults: list[ContractError] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_keep_fault, faults, solver, request, worst)
        tasks.start_soon(_keep_fault, faults, solver, request, worst)
    if faults:
        raise ContractError(f"of two calls at the same time, one failed: {faults[0]}")
    await _check_cancellation(solver, request, worst, took)
    await _check_strange_request(solver, request)


def _check_worst_case(solver: Solver, request: SolveRequest) -> WorstCase:
    worst = solver.worst_case(request)
    started = perf_counter()
    again = solver.worst_case(request)
    if perf_counter() - started > QUICK_SECONDS:
        raise ContractError("worst_case is slow; it must decide without doing anything")
    if worst != again:
        raise ContractError(f"worst_case is not pure: it said {worst}, then {again}")
    for name in ("tokens", "usd", "seconds"):
        _check_amount(getattr(worst, name), f"worst_case.{name}")
    return worst


async def _check_call(solver: Solver, request: SolveRequest, worst: WorstCase) -> None:
    meter = Meter()
    try:
        result = await solver.solve(request, meter)
    except SolverError as error:
        raise ContractError(f"solve failed on a request it should answer: {error!r}") from error
    except Exception as error:
        raise ContractError(f"solve let {error!r} escape, which is no SolverError") from error
    _check_result(result)
    _check_meter(meter, worst)


async def _keep_fault(
    faults: list[ContractError], solver: Solver, request: SolveRequest, worst: WorstCase
) -> None:
    try:
        await _check_call(solver, request, worst)
    except ContractError as fault:
        faults.append(fault)


def _check_result(result: SolveResult) -> None:
    if result.status not in ("ok", "unparsed", "truncated", "refused"):
        raise ContractError(f"the status {result.status!r} is unknown")
    if result.status == "ok" and not (isinstance(result.answer, str) and result.answer.strip()):
        raise ContractError(f"the status is 'ok', but the answer is {result.answer!r}")
    if result.status != "ok" and result.answer is not None:
        raise ContractError(f"the status is {result.status!r}, so the answer must be None")
    if result.confidence is not None and not 0 <= result.confidence <= 1:
        raise ContractError(f"the confidence {result.confidence} is not from 0 to 1")
    if not result.model:
        raise ContractError("the result does not name the model")


def _check_meter(meter: Meter, worst: WorstCase) -> None:
    usage = meter.usage
    if usage.requests < 1:
        raise ContractError("the meter shows no request; book each one, also a failed one")
    for one in fields(Usage):
        _check_amount(getattr(usage, one.name), f"usage.{one.name}")
    _check_amount(meter.usd, "usd")
    _check_at_most(usage.cached_tokens, usage.input_tokens, "cached_tokens", "input_tokens")
    _check_at_most(usage.reasoning_tokens, usage.output_tokens, "reasoning_tokens", "output_tokens")
    _check_at_most(usage.total_tokens, worst.tokens, "the tokens spent", "worst_case.tokens")
    _check_at_most(meter.usd, worst.usd, "the dollars spent", "worst_case.usd")


def _check_amount(amount: float | None, name: str) -> None:
    if amount is not None and not (math.isfinite(amount) and amount >= 0):
        raise ContractError(f"{name} is {amount}; it must be finite and not negative")


def _check_at_most(part: float | None, whole: float | None, name: str, bound: str) -> None:
    if part is not None and whole is not None and part > whole * (1 + 1e-9):
        raise ContractError(f"{name} ({part}) exceeds {bound} ({whole})")


async def _check_cancellation(
    solver: Solver, request: SolveRequest, worst: WorstCase, took: float
) -> None:
    """Cancel in the middle of a call; one too short to have a middle is let off."""
    if took < MEASURABLE_SECONDS:
        return
    meter = Meter()
    started = perf_counter()
    try:
        with anyio.move_on_after(took / 2) as scope:
            await solver.solve(request, meter)
    except Exception as error:
        raise ContractError(f"a cancelled call raised {error!r} instead") from error
    late = perf_counter() - started - took / 2
    if not scope.cancel_called:
        return
    if late > PROMPT_SECONDS:
        raise ContractError(f"a cancelled call went on for {late:.1f} s")
    # A call that happened to end at the same moment is no swallowed cancellation.
    if not scope.cancelled_caught and late > max(took / 4, MEASURABLE_SECONDS):
        raise ContractError("a cancelled call returned a result; cancellation must pass through")
    _check_meter(meter, worst)


async def _check_strange_request(solver: Solver, request: SolveRequest) -> None:
    strange = Attachment(media_type="application/x-unheard-of", data=b"\x00", name="strange")
    try:
        await solver.solve(replace(request, attachments=(strange,)), Meter())
    except SolverError:
        return
    except Exception as error:
        raise ContractError(f"an attachment of unknown type let {error!r} escape") from error
