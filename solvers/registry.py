"""Which module implements which `api`: the one place to add a solver.

A module named here offers two functions:

    build(spec: SolverSpec, shared: Shared) -> Solver   make it; no network, in a worker thread
    missing(spec: SolverSpec) -> str | None             what the set-up lacks, with the cure

and, where there is a language model behind it that can also converse, one more:

    build_model(spec: SolverSpec, shared: Shared) -> LanguageModel     as build

and, where more is known, either of these; no network and no SDK, in a worker thread:

    offer(spec: SolverSpec) -> Offer                                   price, images, efforts
    notices(spec: SolverSpec, today: date) -> tuple[str, ...]          what to know of the model

Other packages join through the entry-point group `atlas_mcp.solvers`, whose entries
name such a module. Listing the names imports none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from solvers.errors import FixSetupError, MissingPackageError
from solvers.model import LanguageModel
from solvers.offer import UNKNOWN, Offer
from solvers.types import Shared, Solver

log = logging.getLogger(__name__)

Options = TypeVar("Options", bound=BaseModel)

BUILT_IN = {
    "anthropic": "solvers.anthropic_messages",
    "chat": "solvers.openai_chat",
    "command": "solvers.command",
    "embedded": "solvers.embedded",
    "openai": "solvers.openai_responses",
    "replay": "solvers.replay",
    "scripted": "solvers.scripted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverSpec:
    """One entry of a roster: a name for hosts, the api behind it, and its options."""

    name: str
    api: str
    model: str = ""
    description: str = ""
    max_seconds: float = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)


def apis() -> dict[str, str]:
    """Every api name with the module behind it; built-in names win."""
    outside = {entry.name: entry.value for entry in entry_points(group="atlas_mcp.solvers")}
    return {**outside, **BUILT_IN}


def read_options(spec: SolverSpec, model: type[Options]) -> Options:
    """The options of an entry, checked.

    Raises:
        FixSetupError: an option is unknown or wrong; the message names it.
    """
    try:
        return model.model_validate(dict(spec.options))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FixSetupError(f"solver {spec.name!r}: option {where}: {first['msg']}") from error


def knows(api: str) -> bool:
    """Whether there is a module for this api. Other packages are looked through only if need be."""
    return api in BUILT_IN or api in apis()


def build(spec: SolverSpec, shared: Shared) -> Solver:
    """Make the solver of a roster entry.

    Raises:
        FixSetupError: the api is unknown, an option is wrong, something is missing, or the
            module of the api failed; nothing else, whatever the module raises.
    """
    with _blaming(spec) as module:
        solver: Solver = module.build(spec, shared)
        return solver


def build_model(spec: SolverSpec, shared: Shared) -> LanguageModel:
    """Make the language model of a roster entry, to converse with. No network; off the loop.

    Raises:
        FixSetupError: as `build`, or the api has no model that converses.
    """
    with _blaming(spec) as module:
        if not hasattr(module, "build_model"):
            raise FixSetupError(
                f"solver {spec.name!r}: a model of api {spec.api!r} cannot hold a conversation"
            )
        model: LanguageModel = module.build_model(spec, shared)
        return model


def notices(spec: SolverSpec, today: date) -> tuple[str, ...]:
    """What a user should know of the model of an entry: its end, efforts that it lacks."""
    with _blaming(spec) as module:
        told = getattr(module, "notices", None)
        return tuple(str(one) for one in told(spec, today)) if told else ()


def offer(spec: SolverSpec) -> Offer:
    """The price of an entry, what it reads and its efforts, as far as known. Off the loop.

    Raises:
        FixSetupError: as `build`, for what the options alone show.
    """
    with _blaming(spec) as module:
        known = getattr(module, "offer", None)
        found = known(spec) if known else UNKNOWN
        if not isinstance(found, Offer):
            raise TypeError("offer() returned no Offer")
        return found


def missing(spec: SolverSpec) -> str | None:
    """Say what the machine lacks for this entry to work, or None when it is ready."""
    try:
        with _blaming(spec) as module:
            lack: str | None = module.missing(spec)
            return lack
    except FixSetupError as error:
        return str(error)


@contextmanager
def _blaming(spec: SolverSpec) -> Iterator[Any]:
    """Lend the module of an api; whatever goes wrong with it is a fault of the set-up."""
    if not knows(spec.api):
        raise FixSetupError(
            f"solver {spec.name!r}: unknown api {spec.api!r}; known: {', '.join(sorted(apis()))}"
        )
    name = BUILT_IN.get(spec.api) or apis()[spec.api]
    blamed = f"solver {spec.name!r}: module {name} (api {spec.api!r})"
    try:
        yield import_module(name)
    except FixSetupError:
        raise
    except ImportError as error:
        raise MissingPackageError(f"{blamed} cannot be loaded: {error}") from error
    except Exception as error:  # of a package that is not ours
        log.exception("solver module failed solver=%s module=%s", spec.name, name)
        raise FixSetupError(f"{blamed} failed: {type(error).__name__}: {error}") from error
