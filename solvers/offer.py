"""What is known of a solver before it is asked: its price, what it reads, its efforts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from solvers.pricing import Price
from solvers.types import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a solver of a roster has to offer. None means unknown.

    `efforts` gives, for each of our efforts, the model's own word for it or the nearest that
    it has; None where effort changes nothing but the length of a reply. It is empty where
    nothing is known of them.
    """

    price: Price | None = None
    images: bool | None = None
    efforts: Mapping[Effort, str | None] = field(default_factory=dict)


UNKNOWN = Offer()

FREE = Price(input=0.0, output=0.0)
"""The price of what runs on this machine, or is looked up."""
