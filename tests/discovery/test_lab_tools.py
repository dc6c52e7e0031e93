"""The lab as an MCP host meets it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from discovering import GOLD, SHORTEST, written
from shell import Shell
from support import Connect, text_of

from atlas_mcp.server.wire import MAX_CHARS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A run that is left to hosts."""
    pool, out = written(tmp_path / "pool"), tmp_path / "lab"
    made = Shell(tmp_path)(
        "discover", "--pool", str(pool), "--proposer", "host", "--seeds", "2", "--jobs", "1",
        "--out", str(out),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return out


async def test_the_lab_is_listed_only_where_it_is_set(connect: Connect, tmp_path: Path) -> None:
    for folder, more in ((None, set()), (tmp_path, {"submit_controller", "frontier"})):
        async with connect(["42"], lab=folder) as host:
            tools = {one.name for one in (await host.client.list_tools()).tools}
            assert tools == {"explore", "collect", "conclude", *more}
            prompts = {one.name for one in (await host.client.list_prompts()).prompts}
            assert ("discover" in prompts) == bool(more)


async def test_a_host_submits_controllers_and_reads_how_they_do(
    connect: Connect, lab: Path
) -> None:
    async with connect(["42"], lab=lab) as host:
        prompt = await host.client.get_prompt("discover", {"rounds": "2"})
        assert "class Controller" in str(prompt.messages[0].content)
        good = await host.call("submit_controller", source=SHORTEST, change="whoever is first")
        assert "round 1: score" in text_of(good)
        bad = await host.call("submit_controller", source="import os", change="look around")
        assert "round 2: refused: line 1: import of os" in text_of(bad)
        read = text_of(await host.call("frontier"))
    assert "change: whoever is first" in read
    assert "self-consistency" in read
    assert GOLD not in read
    assert (lab / "best.py").exists()


async def test_what_the_lab_says_is_said_once_and_a_cut_is_told(
    connect: Connect, lab: Path
) -> None:
    async with connect(["42"], lab=lab) as host:
        long = f"{SHORTEST}\n#{'x' * MAX_CHARS}"
        await host.call("submit_controller", source=long, change="nothing")
        read = await host.call("frontier")
    assert read.structured_content is None
    assert len(text_of(read)) == MAX_CHARS
    assert text_of(read).endswith(" characters]")


async def test_a_folder_that_is_no_lab_is_told(connect: Connect, tmp_path: Path) -> None:
    async with connect(["42"], lab=tmp_path) as host:
        assert "no folder of a discovery run" in await host.refused("frontier")
