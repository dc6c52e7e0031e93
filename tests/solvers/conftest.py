"""A fake provider, and access to it with a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from providing import KEY, KEY_ENV, Access, Serve, access_to
from support import WAIT

from solvers.fake import fake_provider, structured


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


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
