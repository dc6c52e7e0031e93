"""Evidence is told once it has reached its host, and not before."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from programs import atlas, environment, free_port, serving
from support import WAIT, Connect, Host

from atlas_mcp.evidence.sqlite import open_store
from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest

pytestmark = pytest.mark.anyio

ROSTER = """
[solvers.slow]
api = "scripted"
answers = ["1", "2", "3"]
seconds = 0.3
"""

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
EXPLORE = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "explore", "arguments": {"problem": "P", "draws": 8}},
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "roster.toml").write_text(ROSTER)
    return environment(
        tmp_path,
        ATLAS_ROSTER=str(tmp_path / "roster.toml"),
        ATLAS_STORE=str(tmp_path / "evidence.db"),
    )


async def all_finished(host: Host, problem_id: str) -> None:
    """Wait until no call of the problem is pending, without being told the evidence."""
    with anyio.fail_after(WAIT):
        while True:
            if not json.loads(await host.read(f"atlas://problems/{problem_id}"))["pending"]:
                return
            await anyio.sleep(0.01)


async def finished(store: Path, count: int) -> list[str]:
    """The ids of the evidence of the only problem, once there is so much."""
    with anyio.fail_after(WAIT):
        while True:
            async with open_store(store) as opened:
                for row in await opened.problems():
                    found = await opened.evidence(row.id)
                    if len(found) == count:
                        return [one.id for one in found]
            await anyio.sleep(0.05)


async def ask_again(target: Any) -> dict[str, Any]:
    with anyio.fail_after(WAIT):
        async with Client(target) as client:
            result = await client.call_tool("explore", {"problem": "P", "draws": 8})
            return dict(result.structured_content or {})


async def test_a_host_that_never_read_the_reply_is_told_at_the_next_start(
    tmp_path: Path, env: dict[str, str]
) -> None:
    (tmp_path / "roster.toml").write_text(
        f'[solvers.s]\napi = "scripted"\nanswers = ["{"x" * 2000}"]'
    )
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)  # the reply does not fit into it
    server = subprocess.Popen(  # noqa: ASYNC220  its pipes are closed one by one
        atlas("serve"), env=env, stdin=subprocess.PIPE, stdout=writing, text=True
    )
    os.close(writing)
    assert server.stdin
    for message in (HELLO, READY, EXPLORE):
        server.stdin.write(json.dumps(message) + "\n")
        server.stdin.flush()
        if message is HELLO:
            os.read(reading, 4096)
    told = await finished(Path(env["ATLAS_STORE"]), 8)
    server.kill()
    await anyio.to_thread.run_sync(server.wait, WAIT)
    server.stdin.close()
    os.close(reading)

    command, *args = atlas("serve")
    again = await ask_again(StdioServerParameters(command=command, args=args, env=env))
    assert {one["id"] for one in again["evidence"]} == set(told)
    assert again["ledger"]["asked"] == 8


async def test_a_server_whose_host_has_gone_ends_without_a_traceback(
    tmp_path: Path, env: dict[str, str]
) -> None:
    server = subprocess.Popen(  # noqa: ASYNC220  its pipes are closed one by one
        atlas("serve"),
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdin
    assert server.stdout
    assert server.stderr
    server.stdout.close()
    server.stdin.write(json.dumps(HELLO) + "\n")
    server.stdin.flush()
    said = await anyio.to_thread.run_sync(server.stderr.read)
    await anyio.to_thread.run_sync(server.wait, WAIT)
    server.stdin.close()
    server.stderr.close()
    assert "Traceback" not in said


async def test_an_http_client_that_left_is_told_when_it_asks_again(
    tmp_path: Path, env: dict[str, str]
) -> None:
    port = free_port()
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    async with serving(command, port, env=env, log=tmp_path / "log") as url:
        headers = {"Accept": "application/json, text/event-stream"}
        async with httpx2.AsyncClient(trust_env=False, headers=headers) as http:
            hello = await http.post(url, json=HELLO)
            session = {"Mcp-Session-Id": hello.headers["mcp-session-id"]}
            await http.post(url, json=READY, headers=session)
            async with http.stream("POST", url, json=EXPLORE, headers=session):
                pass  # gone as soon as the stream had begun
        told = await finished(Path(env["ATLAS_STORE"]), 8)
        again = await ask_again(url)
    assert {one["id"] for one in again["evidence"]} == set(told)
    assert again["ledger"]["asked"] == 8


async def test_what_a_bounded_reply_left_out_is_still_to_be_told(connect: Connect) -> None:
    may_answer = anyio.Event()

    async def slow(request: SolveRequest) -> str:
        await may_answer.wait()
        return "1"

    async with connect(slow, max_calls_per_problem=None) as host:
        for _ in range(9):
            found = await host.explore("P", draws=8, wait_seconds=0)
        may_answer.set()
        problem = {"problem_id": found["problem_id"]}
        await all_finished(host, found["problem_id"])
        reply = host.structured(await host.call("collect", **problem))
        assert reply["evidence_left_out"] > 0
        shown = {one["id"] for one in reply["evidence"]}
        (more,) = (await host.explore(**problem))["evidence"]
        assert more["id"] not in shown
        assert more["draw"] <= 72


async def test_finished_evidence_is_given_although_the_cap_is_reached(connect: Connect) -> None:
    may_answer = anyio.Event()

    async def slow(request: SolveRequest) -> str:
        await may_answer.wait()
        return "1"

    solver = ScriptedSolver(slow)
    async with connect(solver, max_calls_per_problem=2) as host:
        first = await host.explore("P", draws=2, wait_seconds=0)
        may_answer.set()
        problem = {"problem_id": first["problem_id"]}
        await all_finished(host, first["problem_id"])
        given = await host.explore(**problem, draws=3)
        assert [one["draw"] for one in given["evidence"]] == [1, 2]
        assert "budget" in given["next"]
        assert len(solver.requests) == 2


async def test_calls_stopped_in_the_queue_are_not_counted_as_calls(connect: Connect) -> None:
    began = anyio.Event()

    async def stuck(request: SolveRequest) -> str:
        began.set()
        await anyio.sleep_forever()
        raise AssertionError

    async with connect(stuck, parallel=1) as host:
        first = await host.explore("P", draws=4, wait_seconds=0)
        with anyio.fail_after(WAIT):
            await began.wait()
        rest = host.structured(
            await host.call("collect", problem_id=first["problem_id"], cancel=True)
        )
        assert rest["ledger"]["spent"]["calls"] == 1


async def test_a_host_can_stop_calls_of_another_server_on_the_same_store(connect: Connect) -> None:
    stopped = anyio.Event()

    async def stuck(request: SolveRequest) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        raise AssertionError

    async with connect(stuck) as host, connect(["1"]) as other:
        first = await host.explore("P", wait_seconds=0)
        rest = other.structured(
            await other.call("collect", problem_id=first["problem_id"], cancel=True)
        )
        assert [one["status"] for one in rest["evidence"]] == ["cancelled"]
        assert stopped.is_set()


def full(store: Path, *, full: bool) -> None:
    """Let the store refuse evidence, as a full disk does, or take it again."""
    statement = (
        "CREATE TRIGGER full BEFORE INSERT ON evidence "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        if full
        else "DROP TRIGGER full"
    )
    with closing(sqlite3.connect(store)) as db, db:
        db.execute(statement)


async def test_an_answer_outlasts_a_store_that_cannot_be_written(
    connect: Connect, tmp_path: Path
) -> None:
    lines: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        lines.append(message or "")
        if "waiting for the evidence store" in (message or ""):
            full(tmp_path / "evidence.db", full=False)

    may_answer = anyio.Event()

    async def slow(request: SolveRequest) -> str:
        await may_answer.wait()
        return "42"

    async with connect(slow) as host:
        first = await host.explore("P", wait_seconds=0)
        full(tmp_path / "evidence.db", full=True)
        may_answer.set()
        with anyio.fail_after(WAIT):
            result = await host.client.call_tool(
                "collect", {"problem_id": first["problem_id"]}, progress_callback=on_progress
            )
        assert [one["answer"] for one in host.structured(result)["evidence"]] == ["42"]
        assert any("waiting for the evidence store" in line for line in lines)


async def test_a_server_ends_although_its_store_cannot_be_written(
    connect: Connect, tmp_path: Path
) -> None:
    async with connect(["42"]) as host:
        await host.explore("P", wait_seconds=0)
        full(tmp_path / "evidence.db", full=True)
        with anyio.fail_after(WAIT):
            await host.explore("Q", wait_seconds=0.1)
    async with open_store(tmp_path / "evidence.db") as store:
        assert await store.problems()
