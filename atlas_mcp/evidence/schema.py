"""The tables of the evidence store, as numbered migrations that are never edited.

Every table but `owners` and `holds` is append-only, and triggers hold that. A call without
evidence is pending, so finishing a call is one insert; a reservation is a call without
evidence. A hold says that an owner is about to deliver a piece of evidence.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE problems (
            id TEXT PRIMARY KEY,
            scope TEXT NOT NULL,
            text TEXT NOT NULL,
            answer_kind TEXT NOT NULL,
            created_at REAL NOT NULL
        )""",
        """CREATE TABLE attachments (
            problem_id TEXT NOT NULL REFERENCES problems(id),
            position INTEGER NOT NULL,
            media_type TEXT NOT NULL,
            name TEXT NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (problem_id, position)
        )""",
        """CREATE TABLE choices (
            id TEXT PRIMARY KEY,
            solver TEXT NOT NULL,
            effort TEXT NOT NULL,
            strategy TEXT NOT NULL,
            instruction TEXT
        )""",
        """CREATE TABLE owners (
            id TEXT PRIMARY KEY,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            beat_at REAL NOT NULL
        )""",
        """CREATE TABLE calls (
            id TEXT PRIMARY KEY,
            problem_id TEXT NOT NULL REFERENCES problems(id),
            choice_id TEXT NOT NULL REFERENCES choices(id),
            draw INTEGER NOT NULL,
            owner TEXT NOT NULL,
            reserved_tokens INTEGER,
            reserved_usd REAL,
            reserved_seconds REAL NOT NULL,
            created_at REAL NOT NULL,
            UNIQUE (problem_id, choice_id, draw)
        )""",
        "CREATE INDEX calls_by_time ON calls (created_at)",
        """CREATE TABLE evidence (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE REFERENCES calls(id),
            status TEXT NOT NULL,
            body TEXT NOT NULL,
            digest TEXT NOT NULL,
            calls INTEGER NOT NULL,
            tokens INTEGER,
            usd REAL,
            seconds REAL NOT NULL,
            created_at REAL NOT NULL
        )""",
        """CREATE TABLE deliveries (
            evidence_id TEXT PRIMARY KEY REFERENCES evidence(id),
            created_at REAL NOT NULL
        )""",
        """CREATE TABLE conclusions (
            seq INTEGER PRIMARY KEY,
            problem_id TEXT NOT NULL REFERENCES problems(id),
            body TEXT NOT NULL,
            digest TEXT NOT NULL,
            created_at REAL NOT NULL
        )""",
        "CREATE INDEX conclusions_by_problem ON conclusions (problem_id)",
        """CREATE TABLE labels (
            seq INTEGER PRIMARY KEY,
            evidence_id TEXT NOT NULL REFERENCES evidence(id),
            correct INTEGER NOT NULL,
            source TEXT NOT NULL,
            created_at REAL NOT NULL
        )""",
        *(
            f"""CREATE TRIGGER {table}_keeps_{verb.lower()} BEFORE {verb} ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
            for table in (
                "problems",
                "attachments",
                "choices",
                "calls",
                "evidence",
                "deliveries",
                "conclusions",
                "labels",
            )
            for verb in ("UPDATE", "DELETE")
        ),
    ),
    (
        "ALTER TABLE owners ADD COLUMN boot TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE owners ADD COLUMN namespace TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE owners ADD COLUMN started TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE holds (
            evidence_id TEXT PRIMARY KEY REFERENCES calls(id),
            owner TEXT NOT NULL
        )""",
        """CREATE TABLE stops (
            call_id TEXT PRIMARY KEY REFERENCES calls(id),
            created_at REAL NOT NULL
        )""",
        *(
            f"""CREATE TRIGGER stops_keeps_{verb.lower()} BEFORE {verb} ON stops
            BEGIN SELECT RAISE(ABORT, 'stops is append-only'); END"""
            for verb in ("UPDATE", "DELETE")
        ),
    ),
)

VERSION = len(MIGRATIONS)
"""The newest schema this code can read, kept in SQLite's `user_version`."""

APPLICATION_ID = 0x41544C53
"""Marks the file as ours ("ATLS"), kept in SQLite's `application_id`."""
