"""The solver contract passes what keeps it, and says of each breach which it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from solvers.contract import ContractError, check_solver
from solvers.recording import Question, Recording, write_pool
from solvers.replay import ReplaySolver, Shelf
from solvers.scripted import ScriptedSolver
from solvers.types import Meter, SolveRequest, SolveResult, Usage, WorstCase

pytestmark = pytest.mark.anyio

REQUEST = SolveRequest(problem="1 + 1?", system="", prompt="1 + 1?")
ONE_REQUEST = Usage(requests=1, input_tokens=1, output_tokens=1)


def replay(folder: Path) -> ReplaySolver:
    write_pool(
        folder,
        [Question(question_id="q", question="1 + 1?")],
        [Recording(question_id="q", model="m", answer="2", input_tokens=3, output_tokens=4)],
    )
    return ReplaySolver(Shelf(folder), seconds=0.05)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: ScriptedSolver(["2"]),
        lambda _: ScriptedSolver(["2"], seconds=0.05),
        lambda _: ScriptedSolver(
            ["2"], usd=None, worst=WorstCase(tokens=None, usd=None, seconds=1)
        ),
        replay,
    ],
    ids=["scripted", "slow", "unknown costs", "replay"],
)
async def test_our_solvers_keep_it(
    make: Callable[[Path], ScriptedSolver | ReplaySolver], tmp_path: Path
) -> None:
    with anyio.fail_after(10):
        await check_solver(lambda: make(tmp_path), REQUEST)


class Breaking:
    """A solver that breaks one promise."""

    def __init__(self, breach: str) -> None:
        self.breach = breach
        self.calls = 0
        self.running = 0

    def worst_case(self, request: SolveRequest) -> WorstCase:
        self.calls += 1
        tokens = 1 if self.breach == "low bound" else 10
        return WorstCase(
            tokens=tokens,
            usd=0.0,
            seconds=float(self.calls) if self.breach == "impure" else 1.0,
        )

    async def solve(self, request: SolveRequest, meter: Meter) -> SolveResult:
        self.running += 1
        try:
            await self._wait()
        finally:
            overlapping, self.running = self.running > 1, self.running - 1
            if self.breach != "no request":
                meter.spend(ONE_REQUEST, -1.0 if self.breach == "negative" else 0.0)
        if self.breach == "overlap" and overlapping:
            raise RuntimeError("two at once")
        if self.breach == "escape" or (self.breach == "strange" and request.attachments):
            raise KeyError("x")
        return SolveResult(
            status="refused" if self.breach == "answer" else "ok",
            model="" if self.breach == "model" else "m",
            answer="  " if self.breach == "blank" else "2",
            confidence=2.0 if self.breach == "confidence" else None,
        )

    async def _wait(self) -> None:
        try:
            await anyio.sleep(0.05)
        except anyio.get_cancelled_exc_class():
            if self.breach == "swallows":
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.1)
                return
            raise


@pytest.mark.parametrize(
    ("breach", "words"),
    [
        ("impure", "worst_case is not pure"),
        ("low bound", "the tokens spent .* exceeds worst_case.tokens"),
        ("no request", "the meter shows no request"),
        ("negative", "usd is -1.0"),
        ("overlap", "of two calls at the same time, one failed"),
        ("escape", "escape, which is no SolverError"),
        ("strange", "an attachment of unknown type"),
        ("answer", "so the answer must be None"),
        ("blank", "the status is 'ok', but the answer is"),
        ("model", "does not name the model"),
        ("confidence", "is not from 0 to 1"),
        ("swallows", "cancellation must pass through"),
    ],
)
async def test_a_breach_is_named(breach: str, words: str) -> None:
    with anyio.fail_after(10), pytest.raises(ContractError, match=words):
        await check_solver(lambda: Breaking(breach), REQUEST)


class Forgetful(Breaking):
    """Books nothing when it is cancelled."""

    async def solve(self, request: SolveRequest, meter: Meter) -> SolveResult:
        await anyio.sleep(0.05)
        meter.spend(ONE_REQUEST, 0.0)
        return SolveResult(status="ok", model="m", answer="2")


async def test_a_cancelled_call_that_books_nothing_is_a_breach() -> None:
    with anyio.fail_after(10), pytest.raises(ContractError, match="the meter shows no request"):
        await check_solver(lambda: Forgetful(""), REQUEST)
