"""The server over streamable HTTP: a real process and a real socket."""

from __future__ import annotations

import base64
import os
import re
import signal
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.client import Client
from programs import atlas, environment, free_port, scripted_atlas, serving
from support import WAIT, Mode

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.evidence.sqlite import open_store
from atlas_mcp.server.attachments import MAX_BYTES, MAX_TOGETHER
from atlas_mcp.server.http import parse_address

pytestmark = pytest.mark.anyio


async def test_a_host_explores_over_http(tmp_path: Path, mode: Mode) -> None:
    port = free_port()
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    async with serving(command, port, env=env, log=tmp_path / "log") as url:
        with anyio.fail_after(WAIT):
            async with Client(url, mode=mode) as client:
                result = await client.call_tool("explore", {"problem": "P", "draws": 3})
                assert result.structured_content is not None
                assert result.structured_content["ledger"]["answers"][0]["count"] == 2


async def test_the_largest_attachments_fit_into_a_request(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    image = b"GIF89a" + bytes(MAX_BYTES - 6)
    uri = "data:image/gif;base64," + base64.b64encode(image).decode()
    most = [uri] * (MAX_TOGETHER // MAX_BYTES)
    async with serving(command, port, env=env, log=tmp_path / "log") as url:
        with anyio.fail_after(WAIT):
            async with Client(url) as client:
                result = await client.call_tool("explore", {"problem": "P", "attachments": most})
    assert not result.is_error
    async with open_store(tmp_path / "evidence.db") as store:
        (row,) = await store.problems()
        problem = await store.problem(row.id)
    assert problem is not None
    assert [one.data for one in problem.attachments] == [image] * len(most)


async def test_clients_that_connect_at_once_share_one_store(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    asked: list[int] = []
    async with serving(command, port, env=env, log=tmp_path / "log") as url:

        async def ask() -> None:
            async with Client(url) as client:
                result = await client.call_tool("explore", {"problem": "P"})
                assert result.structured_content is not None
                asked.append(result.structured_content["ledger"]["asked"])

        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(ask)
    assert max(asked) == 4
    async with open_store(tmp_path / "evidence.db") as store:
        (row,) = await store.problems()
        assert sorted(one.call.draw for one in await store.evidence(row.id)) == [1, 2, 3, 4]


async def test_a_foreign_host_name_is_refused(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    async with serving(command, port, env=env, log=tmp_path / "log") as url:
        async with httpx2.AsyncClient(trust_env=False) as client:
            message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            accept = {"Accept": "application/json, text/event-stream"}
            for headers, refused in (
                ({"Host": "evil.example"}, {421}),
                ({"Origin": "http://evil.example"}, {403}),
            ):
                reply = await client.post(url, json=message, headers={**accept, **headers})
                assert reply.status_code in refused


async def test_sigterm_ends_the_http_server_and_keeps_what_it_had(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    (tmp_path / "roster.toml").write_text(
        '[solvers.stuck]\napi = "scripted"\nanswers = ["never"]\nseconds = 600\n'
    )
    command = atlas("serve", "--http", f"127.0.0.1:{port}")
    with anyio.fail_after(WAIT):
        process = await anyio.open_process(command, env=env, stdout=None, stderr=None)
        try:
            while True:
                try:
                    async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                        await client.call_tool("explore", {"problem": "P", "wait_seconds": 0})
                    break
                except* (httpx2.TransportError, OSError):
                    await anyio.lowlevel.checkpoint()
            os.kill(process.pid, signal.SIGTERM)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.aclose()
    async with open_store(tmp_path / "evidence.db") as store:
        (row,) = await store.problems()
        assert [one.status for one in await store.evidence(row.id)] == ["cancelled"]
        assert await store.pending(row.id) == []


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_port_0_is_any_free_port_and_the_server_says_which(
    tmp_path: Path, how: signal.Signals
) -> None:
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    command = atlas("serve", "--http", "127.0.0.1:0")
    with anyio.fail_after(WAIT):
        async with await anyio.open_process(command, env=env, stdin=None) as process:
            try:
                assert process.stderr is not None
                said = (await process.stderr.receive()).decode()
                address = re.fullmatch(
                    r"atlas-mcp: serving at (http://127\.0\.0\.1:\d+/mcp)\n", said
                )
                assert address is not None
                async with Client(address[1]) as client:
                    assert len((await client.list_tools()).tools) == 3
                process.send_signal(how)
                assert await process.wait() == 0
                with pytest.raises(anyio.EndOfStream):
                    await process.stderr.receive()
            finally:
                if process.returncode is None:
                    process.kill()


@pytest.mark.parametrize(
    "text", ["", "8000", ":8000", "host:", "host:port", "host:99999", "host:²", "host:9999999999"]
)
def test_a_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="HOST:PORT"):
        parse_address(text)


def test_an_address_may_be_ipv6() -> None:
    assert parse_address("[::1]:8000") == ("[::1]", 8000)
