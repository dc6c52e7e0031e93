"""The roster: the named solvers that a user has configured.

A roster file is TOML:

    default = "qwen"

    [solvers.qwen]
    api = "embedded"
    model = "qwen2.5-coder-1.5b"
    description = "small local model, free"
    max_seconds = 300
    temperature = 0.7

Everything beside api, model, description and max_seconds is an option of the api.
Without a file there is a default roster of embedded models.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from solvers.errors import FixSetupError
from solvers.registry import SolverSpec, apis, knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Named solvers and the one that stands in when a caller names none."""

    default: str
    specs: Mapping[str, SolverSpec]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow")

    api: str
    model: str = ""
    description: str = Field(default="", max_length=200)
    max_seconds: float = Field(default=300.0, gt=0, le=86_400)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: str | None = None
    solvers: dict[str, _Entry] = Field(min_length=1)


def default_roster() -> Roster:
    """The embedded models: each sampled, and one answering greedily as a baseline."""
    small = {"api": "embedded", "model": "qwen2.5-coder-0.5b"}
    large = {"api": "embedded", "model": "qwen2.5-coder-1.5b"}
    entries = {
        "qwen": {**large, "description": "local 1.5B model, sampled; free"},
        "qwen-greedy": {
            **large,
            "temperature": 0.0,
            "description": "the same model without sampling: every draw gives the same answer",
        },
        "qwen-small": {**small, "description": "local 0.5B model, sampled; free, weaker, faster"},
        "qwen-small-greedy": {
            **small,
            "temperature": 0.0,
            "description": "the 0.5B model without sampling",
        },
    }
    return parse_roster({"default": "qwen", "solvers": entries}, "the default roster")


def load_roster(path: Path) -> Roster:
    """Read a roster file.

    Raises:
        FixSetupError: there is no such file, or it is no valid roster; the message says where.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FixSetupError(f"roster {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FixSetupError(f"roster {path} is not valid TOML: {error}") from error
    return parse_roster(found, f"roster {path}", folder=path.parent)


def parse_roster(found: Mapping[str, Any], where: str, *, folder: Path | None = None) -> Roster:
    """Check a roster's content. Paths in option `pool` are relative to `folder`."""
    try:
        file = _File.model_validate(found)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'top level'}: {one['msg']}"
            for one in error.errors()[:5]
        )
        raise FixSetupError(f"{where} is not valid: {faults}") from error
    specs = {name: _spec(name, entry, where, folder) for name, entry in file.solvers.items()}
    default = file.default or next(iter(specs))
    if default not in specs:
        raise FixSetupError(
            f"{where}: default {default!r} is not among its solvers: {', '.join(specs)}"
        )
    return Roster(default=default, specs=specs)


def _spec(name: str, entry: _Entry, where: str, folder: Path | None) -> SolverSpec:
    if name in ("auto", "") or len(name) > 64 or any(c.isspace() for c in name):
        raise FixSetupError(
            f'{where}: {name!r} cannot name a solver: no spaces, at most 64 characters, not "auto"'
        )
    if not knows(entry.api):
        raise FixSetupError(
            f"{where}: solver {name!r} has unknown api {entry.api!r}; "
            f"known: {', '.join(sorted(apis()))}"
        )
    options = dict(entry.model_extra or {})
    if folder is not None and isinstance(options.get("pool"), str):
        options["pool"] = str((folder / Path(options["pool"]).expanduser()).resolve())
    return SolverSpec(
        name=name,
        api=entry.api,
        model=entry.model,
        description=entry.description,
        max_seconds=entry.max_seconds,
        options=options,
    )
