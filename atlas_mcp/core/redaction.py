"""Take keys and tokens out of text before it is stored, logged or sent."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "[redacted]"

_SHAPES = re.compile(
    r"""
    \bsk-[A-Za-z0-9_-]{16,}                      # OpenAI, Anthropic, OpenRouter
    | \b(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}
    | \bAIza[A-Za-z0-9_-]{30,}                   # Google
    | \bhf_[A-Za-z0-9]{20,}
    | \bxox[abprs]-[A-Za-z0-9-]{10,}             # Slack
    | \bAKIA[A-Z0-9]{16}\b                       # AWS
    | (?<=\bBearer\ )[A-Za-z0-9._~+/=-]{16,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


class Redactor:
    """Masks everything shaped like a key, and the secrets it was told of."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= 8}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SHAPES.sub(MASK, text)
