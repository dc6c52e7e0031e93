"""What each solver has shown so far, counted over the whole store in one query."""

from __future__ import annotations

import json
import sqlite3
from statistics import median

from atlas_mcp.core.ports import Record

# Seconds come as a list, since the window that gives their median in SQL takes twice the time.
_RECORDS = """
SELECT h.solver AS solver,
    count(*) AS calls,
    sum(e.status = 'ok') AS answered,
    sum(e.status = 'unparsed') AS unparsed,
    json_group_array(e.seconds) AS seconds,
    avg(e.tokens) AS tokens,
    avg(e.usd) AS usd,
    count(l.correct) AS labelled,
    coalesce(sum(l.correct), 0) AS "right"
FROM evidence e JOIN calls c USING (id) JOIN choices h ON h.id = c.choice_id
LEFT JOIN (SELECT evidence_id, correct, max(seq) FROM labels GROUP BY evidence_id) l
    ON l.evidence_id = e.id
WHERE e.calls AND e.status != 'cancelled'
GROUP BY h.solver
"""


def read_records(db: sqlite3.Connection) -> dict[str, Record]:
    """The record of every solver that has ended a call, by its name."""
    return {row["solver"]: _record(row) for row in db.execute(_RECORDS)}


def _record(row: sqlite3.Row) -> Record:
    return Record(
        calls=row["calls"],
        answered=row["answered"],
        unparsed=row["unparsed"],
        failed=row["calls"] - row["answered"] - row["unparsed"],
        median_seconds=median(json.loads(row["seconds"])),
        mean_tokens=row["tokens"],
        mean_usd=row["usd"],
        labelled=row["labelled"],
        right=row["right"],
    )
