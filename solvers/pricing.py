"""The price of a usage, in dollars: the user's own prices, else a public price list, else unknown.

A `Pricer` is made once for each solver; the list (genai-prices) is looked up offline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from solvers.types import Usage

Pricer = Callable[[Usage], float | None]
"""Dollars for a usage; None where they are unknown."""


class Price(BaseModel):
    """Dollars per million tokens. Cached and written ones cost what input does, if not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def usd(self, usage: Usage) -> float | None:
        """The dollars for this usage, or None where a count that matters is unknown."""
        whole, out = usage.input_tokens, usage.output_tokens
        cached = _counted(usage.cached_tokens, self.cached)
        written = _counted(usage.cache_write_tokens, self.cache_write)
        if whole is None or out is None or cached is None or written is None:
            return None
        plain = (whole - cached - written) * self.input
        special = cached * (self.cached or 0) + written * (self.cache_write or 0)
        return (plain + special + out * self.output) / 1e6


def _counted(tokens: int | None, price: float | None) -> int | None:
    """Tokens that have a price of their own; an unknown count without one does no harm."""
    return 0 if price is None else tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A model of the public price list. `where` says which provider, by id or by address."""

    model: str
    where: Mapping[str, Any]

    def usd(self, usage: Usage) -> float | None:
        """The dollars for this usage at list price, or None where the list lacks the model."""
        from genai_prices import Usage as Counts
        from genai_prices import calc_price

        counts: dict[str, Any] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        }
        if None in counts.values():
            return None
        try:
            return float(calc_price(Counts(**counts), self.model, **self.where).total_price)
        except (LookupError, ValueError):
            return None


def pricer(model: str, *, own: Price | None, api: str, base_url: str) -> Pricer:
    """How to price this model. Loads the price list if need be, so call it off the loop."""
    if own is not None:
        return own.usd
    # Only a maker's own api says whose model it is; elsewhere the address does.
    where = {"provider_api_url": base_url} if api == "chat" else {"provider_id": api}
    listed = Listed(model=model, where=where)
    return listed.usd if listed.usd(Usage()) is not None else _unknown


def list_price(price: Pricer) -> Price | None:
    """What a million tokens cost, read off a pricer at prompts of ordinary length."""
    # Prices may rise with the length of a prompt, so a whole million is not asked for.
    said = (price(Usage(input_tokens=1_000)), price(Usage(output_tokens=1_000)))
    million = [None if usd is None else round(usd * 1_000, 6) for usd in said]
    match million:
        case [float() as read, float() as written]:
            return Price(input=read, output=written)
    return None


def _unknown(usage: Usage) -> float | None:
    return 0.0 if usage.total_tokens == 0 else None
