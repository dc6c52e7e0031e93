"""Answers from a pool instead of a live model. What was not recorded is an error.

Options of a roster entry: `pool` (a folder, see `solvers.recording`), and any of `model`,
`tool`, `strategy`, `effort` to fix the recorded arm. Effort and strategy that are not
fixed are those of the request, model and tool may then be any; the instruction is always
that of the request. A row without such a key matches everything. With a `seed` the recordings
of each question are drawn in the order that `random.Random(seed)` shuffles them into.
`seconds` delays each answer, for shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio
from pydantic import BaseModel, ConfigDict, Field

from solvers.errors import RecordingMissError
from solvers.offer import FREE, Offer
from solvers.recording import Recording, read_pool
from solvers.registry import SolverSpec, read_options
from solvers.types import Meter, Shared, SolveRequest, SolveResult, Usage, WorstCase


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pool: Path
    tool: str | None = None
    strategy: str | None = None
    effort: str | None = None
    seed: int | None = None
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)


def build(spec: SolverSpec, shared: Shared) -> ReplaySolver:
    """Make the solver of a roster entry, reading its pool unless another entry has."""
    options = read_options(spec, _Options)
    arm = Arm(
        model=spec.model or None,
        tool=options.tool,
        strategy=options.strategy,
        effort=options.effort,
    )
    folder = options.pool.expanduser()
    shelf = shared.once(("replay", folder), lambda: Shelf(folder))
    return ReplaySolver(shelf, arm, seed=options.seed, seconds=options.seconds)


def missing(spec: SolverSpec) -> str | None:
    """Say whether the pool's folder is there; does not read it."""
    folder = read_options(spec, _Options).pool.expanduser()
    return None if folder.is_dir() else f"solver {spec.name!r}: there is no pool in {folder}"


def offer(spec: SolverSpec) -> Offer:
    """Looking an answer up costs nothing, whatever it once cost."""
    return Offer(price=FREE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The recorded arm to answer from; None is open."""

    model: str | None = None
    tool: str | None = None
    strategy: str | None = None
    effort: str | None = None

    def holds(self, row: Recording, request: SolveRequest) -> bool:
        return (
            _fits(self.model, row.model)
            and _fits(self.tool, row.tool)
            and _fits(self.strategy or request.strategy, row.strategy)
            and _fits(self.effort or request.effort, row.effort)
            and (row.instruction is None or row.instruction == request.instruction)
        )


class Shelf:
    """The recordings of a pool by the text of their question, read when it is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = _by_question(folder)

    def rows(self, problem: str) -> Sequence[Recording] | None:
        """What is recorded of a problem, in sample order; None if it is not in the pool."""
        return self._rows.get(folded(problem))


class ReplaySolver:
    """Gives the recorded answers of one arm, the n-th draw being the n-th recording."""

    def __init__(
        self,
        shelf: Shelf,
        arm: Arm | None = None,
        *,
        seed: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        self._shelf = shelf
        self._arm = arm or Arm()
        self._seed = seed
        self._seconds = seconds

    def worst_case(self, request: SolveRequest) -> WorstCase:
        """The most that any matching recording cost."""
        rows = self._matching(request) or ()
        tokens = [_usage(row).total_tokens for row in rows]
        costs = [row.cost_usd for row in rows]
        known_tokens = [one for one in tokens if one is not None]
        known_costs = [one for one in costs if one is not None]
        return WorstCase(
            tokens=max(known_tokens, default=0) if len(known_tokens) == len(rows) else None,
            usd=max(known_costs, default=0.0) if len(known_costs) == len(rows) else None,
            seconds=self._seconds + 5.0,
        )

    async def solve(self, request: SolveRequest, meter: Meter) -> SolveResult:
        """Return the recorded answer of this draw, and book what it cost then.

        Raises:
            RecordingMissError: the pool does not hold this question, arm or draw.
        """
        row = self._recording(request)
        try:
            await anyio.sleep(self._seconds)
        finally:
            meter.spend(_usage(row), row.cost_usd)
        return _result(row)

    def _matching(self, request: SolveRequest) -> list[Recording] | None:
        rows = self._shelf.rows(request.problem)
        return None if rows is None else [row for row in rows if self._arm.holds(row, request)]

    def _recording(self, request: SolveRequest) -> Recording:
        matching = self._matching(request)
        if matching is None:
            raise RecordingMissError(f"the pool {self._shelf.folder} does not hold this question")
        if request.draw > len(matching):
            raise RecordingMissError(
                f"draw {request.draw} is not recorded: the pool {self._shelf.folder} holds "
                f"{len(matching)} draws of this question for {self._wanted(request)}"
            )
        if self._seed is not None:
            Random(self._seed).shuffle(matching)
        row = matching[request.draw - 1]
        if not row.answer_recorded:
            raise RecordingMissError(f"the pool {self._shelf.folder} keeps no answers of this arm")
        return row

    def _wanted(self, request: SolveRequest) -> str:
        wanted = {
            "model": self._arm.model,
            "tool": self._arm.tool,
            "strategy": self._arm.strategy or request.strategy,
            "effort": self._arm.effort or request.effort,
            "instruction": request.instruction,
        }
        return ", ".join(f"{key} {value!r}" for key, value in wanted.items() if value is not None)


def folded(text: str) -> str:
    """A question's text as it is looked up, however its blanks were set."""
    return " ".join(text.split())


def _by_question(folder: Path) -> Mapping[str, Sequence[Recording]]:
    pool = read_pool(folder)
    texts = {one.question_id: folded(one.question) for one in pool.questions}
    found: dict[str, list[Recording]] = {text: [] for text in texts.values()}
    for row in pool.recordings:
        found[texts[row.question_id]].append(row)
    return {text: sorted(rows, key=lambda row: row.sample_idx) for text, rows in found.items()}


def _fits(wanted: str | None, recorded: str | None) -> bool:
    return wanted is None or recorded is None or wanted == recorded


def _usage(row: Recording) -> Usage:
    return Usage(
        requests=1,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_tokens=None,
        reasoning_tokens=row.reasoning_tokens,
    )


def _result(row: Recording) -> SolveResult:
    if row.answer is not None and row.answer.strip():
        return SolveResult(
            status="ok",
            model=row.model,
            answer=row.answer,
            approach=row.approach,
            reasoning=row.reasoning,
            confidence=row.confidence,
            text=row.text or row.answer,
        )
    cut = row.finish in ("length", "max_tokens")
    return SolveResult(
        status="truncated" if cut else "unparsed", model=row.model, text=row.text or ""
    )
