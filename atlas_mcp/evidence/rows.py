"""Problems and calls as they are read from their tables."""

from __future__ import annotations

import sqlite3

from atlas_mcp.core.types import Call, Choice, Problem
from solvers.types import Attachment

CALLS = (
    "SELECT c.id, c.problem_id, c.choice_id, c.draw, h.solver, h.effort, h.strategy, "
    "h.instruction FROM calls c JOIN choices h ON h.id = c.choice_id"
)
PENDING = f"{CALLS} LEFT JOIN evidence e ON e.id = c.id WHERE e.id IS NULL"


def read_call(row: sqlite3.Row) -> Call:
    choice = Choice(
        solver=row["solver"],
        effort=row["effort"],
        strategy=row["strategy"],
        instruction=row["instruction"],
    )
    return Call(problem_id=row["problem_id"], choice=choice, draw=row["draw"])


def read_problem(db: sqlite3.Connection, problem_id: str) -> Problem | None:
    row = db.execute("SELECT * FROM problems WHERE id = ?", (problem_id,)).fetchone()
    if row is None:
        return None
    files = db.execute(
        "SELECT * FROM attachments WHERE problem_id = ? ORDER BY position", (problem_id,)
    ).fetchall()
    return Problem(
        text=row["text"],
        answer_kind=row["answer_kind"],
        scope=row["scope"],
        attachments=tuple(
            Attachment(media_type=f["media_type"], name=f["name"], data=f["data"]) for f in files
        ),
    )
