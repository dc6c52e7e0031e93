"""Look at an evidence file without changing, making or migrating it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from atlas_mcp.evidence.schema import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What was found at a store's path. `size` is in bytes; `fault` names the cure."""

    exists: bool
    size: int = 0
    schema: int | None = None
    problems: int | None = None
    fault: str | None = None


def inspect_store(path: Path) -> StoreState:
    """Say how the file is; a quick check, not that of every digest."""
    if not path.exists():
        return StoreState(exists=False, fault=_folder_fault(path))
    if not os.access(path, os.W_OK):
        return StoreState(exists=True, fault="it cannot be written: change its permissions")
    size = sum(
        one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.is_file()
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return _read(db, size)
    except sqlite3.Error as error:
        return StoreState(exists=True, size=size, fault=f"{error}: name another in ATLAS_STORE")


def _read(db: sqlite3.Connection, size: int) -> StoreState:
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    (checked,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if checked != "ok":
        fault = f"it is damaged ({checked}): 'atlas-mcp evidence verify' lists what is wrong"
        return StoreState(exists=True, size=size, schema=schema, fault=fault)
    if schema > VERSION:
        fault = f"a newer atlas-mcp wrote it (schema {schema}, not {VERSION}): upgrade atlas-mcp"
        return StoreState(exists=True, size=size, schema=schema, fault=fault)
    (problems,) = db.execute("SELECT count(*) FROM problems").fetchone() if schema else (0,)
    return StoreState(exists=True, size=size, schema=schema, problems=problems)


def _folder_fault(path: Path) -> str | None:
    """Whether the file could be made, judged by the nearest folder that is there."""
    nearest = next(one for one in path.absolute().parents if one.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return None
    return f"it cannot be made in {nearest}: name another file in ATLAS_STORE"
