"""The MCP face of the service."""
