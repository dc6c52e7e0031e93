"""`atlas-mcp serve`: the MCP server."""

from __future__ import annotations

import argparse
import logging
import sys
from functools import partial
from typing import Any

from atlas_mcp.cli.options import add_roster, add_store, command, settings
from atlas_mcp.core.errors import SetupError


def add_command(commands: Any) -> None:
    parser = command(commands, "serve", run, "run the MCP server, over stdio by default")
    parser.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="serve streamable HTTP at /mcp instead of stdio; port 0 is any free one",
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
        anyio.run(partial(serve_http, server, host, port, args.allowed_host, ready=_say_ready))
    else:
        if sys.stdin is None:
            raise SetupError("standard input is closed: a host must speak over it, or use --http")
        from atlas_mcp.server.stdio import serve_stdio

        anyio.run(serve_stdio, server)
    return 0


def _say_ready(url: str) -> None:
    print(f"atlas-mcp: serving at {url}", file=sys.stderr, flush=True)
