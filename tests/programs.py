"""Programs that tests run beside themselves: the product as a process, and other people's tools.

`.ci/node-tools` installs the tools that are Node programs into `.ci/node`, and `.ci/python-tools`
those that are Python programs into `.ci/python`; NODE_TOOLS and PYTHON_TOOLS name other folders
of that form. Tests that need one are skipped where it is missing.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(os.environ.get("NODE_TOOLS") or ROOT / ".ci" / "node")
PYTHON_TOOLS = Path(os.environ.get("PYTHON_TOOLS") or ROOT / ".ci" / "python")

LIMIT = 60.0
"""No program runs longer than this, in seconds, unless its test says so."""

ROSTER = """\
[solvers.first]
api = "scripted"
answers = ["42", "41", "42"]

[solvers.second]
api = "scripted"
answers = ["42"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that has ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, which must be JSON, after it ended well."""
        assert self.status == 0, f"status {self.status}\n{self.err}\n{self.out}"
        return json.loads(self.out)


def node_tool(name: str) -> str:
    """The path of a Node program; skips the test where it is not installed."""
    path = TOOLS / "node_modules" / ".bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: .ci/node-tools installs it")
    return str(path)


def python_tool(name: str) -> str:
    """The path of a Python program; skips the test where it is not installed."""
    path = PYTHON_TOOLS / "bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: .ci/python-tools installs it")
    return str(path)


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment for a program that must not see the user's own settings."""
    path = os.pathsep.join([str(TOOLS / "bin"), os.environ.get("PATH", os.defpath)])
    own = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "ATLAS_ALLOW_LIVE_CALLS": "false"}
    return {**own, **more}


def scripted_atlas(folder: Path, roster: str = ROSTER) -> dict[str, str]:
    """Variables that give the product a store and scripted solvers in `folder`."""
    path = folder / "roster.toml"
    path.write_text(roster, encoding="utf-8")
    return {"ATLAS_STORE": str(folder / "evidence.db"), "ATLAS_ROSTER": str(path)}


def atlas(*arguments: str) -> list[str]:
    """The command line of the product, run by this Python."""
    return [sys.executable, "-m", "atlas_mcp", *arguments]


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    limit: float = LIMIT,
) -> Ended:
    """Run a program to its end; one that outlives `limit` is killed and fails the test."""
    with anyio.fail_after(limit):
        done = await anyio.run_process(
            list(command), check=False, env=env, cwd=cwd, stdin=subprocess.DEVNULL
        )
    out, err = done.stdout.decode(), done.stderr.decode()
    return Ended(status=done.returncode, out=out, err=err)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def serving(
    command: Sequence[str],
    port: int,
    *,
    env: Mapping[str, str],
    log: Path,
    limit: float = LIMIT,
    health: str = "/healthz",
) -> AsyncIterator[str]:
    """Run an HTTP server until the block ends; gives its MCP address once it is healthy."""
    with log.open("wb") as output:
        process = await anyio.open_process(
            list(command), env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    async with process:
        try:
            if not await _healthy(f"http://127.0.0.1:{port}{health}", process, limit):
                pytest.fail(f"the server did not become healthy:\n{_text(log)}")
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            if process.returncode is None:
                process.terminate()
            with anyio.move_on_after(10, shield=True) as patience:
                await process.wait()
            if patience.cancelled_caught:
                process.kill()


async def _healthy(url: str, process: anyio.abc.Process, limit: float) -> bool:
    """Ask until the server says that it is well, has ended, or `limit` seconds are over."""
    with anyio.move_on_after(limit):
        async with httpx2.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                try:
                    if (await client.get(url)).status_code == 200:
                        return True
                except httpx2.TransportError:
                    pass  # nobody listens yet
                await anyio.sleep(0.05)
    return False


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
