"""A JSON schema cut to what providers can hold a model to; we check the rest ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = frozenset(
    {
        "type", "properties", "required", "items", "enum", "const", "anyOf", "$ref", "$defs",
        "description", "title", "additionalProperties",
    }
)  # fmt: skip


def enforceable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its other keywords moved into descriptions, where a model reads them."""
    moved = {name: value for name, value in schema.items() if name not in _KEPT}
    kept = {name: _inner(name, value) for name, value in schema.items() if name in _KEPT}
    if moved:
        words = ", ".join(f"{name}: {value}" for name, value in moved.items())
        kept["description"] = f"{kept.get('description', '')} ({words})".strip()
    if kept.get("type") == "object":
        kept["additionalProperties"] = False
    return kept


def _inner(name: str, value: Any) -> Any:
    if name in ("properties", "$defs"):
        return {key: enforceable(one) for key, one in value.items()}
    if name == "items" and isinstance(value, Mapping):
        return enforceable(value)
    if name == "anyOf":
        return [enforceable(one) for one in value]
    return value


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether every property is required at the top, as strict providers want it."""
    return set(schema.get("properties", {})) == set(schema.get("required", ()))
