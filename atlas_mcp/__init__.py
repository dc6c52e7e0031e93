"""Gather independent evidence on a problem, over MCP."""
