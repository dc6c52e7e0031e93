"""`python tests/conformance/serve.py PORT`: the product's server with the suite's fixtures.

Everything but the fixtures is the product's own: `create_server` and `serve_http`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import anyio

from atlas_mcp.server.app import create_server
from atlas_mcp.server.http import serve_http
from atlas_mcp.settings import Settings
from solvers.roster import parse_roster

ROSTER = {"solvers": {"s": {"api": "scripted", "answers": ["42", "41", "42"]}}}


def main(port: int) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from conformance.fixtures import add_fixtures

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder) / "evidence.db", models_folder=Path(folder))
        server = create_server(settings, roster=parse_roster(ROSTER, "the fixture roster"))
        add_fixtures(server)
        anyio.run(serve_http, server, "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]))
