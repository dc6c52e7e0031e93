"""`atlas-mcp serve`: the MCP server."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any

from atlas_mcp.cli.options import add_roster, add_store, command, settings


def add_command(commands: Any) -> None:
    parser = command(commands, "serve", run, "run the MCP server, over stdio by default")
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="serve streamable HTTP at /mcp instead of stdio"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="a host name that HTTP clients may use; needed for addresses other than loopback",
    )
    add_roster(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    chosen = settings(args)
    # Before the SDK sets up a handler of its own; standard output belongs to the protocol.
    logging.basicConfig(
        level=chosen.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    import anyio

    from atlas_mcp.server.app import create_server

    server = create_server(chosen)
    if args.http:
        from atlas_mcp.server.http import parse_address, serve_http

        host, port = parse_address(args.http)
        anyio.run(serve_http, server, host, port, args.allowed_host)
    else:
        from atlas_mcp.server.stdio import serve_stdio

        anyio.run(serve_stdio, server)
    return 0
