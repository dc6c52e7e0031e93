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
Without a file there is a default roster: the models of the providers whose keys are in the
environment, and behind them the embedded ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from solvers.errors import FixSetupError
from solvers.facts import Provider, makers
from solvers.registry import SolverSpec, apis, knows

_PROVIDED_SECONDS = 900.0
"""At high effort a model may think for many minutes."""


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


def default_roster(environ: Mapping[str, str] | None = None) -> Roster:
    """The models of each provider whose key is in `environ`, then the embedded ones.

    The first provider's middle model is the default, or else the larger embedded model.
    """
    environ = environ or {}
    found = [one for one in makers() if one.key_env and is_set(environ.get(one.key_env))]
    entries = {name: entry for one in found for name, entry in _tiers(one, environ).items()}
    default = found[0].default_tier if found else "qwen"
    known = {"default": default, "solvers": entries | _embedded()}
    return parse_roster(known, "the default roster")


def is_set(value: str | None) -> bool:
    """Whether a variable has a value; hosts may leave a literal "${NAME}" in place of one."""
    return bool(value and value.strip()) and not str(value).startswith("${")


def _tiers(maker: Provider, environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    address = environ.get(maker.base_url_env or "")
    elsewhere = {"base_url": address} if is_set(address) else {}
    return {
        tier.name: {
            "api": maker.api,
            "model": tier.model,
            "description": tier.description,
            "max_seconds": _PROVIDED_SECONDS,
            "key_env": maker.key_env,
            **elsewhere,
        }
        for tier in maker.tiers
    }


def _embedded() -> dict[str, dict[str, Any]]:
    """Each model sampled, and once answering greedily as a baseline."""
    small = {"api": "embedded", "model": "qwen2.5-coder-0.5b"}
    large = {"api": "embedded", "model": "qwen2.5-coder-1.5b"}
    return {
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
