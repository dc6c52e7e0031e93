"""What is known of a provider's models: limits, efforts, images, the day they end.

Facts are data, in `data/models.toml`. A model that is not listed there gets the defaults of
its provider: ids are strings, and a newer model than our table should just work.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from solvers.types import EFFORTS, Effort

Level = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""Every provider's word for an effort, weakest first."""

LEVELS: tuple[str, ...] = get_args(Level)

SOON = timedelta(days=60)
"""From so long before its end on, users of a model are told of it."""

_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One model of one provider. None means unknown.

    `output` is the most tokens of a reply, thought included; `max_tokens` is what we ask
    for by effort. `listed` says whether the model is in the table at all.
    """

    model: str
    listed: bool
    max_tokens: Mapping[Effort, int]
    efforts: tuple[str, ...]
    image_bytes: int
    image_count: int
    image_tokens: int
    context: int | None = None
    output: int | None = None
    images: bool | None = None
    retires: date | None = None
    note: str = ""

    def effort(self, wanted: Effort) -> str | None:
        """The provider's word for our effort, or the nearest the model has; None without any."""
        return nearest(wanted, self.efforts)

    def limit(self, effort: Effort) -> int:
        """The tokens that a reply of this effort may have."""
        return self.clamped(self.max_tokens[effort])

    def clamped(self, tokens: int) -> int:
        return tokens if self.output is None else min(tokens, self.output)

    def notices(self, today: date) -> tuple[str, ...]:
        """What a user of this model should be told, in sentences."""
        return tuple(
            notice
            for notice in (self._end(today), *self._efforts(), self.note and self._say(self.note))
            if notice
        )

    def _end(self, today: date) -> str | None:
        if self.retires is None or self.retires - today > SOON:
            return None
        verb = "was" if self.retires <= today else "will be"
        return self._say(f"the provider's announced end of this model {verb} {self.retires}")

    def _efforts(self) -> list[str]:
        if not self.efforts:
            return [
                self._say("it has no control of effort; effort sets only the length of a reply")
            ]
        return [
            self._say(f"it has no effort {wanted!r}; {used!r} is used")
            for wanted in EFFORTS
            if (used := self.effort(wanted)) != wanted
        ]

    def _say(self, what: str) -> str:
        return f"{self.model}: {what}"


def nearest(wanted: Effort, have: Sequence[str]) -> str | None:
    """The strongest level that is not above the wanted one, else the weakest there is."""
    ranked = sorted((one for one in have if one != "none"), key=LEVELS.index)
    below = [one for one in ranked if LEVELS.index(one) <= LEVELS.index(wanted)]
    return below[-1] if below else next(iter(ranked), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A model that stands for its class in the roster made from a provider's key."""

    name: str
    model: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where an api is served and which key opens it, where there is one such place."""

    api: str
    base_url: str | None
    key_env: str | None
    base_url_env: str | None
    default_tier: str | None = None
    tiers: tuple[Tier, ...] = ()


def makers() -> tuple[Provider, ...]:
    """The providers whose models stand in a roster as soon as their key is there."""
    return tuple(one for one in map(provider, _apis()) if one.tiers)


def provider(api: str) -> Provider:
    """The provider behind an api name."""
    found = _table()[api]
    tiers = tuple(
        Tier(name=facts["tier"], model=model, description=facts["description"])
        for model, facts in reversed(found["models"].items())
        if "tier" in facts
    )
    return Provider(
        api=api,
        base_url=found.get("base_url"),
        key_env=found.get("key_env"),
        base_url_env=found.get("base_url_env"),
        default_tier=found.get("default_tier"),
        tiers=tiers,
    )


def facts_of(api: str, model: str, overrides: Mapping[str, Any] | None = None) -> Facts:
    """The facts of a model: overrides first, then its own, then its provider's defaults."""
    found = _table()[api]
    models = found["models"]
    own = models.get(model) or models.get(_DATED.sub("", model))
    known = {name: value for name, value in found.items() if name in Facts.__dataclass_fields__}
    known |= {name: value for name, value in (own or {}).items() if name in _FACTS}
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    known |= given | {"max_tokens": {**known["max_tokens"], **given.get("max_tokens", {})}}
    known["efforts"] = tuple(known["efforts"])
    return Facts(model=model, listed=own is not None, **known)


def _apis() -> list[str]:
    return [name for name, found in _table().items() if isinstance(found, dict)]


_FACTS = frozenset(Facts.__dataclass_fields__) - {"model", "listed"}


@cache
def _table() -> dict[str, Any]:
    text = (files("solvers") / "data" / "models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
