"""Who was asked, and what came of one question: the values that runs leave and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from solvers.types import Meter, plus


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A method with the solver that it asks, and how. Without a solver the server chooses.

    `model` orchestrates, judges and selects, for the methods that do. `calls_of` are the user's own
    caps for a method that chooses the solver, written as SOLVER=N with commas between.
    """

    method: str
    solver: str | None = None
    effort: str = "medium"
    strategy: str = "direct"
    model: str | None = None
    calls_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Calls of models and what they took. Tokens and dollars are None where a part is unknown."""

    calls: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    usd: float | None = 0.0

    @property
    def tokens(self) -> int | None:
        return plus(self.input_tokens, self.output_tokens)

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            calls=self.calls + other.calls,
            input_tokens=plus(self.input_tokens, other.input_tokens),
            output_tokens=plus(self.output_tokens, other.output_tokens),
            usd=plus(self.usd, other.usd),
        )

    @classmethod
    def on(cls, meter: Meter) -> Spent:
        """What a meter has counted."""
        usage = meter.usage
        return cls(
            calls=usage.requests,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            usd=meter.usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question, answered once by one method.

    `right` is None where nobody could grade. `drawn` are the verdicts on the answers of its
    solver calls in the order of their draws, False for a call without an answer; `votes` are the
    same calls' answers as numbers, equal for answers that count as the same and None for none.
    `solvers` is what the solver calls took, those included that failed or were lost in a kill;
    `own` what the method's own models took, which orchestrate, select or judge. `most` is the
    method's cap on solver calls. An answer is `forced` where a cap or a fault left the method no
    other step. `missing` are draws that a pool does not hold; they are no calls.
    """

    item: str
    epoch: int
    right: bool | None
    answered: bool
    solvers: Spent
    own: Spent = Spent()
    most: int = 1
    forced: bool = False
    drawn: tuple[bool | None, ...] = ()
    votes: tuple[int | None, ...] = ()
    missing: int = 0
    failed: int = 0
    seconds: float | None = None

    @property
    def first_right(self) -> bool | None:
        """Whether the answer of the first call alone is right."""
        return self.drawn[0] if self.drawn else False

    @property
    def tokens(self) -> int | None:
        return plus(self.solvers.tokens, self.own.tokens)

    @property
    def output_tokens(self) -> int | None:
        return plus(self.solvers.output_tokens, self.own.output_tokens)

    @property
    def usd(self) -> float | None:
        return plus(self.solvers.usd, self.own.usd)


_ROW = TypeAdapter(Row)


def as_plain(row: Row) -> dict[str, Any]:
    """The row as JSON has it."""
    return asdict(row)


def read_row(found: Mapping[str, Any]) -> Row:
    """The row that was written so.

    Raises:
        ValueError: it is none.
    """
    return _ROW.validate_python(found)
