"""Whether a store still holds what was written: digests, ids and references."""

from __future__ import annotations

import sqlite3

from atlas_mcp.evidence.codec import body_digest, decode_evidence
from atlas_mcp.evidence.rows import CALLS, read_call, read_problem


def verify(db: sqlite3.Connection) -> list[str]:
    """Check every digest, id and reference; return what is wrong, in words."""
    faults = [f"SQLite: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    faults += [
        f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}"
        for row in db.execute("PRAGMA foreign_key_check")
    ]
    for row in db.execute("SELECT id FROM problems").fetchall():
        problem = read_problem(db, row["id"])
        if problem is None or problem.id != row["id"]:
            faults.append(f"problem {row['id']}: its content does not give this id")
    for row in db.execute(f"{CALLS} WHERE 1").fetchall():
        if read_call(row).choice.id != row["choice_id"]:
            faults.append(f"choice {row['choice_id']}: its content does not give this id")
        elif read_call(row).id != row["id"]:
            faults.append(f"call {row['id']}: its content does not give this id")
    for row in db.execute("SELECT id, status, body, digest FROM evidence").fetchall():
        faults += _evidence_faults(row)
    for row in db.execute("SELECT seq, body, digest FROM conclusions").fetchall():
        if body_digest(row["body"]) != row["digest"]:
            faults.append(f"conclusion {row['seq']}: its content does not match its digest")
    return faults


def _evidence_faults(row: sqlite3.Row) -> list[str]:
    if body_digest(row["body"]) != row["digest"]:
        return [f"evidence {row['id']}: its content does not match its digest"]
    try:
        evidence = decode_evidence(row["body"])
    except ValueError as error:
        return [f"evidence {row['id']}: {error}"]
    if evidence.id != row["id"] or evidence.status != row["status"]:
        return [f"evidence {row['id']}: its content does not give this id and status"]
    return []
