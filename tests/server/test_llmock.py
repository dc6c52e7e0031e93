"""A second opinion on how we take a provider's faults: llmock makes them, and judges us.

Unlike elsewhere the waits are real, since llmock measures them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from programs import LIMIT, environment, free_port, python_tool, serving
from providing import APIS, KEY, KEY_ENV, spec_of
from support import WAIT, Host

from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.fake import structured
from solvers.registry import SolverSpec
from solvers.roster import Roster

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Behaviour = dict[str, Any]

PATIENCE, LONG = 0.5, 3.0
"""Seconds without a byte after which we give a reply up, and for which one is held back."""


def fail(status: int, times: int | None = 1, **more: Any) -> Behaviour:
    return {"type": "fail", "status": status, "times": times, **more}


def stream(fault: str) -> Behaviour:
    fields = {"kind": fault, "times": 1, "after_chunks": 3, "stall_seconds": LONG}
    return {"type": "stream_fault", **fields}


TOO_LONG = "This model's maximum context length was exceeded."

PASSING: dict[str, Behaviour] = {
    "limit": fail(429, 2, retry_after=0.3),
    "error": fail(500),
    "unavailable": fail(503),
    "overloaded": fail(529, retry_after=0.2),
    "late": {"type": "delay", "times": 1, "seconds": LONG},
    "surprise": {"type": "tool_fault", "kind": "unknown_tool", "times": None},
}
BROKEN_STREAMS = {kind: stream(kind) for kind in ("disconnect", "truncate", "malformed", "stall")}
HOPELESS: dict[str, tuple[Behaviour, str]] = {
    "bad_request": (fail(400, None), "bad_request"),
    "no_key": (fail(401, None), "authentication"),
    "no_model": (fail(404, None), "unknown_model"),
    "overflow": (fail(400, None, message=TOO_LONG), "context_overflow"),
}


class Judge:
    """A running llmock, by its control API. A fault strikes the model that has its name."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    def spec(self, api: str, fault: str) -> SolverSpec:
        """A roster entry whose calls meet the fault."""
        at = str(self._client.base_url).rstrip("/") + ("/anthropic" if api == "anthropic" else "")
        timeout = PATIENCE if fault in ("late", "stall") else WAIT
        return replace(spec_of(api, at, fault, timeout=timeout), name=fault)

    async def queue(self, faults: dict[str, Behaviour]) -> None:
        answer = {"type": "reply", "text": structured("42"), "times": None}
        named = [{**one, "match": {"model": fault}} for fault, one in faults.items()]
        asked = {"behaviors": [answer, *named]}
        (await self._client.post("/_llmock/scenario", json=asked)).raise_for_status()

    async def left(self) -> list[Behaviour]:
        """The faults that should strike so many times and have not yet."""
        queued = (await self._client.get("/_llmock/scenario")).json()["pending"]
        return [one for one in queued if one["times"] is not None]

    async def errors(self) -> list[Any]:
        """What it finds wrong with how we took the faults."""
        verdict = (await self._client.get("/_llmock/verdict")).json()
        return [one for one in verdict["findings"] if one["severity"] == "error"]


@pytest.fixture
async def judge(tmp_path: Path) -> AsyncIterator[Judge]:
    port = free_port()
    command = [python_tool("llmock"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path / "llmock.log"
    async with (
        serving(command, port, env=environment(tmp_path), log=log, health="/health"),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield Judge(client)


@asynccontextmanager
async def hosted(settings: Settings, specs: list[SolverSpec]) -> AsyncIterator[Host]:
    roster = Roster(default=specs[0].name, specs={one.name: one for one in specs})
    server = create_server(settings, roster=roster)
    async with Client(server) as client:
        yield Host(client, server)


@pytest.mark.parametrize("api", APIS)
async def test_llmock_finds_no_fault_with_how_we_take_its_faults(
    settings: Settings, judge: Judge, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)
    passing = PASSING | (BROKEN_STREAMS if api == "anthropic" else {})  # the others do not stream
    faults = passing | {name: fault for name, (fault, _) in HOPELESS.items()}
    found: dict[str, dict[str, Any]] = {}

    async def ask(host: Host, fault: str) -> None:
        [found[fault]] = (await host.explore(solver=fault))["evidence"]

    await judge.queue(faults)
    specs = [judge.spec(api, fault) for fault in faults]
    with anyio.fail_after(LIMIT):
        async with hosted(settings, specs) as host, anyio.create_task_group() as tasks:
            for fault in faults:
                tasks.start_soon(ask, host, fault)

    assert {fault: found[fault]["answer"] for fault in passing} == dict.fromkeys(passing, "42")
    for fault, (_, kind) in HOPELESS.items():
        assert found[fault]["error"].startswith(f"{kind}: ")
    assert await judge.left() == []
    assert await judge.errors() == []
