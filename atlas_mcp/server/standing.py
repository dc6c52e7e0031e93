"""What the server says of each solver: what it offers, what it lacks, what it has shown so far."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from atlas_mcp.core.cleaning import cut
from atlas_mcp.core.intervals import wilson
from atlas_mcp.core.ports import Record
from solvers import registry
from solvers.errors import FixSetupError
from solvers.offer import UNKNOWN, Offer
from solvers.registry import SolverSpec

MAX_NOTICES = 5


def standing(spec: SolverSpec, record: Record, today: date) -> dict[str, object]:
    """One solver as JSON; null is unknown. A price list may be loaded: call it off the loop."""
    offer, notices = _known(spec, today)
    price = offer.price
    return {
        "name": spec.name,
        "api": spec.api,
        "model": spec.model,
        "description": cut(spec.description, 300),
        "max_seconds": spec.max_seconds,
        "usd_per_million": price and {"input": price.input, "output": price.output},
        "images": offer.images,
        "efforts": offer.efforts or None,
        "notices": [cut(one, 200) for one in notices[:MAX_NOTICES]],
        "missing": _cut(registry.missing(spec), 800),
        "record": _shown(record),
    }


def _known(spec: SolverSpec, today: date) -> tuple[Offer, tuple[str, ...]]:
    try:
        return registry.offer(spec), registry.notices(spec, today)
    except FixSetupError:
        return UNKNOWN, ()  # what is wrong with the entry is said as what it lacks


def _shown(record: Record) -> dict[str, object]:
    found = {name: _short(value) for name, value in asdict(record).items()}
    right, labelled = found.pop("right"), found.pop("labelled")
    if not record.labelled:
        return {**found, "labels": None}
    share = wilson(record.right / record.labelled, record.labelled)
    interval = [round(share.low, 3), round(share.high, 3)]
    return {**found, "labels": {"right": right, "labelled": labelled, "interval": interval}}


def _short(value: float | int | None) -> float | int | None:
    """Four digits that count, since a mean of dollars may be tiny."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _cut(text: str | None, most: int) -> str | None:
    return None if text is None else cut(text, most)
