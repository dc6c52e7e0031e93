"""Server-sent events, as the three apis stream their replies."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST = 32
_LEAST = 16


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `last` marks those that tell of the end; a cut stream lacks them."""

    name: str | None
    data: Any
    last: bool = False

    def encoded(self) -> bytes:
        name = f"event: {self.name}\n" if self.name else ""
        data = self.data if isinstance(self.data, str) else compact(self.data)
        return f"{name}data: {data}\n\n".encode()


def compact(data: object) -> str:
    """JSON without spaces, which is how it goes over the wire."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str) -> Iterator[str]:
    """The text as it is streamed: in at most 32 pieces of at least 16 characters."""
    size = max(_LEAST, math.ceil(len(text) / _MOST))
    for start in range(0, len(text), size):
        yield text[start : start + size]
