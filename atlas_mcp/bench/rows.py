"""Who was asked, and what came of one question: the values that runs leave and reports read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A method with the solver that it asks, and how. Without a solver the server chooses."""

    method: str
    solver: str | None = None
    effort: str = "medium"
    strategy: str = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question, answered once by one method.

    `right` is None where nobody could grade, `first_right` is the same for the first call
    alone. `missing` are draws that a pool does not hold; they are no calls. Amounts that are
    unknown are None.
    """

    item: str
    epoch: int
    right: bool | None
    first_right: bool | None
    answered: bool
    calls: int
    missing: int = 0
    failed: int = 0
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None
