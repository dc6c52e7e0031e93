"""`gsm8k-sample`: the bundled questions of the GSM8K test set that no prompt was chosen on.

Item:     {"id": "gsm8k-926", "text": "Ann has 3 boxes of 4 pens. …", "gold": "12"}
Graded:   as a number.
"""

from __future__ import annotations

from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    from atlas_mcp.host.demo import questions

    if argument:
        raise BadRequestError("gsm8k-sample has one set: leave the argument away")
    return Suite(
        items=tuple(
            Item(id=one.id, text=one.text, gold=one.gold, answer_kind="number")
            for one in questions(1_000)
        ),
        solver=solver,
    )
