"""How each method stands by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from atlas_mcp.bench.reporting.shares import Key, accuracy, key, mean
from atlas_mcp.bench.rows import Row, Spent
from atlas_mcp.core.intervals import Estimate, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Means for one question asked once. None is unknown."""

    calls: float
    input_tokens: float | None
    output_tokens: float | None
    tokens: float | None
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One method. Amounts are means for one question asked once; None is unknown.

    `calls` are those of solvers. `tokens`, `output_tokens` and `usd` are all that was spent:
    by `solvers`, and by the method's `own` models, which orchestrate, select or judge.
    `first_call` is the accuracy of the first solver call alone, and `greedy` that of the run
    with the solver that does not sample, on the questions that both answered; None without one.
    `ungraded` answers are in no accuracy. `abstained`, `failed_calls` (those lost in a kill
    included), `missing_draws`, `forced` and `not_run` are totals: `forced` are the answers that
    a cap or a fault left, and `not_run` is what other methods did.
    `explores` is how often a question took so many solver calls.
    """

    method: str
    questions: int
    epochs: int
    accuracy: Estimate | None
    first_call: Estimate | None
    greedy: Estimate | None
    calls: float
    tokens: float | None
    output_tokens: float | None
    usd: float | None
    seconds: float | None
    solvers: Amounts
    own: Amounts
    abstained: int
    abstention: Estimate
    ungraded: int
    failed_calls: int
    missing_draws: int
    forced: int
    not_run: int
    explores: dict[int, int]


def standing(
    method: str, rows: Sequence[Row], greedy: Sequence[Row] | None, asked: frozenset[Key]
) -> Standing:
    """Count one method; `asked` are all questions of the folder, whichever method did them."""
    solvers, own = amounts([row.solvers for row in rows]), amounts([row.own for row in rows])
    keys = frozenset(map(key, rows))
    abstained = sum(not row.answered for row in rows)
    return Standing(
        method=method,
        questions=len({row.item for row in rows}),
        epochs=len({row.epoch for row in rows}),
        accuracy=verdicts(rows, lambda row: row.right),
        first_call=_first_call(rows),
        greedy=None if greedy is None else _among(greedy, keys),
        calls=solvers.calls,
        tokens=mean([row.tokens for row in rows]),
        output_tokens=mean([row.output_tokens for row in rows]),
        usd=mean([row.usd for row in rows]),
        seconds=mean([row.seconds for row in rows]),
        solvers=solvers,
        own=own,
        abstained=abstained,
        abstention=wilson(abstained / len(rows), len({row.item for row in rows})),
        ungraded=sum(row.right is None for row in rows),
        failed_calls=sum(row.failed for row in rows),
        missing_draws=sum(row.missing for row in rows),
        forced=sum(row.forced for row in rows),
        not_run=len(asked - keys),
        explores=dict(sorted(Counter(row.solvers.calls for row in rows).items())),
    )


def _first_call(rows: Sequence[Row]) -> Estimate | None:
    """Unknown where a judge saw only some of them: those that became a method's answer."""
    if any(row.right is not None and row.first_right is None for row in rows):
        return None
    return verdicts(rows, lambda row: row.first_right)


def verdicts(rows: Iterable[Row], verdict: Callable[[Row], bool | None]) -> Estimate | None:
    """The accuracy by a verdict of ours; where it is None, nobody could say."""
    return accuracy((key(row), right) for row in rows if (right := verdict(row)) is not None)


def amounts(spent: Sequence[Spent]) -> Amounts:
    return Amounts(
        calls=mean([one.calls for one in spent]) or 0.0,
        input_tokens=mean([one.input_tokens for one in spent]),
        output_tokens=mean([one.output_tokens for one in spent]),
        tokens=mean([one.tokens for one in spent]),
        usd=mean([one.usd for one in spent]),
    )


def _among(greedy: Sequence[Row], keys: frozenset[Key]) -> Estimate | None:
    # What does not sample is the same in every epoch, so the question decides.
    items = {item for item, _ in keys}
    return verdicts((row for row in greedy if row.item in items), lambda row: row.right)
