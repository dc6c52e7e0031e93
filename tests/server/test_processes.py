"""The server as a process: it survives kill -9, ends when told to, and starts fast."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from support import WAIT

from atlas_mcp.evidence.sqlite import open_store

pytestmark = pytest.mark.anyio

ROSTER = """
[solvers.quick]
api = "scripted"
answers = ["1", "2", "3", "4"]

[solvers.slow]
api = "scripted"
answers = ["1", "2", "3", "4"]
seconds = 0.3

[solvers.stuck]
api = "scripted"
answers = ["never"]
seconds = 600
"""

_EXEC = (
    "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); "
    "os.execv(sys.executable, [sys.executable, '-m', 'atlas_mcp', 'serve'])"
)


class Place:
    """A store, a roster and the server processes on them."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "evidence.db"
        self.pid_file = folder / "pid"
        roster = folder / "roster.toml"
        roster.write_text(ROSTER)
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ATLAS_")},
            "ATLAS_STORE": str(self.store),
            "ATLAS_ROSTER": str(roster),
            "ATLAS_PARALLEL": "8",
            "ATLAS_MAX_CALLS_PER_DAY": "2000",
        }

    @asynccontextmanager
    async def client(self, **env: str) -> AsyncIterator[Client]:
        spawned = StdioServerParameters(
            command=sys.executable,
            args=["-c", _EXEC, str(self.pid_file)],
            env={**self.env, **env},
        )
        async with Client(spawned) as client:
            yield client

    def kill(self) -> None:
        os.kill(int(self.pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    with anyio.fail_after(WAIT):
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content or {}
    return found


async def test_kill_9_loses_nothing_that_finished_and_pays_nothing_twice(place: Place) -> None:
    told: dict[str, set[str]] = {}
    enough = anyio.Event()

    async def ask(client: Client, problem: str) -> None:
        try:
            found = await call(client, "explore", problem=problem, solver="slow", draws=2)
        except MCPError:
            return
        told[problem] = {one["id"] for one in found["evidence"]}
        if len(told) == 10:
            enough.set()

    problems = [f"problem {number}" for number in range(50)]
    with anyio.fail_after(60):
        try:
            async with place.client() as client, anyio.create_task_group() as tasks:
                for problem in problems:
                    tasks.start_soon(ask, client, problem)
                await enough.wait()
                place.kill()
        except* (MCPError, OSError):
            pass
    assert 10 <= len(told) < 50

    async with open_store(place.store) as store:
        assert await store.verify() == []
        rows = {row.text: row.id for row in await store.problems(limit=100)}
        before = {text: await store.evidence(id_) for text, id_ in rows.items()}
        for id_ in rows.values():
            assert await store.pending(id_) == []
        account = await store.account(None)
        assert account.committed.calls == account.spent.calls
    finished = {
        text: {one.id for one in evidence if one.status == "ok"}
        for text, evidence in before.items()
    }
    assert any(one.status == "lost" for evidence in before.values() for one in evidence)
    for problem, ids in told.items():
        assert ids <= finished[problem]

    got: dict[str, set[str]] = {}

    async def ask_again(client: Client, problem: str) -> None:
        found = await call(client, "explore", problem=problem, solver="slow", draws=2)
        got[problem] = {one["id"] for one in found["evidence"]}

    async with place.client() as client, anyio.create_task_group() as tasks:
        for problem in problems:
            tasks.start_soon(ask_again, client, problem)

    async with open_store(place.store) as store:
        assert await store.verify() == []
        rows = {row.text: row.id for row in await store.problems(limit=100)}
        for problem in problems:
            evidence = await store.evidence(rows[problem])
            paid = {one.id for one in evidence if one.status == "ok"}
            had = finished.get(problem, set())
            assert len(got[problem]) == 2
            if problem not in told:
                assert had <= got[problem]
            # Whatever was new was asked for: nothing else was paid, and nothing again.
            assert paid == had | got[problem]
            assert await store.pending(rows[problem]) == []


async def test_two_servers_on_one_store_hold_a_cap_together(place: Place) -> None:
    answered = 0
    refused = 0

    async def ask(client: Client, number: int) -> None:
        nonlocal answered, refused
        with anyio.fail_after(WAIT):
            result = await client.call_tool("explore", {"problem": f"P{number}", "solver": "quick"})
        if result.is_error:
            assert "budget" in str(result.content)
            refused += 1
        else:
            answered += 1

    cap = {"ATLAS_MAX_CALLS_PER_DAY": "20"}
    async with (
        place.client(**cap) as one,
        place.client(**cap) as two,
        anyio.create_task_group() as tasks,
    ):
        for number in range(20):
            tasks.start_soon(ask, one, number)
            tasks.start_soon(ask, two, 100 + number)
    assert (answered, refused) == (20, 20)


async def test_one_server_waits_for_a_call_that_runs_in_another(place: Place) -> None:
    async with place.client() as one, place.client() as two:
        found = await call(one, "explore", problem="P", solver="slow", wait_seconds=0)
        assert found["status"] == "pending"
        seen = await call(two, "collect", problem_id=found["problem_id"])
        assert [item["answer"] for item in seen["evidence"]] == ["1"]


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[Process]:
    """A server that has answered `initialize` and has one call in flight."""
    process = await anyio.open_process(
        [sys.executable, "-m", "atlas_mcp", "serve"],
        env=place.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                },
            },
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {
                "jsonrpc": "2.0",
                "id": 2,
                "method": "tools/call",
                "params": {
                    "name": "explore",
                    "arguments": {"problem": "P", "solver": "stuck", "wait_seconds": 0},
                },
            },
            {
                "jsonrpc": "2.0",
                "id": 3,
                "method": "tools/call",
                "params": {"name": "explore", "arguments": {"problem": "P", "solver": "stuck"}},
            },
        ):
            await process.stdin.send((json.dumps(message) + "\n").encode())
        with anyio.fail_after(WAIT):
            seen = b""
            while b'"id":2' not in seen:
                seen += await process.stdout.receive()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "end of input"])
async def test_the_server_ends_cleanly_and_keeps_what_it_had(place: Place, how: str) -> None:
    async with running(place) as process:
        if how == "end of input":
            assert process.stdin is not None
            await process.stdin.aclose()
        else:
            process.send_signal(getattr(signal, how))
        with anyio.fail_after(WAIT):
            assert await process.wait() == 0
    async with open_store(place.store) as store:
        (row,) = await store.problems()
        statuses = [one.status for one in await store.evidence(row.id)]
        assert statuses == ["cancelled", "cancelled"]
        assert await store.pending(row.id) == []


def _loaded(code: str, env: dict[str, str]) -> set[str]:
    listing = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", listing], env=env, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_starting_the_server_loads_nothing_heavy(place: Place) -> None:
    code = (
        "from atlas_mcp.cli.main import _parser\n"
        "from atlas_mcp.settings import load_settings\n"
        "from atlas_mcp.server.app import create_server\n"
        "import atlas_mcp.server.stdio\n"
        "_parser()\n"
        "create_server(load_settings())"
    )
    heavy = {"anthropic", "openai", "numpy", "sklearn", "torch", "xllamacpp", "inspect_ai"}
    assert not heavy & _loaded(code, place.env)


def test_the_help_needs_neither_the_sdk_nor_the_store(place: Place) -> None:
    loaded = _loaded("from atlas_mcp.cli.main import _parser; _parser().format_help()", place.env)
    assert not {"mcp", "sqlite3", "anthropic", "openai"} & loaded


def test_a_broken_setting_ends_the_server_with_one_line(place: Place) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "atlas_mcp", "serve"],
        env={**place.env, "ATLAS_PARALLEL": "none"},
        capture_output=True,
        text=True,
        timeout=WAIT,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("atlas-mcp: ATLAS_PARALLEL='none'")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_store_ends_the_server_with_one_line(place: Place) -> None:
    place.store.write_bytes(b"no database " * 500)
    done = subprocess.run(
        [sys.executable, "-m", "atlas_mcp", "serve"],
        env=place.env,
        capture_output=True,
        text=True,
        timeout=WAIT,
        input="",
    )
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr
