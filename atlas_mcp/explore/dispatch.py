"""One solver call, from a choice to its evidence.

The dispatcher knows the roster, makes solvers at first use, and holds what bounds a call:
the slots for all calls, the time limit and the meter. It stores nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread

from atlas_mcp.core.errors import BadRequestError, SetupError
from atlas_mcp.core.redaction import Redactor
from atlas_mcp.core.types import Call, Evidence, Fault, Problem, Status
from atlas_mcp.strategies import named, render
from solvers import registry
from solvers.errors import FixSetupError, SolverError
from solvers.registry import SolverSpec
from solvers.roster import Roster
from solvers.types import Meter, Shared, Solver, SolveResult, WorstCase
from solvers.worktime import WorkTime

log = logging.getLogger(__name__)

AUTO = "auto"
MAX_TEXT = 200_000
"""The most characters that are kept of any text of a solver."""

PATIENCE = 10
"""A call may last so many times its limit, its waits for others and for a provider included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A solver of the roster, made and able to work."""

    spec: SolverSpec
    solver: Solver

    def worst_case(self, problem: Problem, call: Call) -> WorstCase:
        worst = self.solver.worst_case(render(problem, call.choice, call.draw))
        seconds = min(worst.seconds, self.spec.max_seconds)
        return WorstCase(tokens=worst.tokens, usd=worst.usd, seconds=seconds)


class Dispatcher:
    """Runs calls on the solvers of a roster, as many at a time as `shared` has slots."""

    def __init__(
        self,
        roster: Roster,
        *,
        redact: Redactor,
        shared: Shared,
    ) -> None:
        self.roster = roster
        self._redact = redact
        self.shared = shared
        self._ready: dict[str, Ready] = {}
        self._making = anyio.Lock()

    def spec(self, name: str) -> SolverSpec:
        """The roster entry of that name; "auto" is the default.

        Raises:
            BadRequestError: there is none; the message lists those there are.
        """
        wanted = self.roster.default if name == AUTO else name
        if wanted not in self.roster.specs:
            raise BadRequestError(
                f"unknown solver {name[:60]!r}; known: {', '.join([AUTO, *self.roster.specs])}"
            )
        return self.roster.specs[wanted]

    async def missing(self, name: str) -> str | None:
        """What the machine lacks for this solver, or None."""
        return await anyio.to_thread.run_sync(registry.missing, self.spec(name))

    async def ready(self, name: str) -> Ready:
        """The solver of that name, made if need be.

        Raises:
            BadRequestError: no such solver.
            SetupError: the machine lacks something; the message names the cure.
        """
        spec = self.spec(name)
        async with self._making:
            if spec.name not in self._ready:
                lack = await self.missing(spec.name)
                if lack is not None:
                    raise SetupError(lack)
                self._ready[spec.name] = Ready(spec=spec, solver=await self._make(spec))
        return self._ready[spec.name]

    async def _make(self, spec: SolverSpec) -> Solver:
        try:
            make = partial(registry.build, spec, self.shared)
            return await anyio.to_thread.run_sync(make)
        except FixSetupError as error:
            raise SetupError(str(error)) from error

    async def run(
        self,
        ready: Ready,
        problem: Problem,
        call: Call,
        record: Callable[[Evidence], None],
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """Make one call and hand its evidence to `record`, whatever happens.

        The limit of a solver is on its time at work, which stands still while the call has put
        its slot down; `PATIENCE` bounds the whole. A cancelled call is recorded as cancelled,
        with what it had spent, and the cancellation goes on.
        """
        meter = Meter()
        work: WorkTime | None = None
        status: Status = "cancelled"
        result: SolveResult | None = None
        fault: Fault | None = Fault(kind="cancelled", message="the call was cancelled")
        request = render(problem, call.choice, call.draw)
        try:
            async with self.shared.slots.held() as work:
                on_start()
                most = ready.spec.max_seconds
                with anyio.move_on_after(PATIENCE * most) as whole, work.limited(most) as limit:
                    result = await ready.solver.solve(request, meter)
                    status, fault = result.status, _fault(result)
                if limit.cancelled_caught:
                    status, fault = "timeout", _timeout(f"no answer within {most:g} s")
                elif whole.cancelled_caught:
                    waited = f"no answer within {PATIENCE * most:g} s, most of them in wait"
                    status, fault = "timeout", _timeout(waited)
        except SolverError as error:
            status, fault = "failed", Fault(kind=error.kind, message=str(error))
        except Exception as error:  # a solver's own bug must not take the server down
            log.exception("solver crashed solver=%s call=%s", call.choice.solver, call.id)
            status, fault = (
                "failed",
                Fault(kind="crash", message=f"{type(error).__name__}: {error}"),
            )
        finally:
            seconds = 0.0 if work is None else work.seconds
            record(self._evidence(call, status, result, fault, meter, seconds))

    def _evidence(
        self,
        call: Call,
        status: Status,
        result: SolveResult | None,
        fault: Fault | None,
        meter: Meter,
        seconds: float,
    ) -> Evidence:
        answered = status == "ok" and result is not None
        return Evidence(
            call=call,
            status=status,
            answer=self._clean(result.answer) if answered and result else None,
            approach=self._clean(result.approach) if result else None,
            reasoning=self._clean(result.reasoning) if result else None,
            confidence=result.confidence if result else None,
            text=self._clean(result.text) or "" if result else "",
            fault=fault and Fault(kind=fault.kind, message=self._redact(fault.message)),
            usage=meter.usage,
            usd=meter.usd,
            seconds=seconds,
            model=result.model if result else "",
            strategy_version=named(call.choice.strategy).version,
        )

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self._redact(text[:MAX_TEXT])


def _timeout(message: str) -> Fault:
    return Fault(kind="timeout", message=message)


def _fault(result: SolveResult) -> Fault | None:
    messages = {
        "unparsed": "the reply held no readable answer, also after one request to repair it",
        "truncated": (
            "the reply was cut off at the token limit of this effort or at the end of the model's "
            "context; more effort allows a longer reply, a shorter problem leaves it more room"
        ),
        "refused": "the model declined to answer",
    }
    message = messages.get(result.status)
    return (message and Fault(kind=result.status, message=message)) or None
