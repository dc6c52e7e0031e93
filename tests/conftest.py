"""Fixtures of all tests: a server in this process, with solvers that do as they are told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from mcp.client import Client
from support import Connect, Host, Mode, roster_of

from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.scripted import Reply, Script, ScriptedSolver

# Whatever a test starts, and whatever keys are here: nothing is paid for.
os.environ["ATLAS_ALLOW_LIVE_CALLS"] = "false"

hypothesis_settings.register_profile("house", derandomize=True, deadline=None, max_examples=60)
hypothesis_settings.load_profile("house")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"], ids=["modern", "handshake"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Both protocol eras."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        store=tmp_path / "evidence.db", models_folder=tmp_path / "models", allow_live_calls=False
    )


@pytest.fixture
def connect(settings: Settings) -> Connect:
    """Open a server in this process, on the test's own store, and connect a client to it."""

    @asynccontextmanager
    async def opened(
        *solvers: ScriptedSolver | Sequence[Reply] | Script,
        mode: Mode = "auto",
        named: Mapping[str, ScriptedSolver] | None = None,
        on_message: Any = None,
        **overrides: Any,
    ) -> AsyncIterator[Host]:
        made = [s if isinstance(s, ScriptedSolver) else ScriptedSolver(s) for s in solvers]
        server = create_server(
            settings.model_copy(update=overrides), roster=roster_of(*made, **(named or {}))
        )
        async with Client(server, mode=mode, message_handler=on_message) as client:
            yield Host(client, server)

    return opened
