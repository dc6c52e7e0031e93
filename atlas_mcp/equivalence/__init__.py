"""When two answers are the same answer: `canonical` gives the key, `same` compares two."""

from atlas_mcp.equivalence.answers import canonical, same

__all__ = ["canonical", "same"]
