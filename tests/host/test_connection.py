"""Reaching a server: what fails on the way is told, what the caller raises is the caller's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from programs import environment, scripted_atlas
from support import WAIT

from atlas_mcp.host.connection import ConnectionFailedError, connect, spawned
from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_listener_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        with anyio.fail_after(WAIT):
            with pytest.raises(ConnectionFailedError, match=r"did not answer within 0\.2 s"):
                async with connect(url, connect_seconds=0.2):
                    pass


@pytest.mark.parametrize("url", ["nonsense", "http://[", "http://127.0.0.1:9/mcp"])
async def test_a_url_where_nobody_is_is_told(url: str) -> None:
    with anyio.fail_after(WAIT):
        with pytest.raises(ConnectionFailedError, match="cannot be reached"):
            async with connect(url):
                pass


async def test_the_time_limit_is_for_connecting_alone(settings: Settings) -> None:
    with anyio.fail_after(WAIT):
        async with connect(create_server(settings), connect_seconds=0.05) as client:
            await anyio.sleep(0.1)
            assert (await client.list_tools()).tools


@pytest.mark.parametrize(
    "make",
    [lambda: OSError("full"), lambda: ExceptionGroup("tasks", [ValueError("a bug")])],
    ids=["an OSError", "a group"],
)
async def test_what_the_caller_raises_comes_out_as_it_is(
    settings: Settings, make: Callable[[], Exception]
) -> None:
    error = make()
    with anyio.fail_after(WAIT):
        with pytest.raises(type(error)) as raised:
            async with connect(create_server(settings)):
                raise error
    assert raised.value is error


async def test_a_refused_request_is_told(settings: Settings) -> None:
    with anyio.fail_after(WAIT):
        with pytest.raises(ConnectionFailedError, match=r"refused a request \(Unknown resource"):
            async with connect(create_server(settings)) as client:
                await client.read_resource("atlas://nothing")


async def test_a_server_process_that_cannot_start_is_told(tmp_path: Path) -> None:
    env = environment(tmp_path, **scripted_atlas(tmp_path))
    with anyio.fail_after(WAIT):
        with pytest.raises(ConnectionFailedError, match="the server process ended"):
            async with connect(spawned(["--roster", "none.toml"], env)):
                pass
