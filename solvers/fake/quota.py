"""Requests and tokens per minute, as buckets that refill evenly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one model may be asked for in a minute. None is any number."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one of the limits stands: `full_in` seconds it is `limit` again."""

    limit: int
    remaining: int
    full_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """How the limits of a model stand; None where there is none."""

    requests: Standing | None
    tokens: Standing | None

    def named(self) -> Iterator[tuple[str, Standing]]:
        """Those that there are, by their names in headers."""
        for name, one in (("requests", self.requests), ("tokens", self.tokens)):
            if one is not None:
                yield name, one


@dataclass(slots=True)
class Bucket:
    """Holds at most what a minute allows. What is taken may overdraw it."""

    per_minute: int
    _level: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._level = self.per_minute

    def seconds_until(self, amount: float, now: float) -> float:
        """The wait until so much can be taken; 0 when it can be now.

        More than a minute allows is let through when the bucket is full.
        """
        lack = min(amount, self.per_minute) - self._filled(now)
        return max(0.0, lack * 60 / self.per_minute)

    def take(self, amount: float, now: float) -> None:
        """Take so much out."""
        self._level = self._filled(now) - amount

    def standing(self, now: float) -> Standing:
        level = self._filled(now)
        return Standing(
            limit=self.per_minute,
            remaining=max(0, int(level)),
            full_in=(self.per_minute - level) * 60 / self.per_minute,
        )

    def _filled(self, now: float) -> float:
        self._level = min(self.per_minute, self._level + (now - self._at) * self.per_minute / 60)
        self._at = now
        return self._level


class Meters:
    """The buckets of one model."""

    def __init__(self, quota: Quota) -> None:
        self._requests = Bucket(quota.requests) if quota.requests else None
        self._tokens = Bucket(quota.tokens) if quota.tokens else None

    def admit(self, tokens: int, now: float) -> float:
        """Let a request of so many tokens in, or say for how many seconds it must wait."""
        asked = [(self._requests, 1), (self._tokens, tokens)]
        wait = max(bucket.seconds_until(n, now) if bucket else 0.0 for bucket, n in asked)
        if not wait:
            for bucket, amount in asked:
                if bucket:
                    bucket.take(amount, now)
        return wait

    def charge(self, tokens: int, now: float) -> None:
        """Take the tokens of a reply, too, which nobody knew beforehand."""
        if self._tokens:
            self._tokens.take(tokens, now)

    def standings(self, now: float) -> Standings:
        return Standings(
            requests=self._requests.standing(now) if self._requests else None,
            tokens=self._tokens.standing(now) if self._tokens else None,
        )
