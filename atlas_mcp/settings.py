"""All settings, read once from the environment. No other module looks at it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atlas_mcp.core.errors import SetupError
from atlas_mcp.core.types import Caps
from solvers.facts import makers

PREFIX = "ATLAS_"

Calls = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]


class Settings(BaseModel):
    """What a user can set, each as the variable ATLAS_ followed by its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: Path = Field(description="file of the evidence store")
    roster: Path | None = Field(
        default=None,
        description="roster file (TOML); without one the models of your keys are offered, "
        "and the embedded ones",
    )
    models_folder: Path = Field(description="folder of the embedded models' weights")
    attachments_folder: Path | None = Field(
        default=None, description="folder that attachments may be read from; none when unset"
    )
    max_calls_per_problem: Calls | None = Field(
        default=64, description="cap on solver calls for one problem; empty for none"
    )
    max_tokens_per_problem: Calls | None = Field(
        default=None, description="cap on tokens for one problem"
    )
    max_usd_per_problem: Amount | None = Field(
        default=None, description="cap on dollars for one problem"
    )
    max_seconds_per_problem: Amount | None = Field(
        default=None, description="cap on solver seconds for one problem"
    )
    max_calls_per_day: Calls | None = Field(
        default=None, description="cap on solver calls in 24 hours, over all that share the store"
    )
    max_tokens_per_day: Calls | None = Field(
        default=None, description="cap on tokens in 24 hours, over all that share the store"
    )
    max_usd_per_day: Amount | None = Field(
        default=None, description="cap on dollars in 24 hours, over all that share the store"
    )
    max_seconds_per_day: Amount | None = Field(
        default=None, description="cap on solver seconds in 24 hours, over all that share the store"
    )
    parallel: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=16, description="solver calls at work at the same time"
    )
    allow_live_calls: bool = Field(
        default=True,
        description="whether solvers may call providers and agents, which may cost money; "
        "servers on this machine may always be called",
    )
    sandbox: Literal["strict", "limits"] = Field(
        default="strict",
        description="how programs and controllers that others wrote are kept in: strict, or "
        "limits alone where this machine has no fence",
    )
    lab: Path | None = Field(
        default=None,
        description="folder of a run of `atlas-mcp discover --proposer host`; its tools "
        "submit_controller and frontier are then offered to hosts, and only then",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="WARNING", description="how much is logged to standard error"
    )
    secrets: tuple[str, ...] = Field(default=(), exclude=True, repr=False)
    providers: Mapping[str, str] = Field(default={}, exclude=True, repr=False)

    @property
    def problem_caps(self) -> Caps:
        return Caps(
            calls=self.max_calls_per_problem,
            tokens=self.max_tokens_per_problem,
            usd=self.max_usd_per_problem,
            seconds=self.max_seconds_per_problem,
        )

    @property
    def day_caps(self) -> Caps:
        return Caps(
            calls=self.max_calls_per_day,
            tokens=self.max_tokens_per_day,
            usd=self.max_usd_per_day,
            seconds=self.max_seconds_per_day,
        )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    An empty variable, or one that a host left as a literal "${NAME}", counts as unset; an
    empty cap lifts it.

    Raises:
        SetupError: a value is wrong or a name is misspelt; the message says which.
    """
    environ = os.environ if environ is None else environ
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    found: dict[str, object] = {
        "store": data / "atlas-mcp" / "evidence.db",
        "models_folder": cache / "atlas-mcp" / "models",
        "secrets": _secrets(environ),
        "providers": _providers(environ),
    }
    for name, value in environ.items():
        if not name.startswith(PREFIX) or value.startswith("${"):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in Settings.model_fields or field in _HIDDEN:
            _refuse_misspelt(name)
            continue
        if value.strip():
            found[field] = Path(value).expanduser() if field in _PATHS else value.strip()
        elif field.startswith("max_"):
            found[field] = None
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise SetupError(f"{name}={first['input']!r} is not valid: {first['msg']}") from error


def variables() -> dict[str, str]:
    """Every environment variable with what it sets."""
    return {
        PREFIX + name.upper(): field.description or ""
        for name, field in Settings.model_fields.items()
        if name not in _HIDDEN
    }


def _refuse_misspelt(name: str) -> None:
    # Other programs use the prefix too, so only what looks like one of ours is an error.
    if meant := difflib.get_close_matches(name, variables(), n=1, cutoff=0.8):
        raise SetupError(f"unknown setting {name}: did you mean {meant[0]}?")


_HIDDEN = {"secrets", "providers"}
_PATHS = {"store", "roster", "models_folder", "attachments_folder", "lab"}


def _secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    # Whole words, and no plain numbers: MAX_TOKENS=10000000 is no secret.
    marks = {"KEY", "TOKEN", "SECRET", "PASSWORD"}
    return tuple(
        value
        for name, value in environ.items()
        if marks & set(name.upper().split("_")) and not value.isdigit()
    )


def _providers(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that say which providers there are: their keys and addresses."""
    names = [name for one in makers() for name in (one.key_env, one.base_url_env) if name]
    return {name: environ[name] for name in names if name in environ}


Look = Literal["plain", "mono", "color"]


def terminal_look(environ: Mapping[str, str] | None = None) -> Look:
    """How a terminal may be written to: without cursor movements, without colours, or freely."""
    environ = os.environ if environ is None else environ
    if environ.get("TERM") == "dumb":
        return "plain"
    return "mono" if environ.get("NO_COLOR") else "color"


def child_environment() -> dict[str, str]:
    """The environment that a server spawned by the host is given: the host's own."""
    return dict(os.environ)
