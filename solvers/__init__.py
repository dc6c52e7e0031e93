"""Solvers: attempt a problem once, from scratch. Usable without atlas_mcp."""
