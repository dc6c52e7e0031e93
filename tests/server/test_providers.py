"""A host explores through a provider: what it learns, what is sent, what is never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp.client import Client
from providing import APIS, KEY, KEY_ENV, spec_of
from support import WAIT, Host

from atlas_mcp.server.app import create_server, read_roster
from atlas_mcp.settings import Settings, load_settings
from solvers.fake import Provider, fake_provider, structured
from solvers.registry import SolverSpec
from solvers.roster import Roster

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


@asynccontextmanager
async def connected(
    settings: Settings, api: str, model: str = "m", **options: Any
) -> AsyncIterator[tuple[Host, Provider]]:
    with anyio.fail_after(WAIT):
        async with fake_provider(structured("42")) as provider:
            spec = replace(spec_of(api, provider.url, model, **options), name="s")
            server = create_server(settings, roster=Roster(default="s", specs={"s": spec}))
            async with Client(server) as client:
                yield Host(client, server), provider


@pytest.mark.parametrize("api", APIS)
async def test_evidence_tells_what_the_provider_was_paid(settings: Settings, api: str) -> None:
    async with connected(settings, api) as (host, provider):
        found = await host.explore(draws=2)
        told = provider.journal.usage
    assert [one["answer"] for one in found["evidence"]] == ["42", "42"]
    assert sum(one["tokens"] for one in found["evidence"]) == told.total_tokens
    assert all(one["usd"] > 0 for one in found["evidence"])


@pytest.mark.parametrize("api", APIS)
async def test_a_refused_key_is_evidence_that_names_the_variable(
    settings: Settings, api: str
) -> None:
    async with connected(settings, api, "f401:m") as (host, _):
        found = await host.explore()
    [one] = found["evidence"]
    assert one["status"] == "failed"
    assert KEY_ENV in one["error"]
    assert KEY not in str(found)


async def test_a_call_that_could_cost_more_than_the_cap_is_not_made(settings: Settings) -> None:
    capped = settings.model_copy(update={"max_usd_per_problem": 0.001})
    async with connected(capped, "anthropic") as (host, provider):
        assert "budget" in await host.refused("explore", problem="What is 6 × 7?")
        assert provider.journal.calls == []


def test_keys_and_addresses_of_the_environment_make_the_roster() -> None:
    environ = {
        "HOME": "/nowhere",
        "ANTHROPIC_API_KEY": "sk-0123456789",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "OPENAI_API_KEY": "${OPENAI_API_KEY}",
    }
    settings = load_settings(environ)
    roster = read_roster(settings)
    assert roster.default == "sonnet"
    assert "sol" not in roster.specs
    assert roster.specs["opus"].options["base_url"] == "http://127.0.0.1:9"
    assert "sk-0123456789" not in f"{roster} {settings!r} {settings.model_dump()}"


async def test_nothing_is_paid_for_where_live_calls_are_switched_off(settings: Settings) -> None:
    away = replace(spec_of("chat", "https://models.example/v1", "m"), name="s")
    agent = SolverSpec(name="agent", api="command", options={"preset": "codex", "command": ["sh"]})
    server = create_server(settings, roster=Roster(default="s", specs={"s": away, "agent": agent}))
    with anyio.fail_after(WAIT):
        async with Client(server) as client:
            host = Host(client, server)
            for solver in ("s", "agent"):
                refused = await host.refused("explore", problem="P", solver=solver)
                assert "ATLAS_ALLOW_LIVE_CALLS=true" in refused
