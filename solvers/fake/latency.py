"""How long a fake model takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

_FORM = "expected SECONDS or lognormal:MEDIAN:SIGMA, each with +SECONDS after it or not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds until the first byte, and between the events of a stream.

    The former are log-normal about `median`, always the same where `sigma` is 0.
    """

    median: float = 0.0
    sigma: float = 0.0
    between: float = 0.0

    def first(self, random: Random) -> float:
        """Draw the seconds until the first byte."""
        return self.median * math.exp(random.gauss(0, self.sigma)) if self.sigma else self.median


def read_latency(text: str) -> Latency:
    """Read "0.2" or "lognormal:MEDIAN:SIGMA", either with "+SECONDS" between stream events.

    Raises:
        ValueError: it is written otherwise.
    """
    try:
        first, _, between = text.partition("+")
        kind, *numbers = first.split(":")
        median, sigma = map(float, numbers) if kind == "lognormal" else (float(first), 0.0)
        read = Latency(median=median, sigma=sigma, between=float(between or 0))
    except ValueError as error:
        raise ValueError(_FORM) from error
    if not all(0 <= one < math.inf for one in (read.median, read.sigma, read.between)):
        raise ValueError(f"{_FORM}; seconds are finite and not negative")
    return read
