"""A fake provider with access to it by a key, and the weights of a small embedded model."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from providing import KEY, KEY_ENV, MODEL, Access, Serve, access_to
from support import WAIT

from solvers.errors import FixSetupError
from solvers.fake import fake_provider, structured
from solvers.pulling import pull
from solvers.weights import present


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the weights are, fetched if need be."""
    named = os.environ.get("ATLAS_MODELS_FOLDER", "~/.cache/atlas-mcp/models")
    folder = Path(named).expanduser()
    if not present(MODEL, folder):
        try:
            pull(MODEL, folder)
        except FixSetupError as error:
            pytest.skip(f"the weights of {MODEL} cannot be had: {error}")
    return folder


@pytest.fixture
async def access() -> AsyncIterator[Access]:
    """Access to a fake whose models all answer 42."""
    with anyio.fail_after(WAIT):
        async with (
            fake_provider(structured("42")) as provider,
            access_to(provider) as access,
        ):
            yield access


@pytest.fixture
def serve() -> Serve:
    """Serve a script, and give access to it."""

    @asynccontextmanager
    async def served(*script: Any, **options: Any) -> AsyncIterator[Access]:
        said = script[0] if len(script) == 1 else script
        with anyio.fail_after(WAIT):
            async with fake_provider(said, **options) as provider, access_to(provider) as access:
                yield access

    return served
