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
    """Whether every property is required, at every depth, as strict providers want it."""
    properties = schema.get("properties", {})
    inner = [*properties.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if isinstance(schema.get("items"), Mapping) else []
    return set(properties) == set(schema.get("required", ())) and all(map(is_strict, inner))
