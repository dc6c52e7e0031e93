"""One model at one address: what its wire and the messages about it need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

EMPTY = "(nothing)"
"""Stands for a turn without text, which no api takes."""

_MOST = 300
"""Characters that are kept of what a provider says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model at one address, to say in messages what should be set right."""

    api: str
    model: str
    base_url: str
    key_env: str | None = None
    key: str = field(default="", repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    def tagged(self, written: Any) -> dict[str, Any]:
        """What this model wrote in its api's own form, marked as its own."""
        return {"api": self.api, "model": self.model, "written": written}

    def own(self, native: Any) -> Any:
        """What this model wrote, to be sent back verbatim; None where another one wrote it."""
        ours = isinstance(native, dict) and native.get("model") == self.model
        return native["written"] if ours and native.get("api") == self.api else None

    def quote(self, said: str) -> str:
        """What the provider said, shortened and without the key."""
        said = said.replace(self.key, "[key]") if self.key else said
        said = " ".join(said.split())
        return said if len(said) <= _MOST else said[:_MOST] + "…"


def writable(value: Any) -> Any:
    """The JSON value with halves of characters replaced: they cannot be written as UTF-8."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {writable(key): writable(one) for key, one in value.items()}
    return [writable(one) for one in value] if isinstance(value, list | tuple) else value
