"""`humaneval`: functions to be written from their docstring, graded by a written test.

Item:     {"id": "HumanEval/0", "text": "Complete this function … def is_prime(n): …"}
Graded:   `check` of the item's test must accept the function.
Data:     openai/openai_humaneval, from the hub or from a file of the user's.
"""

from __future__ import annotations

from atlas_mcp.bench.loading import Row, Source, rows
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError

SOURCE = Source(
    repo="openai/openai_humaneval",
    files=("openai_humaneval/test-00000-of-00001.parquet",),
    columns=dict.fromkeys(("task_id", "prompt", "canonical_solution", "test", "entry_point"), str),
    count=164,
)

SECONDS = 30.0
"""For a whole test, as inspect-evals allows."""

_TASK = """\
Complete this Python function as its docstring says. Give the whole function, with the imports \
that it needs.

```python
{prompt}
```"""


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    return Suite(items=tuple(map(_item, rows(SOURCE, argument))), solver=solver)


def _item(row: Row) -> Item:
    if not row["entry_point"].isidentifier():
        raise BadRequestError(f"humaneval, {row['task_id']}: entry_point is no name of a function")
    return Item(
        id=row["task_id"],
        text=_TASK.format(prompt=row["prompt"].strip("\n")),
        answer_kind="code",
        grading="tests",
        facts={
            "prompt": row["prompt"],
            "test": row["test"],
            "entry_point": row["entry_point"],
            "seconds": SECONDS,
        },
    )
