"""Hosts are given the product by their own commands, and connect to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from clients.conversation import SERVER
from programs import atlas, environment, free_port, node_tool, run, scripted_atlas, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def flagged(flag: str, variables: dict[str, str]) -> Iterable[str]:
    """The variables as the flags of a command."""
    return (part for name, value in variables.items() for part in (flag, f"{name}={value}"))


async def test_claude_code_connects_over_stdio_and_http(tmp_path: Path) -> None:
    claude, env, variables = node_tool("claude"), environment(tmp_path), scripted_atlas(tmp_path)
    given = flagged("-e", variables)
    stdio = [claude, "mcp", "add", SERVER, *given, "--", *atlas("serve")]
    added = await run(stdio, env=env, cwd=tmp_path)
    assert added.status == 0, added.out + added.err

    port = free_port()
    server = atlas("serve", "--http", f"127.0.0.1:{port}")
    log = tmp_path / "server.log"
    async with serving(server, port, env={**env, **variables}, log=log) as url:
        http = [claude, "mcp", "add", "--transport", "http", f"{SERVER}-http", url]
        added = await run(http, env=env, cwd=tmp_path)
        assert added.status == 0, added.out + added.err
        listed = await run([claude, "mcp", "list"], env=env, cwd=tmp_path)

    lines = [line for line in listed.out.splitlines() if line.startswith(SERVER)]
    assert len(lines) == 2
    assert all(line.endswith("Connected") for line in lines), lines


async def test_codex_keeps_the_command_and_its_variables(tmp_path: Path) -> None:
    codex, env, variables = node_tool("codex"), environment(tmp_path), scripted_atlas(tmp_path)
    given = flagged("--env", variables)
    added = await run([codex, "mcp", "add", SERVER, *given, "--", *atlas("serve")], env=env)
    assert added.status == 0, added.out + added.err

    [listed] = (await run([codex, "mcp", "list", "--json"], env=env)).json()
    assert (listed["name"], listed["enabled"]) == (SERVER, True)
    transport = listed["transport"]
    assert transport["type"] == "stdio"
    assert [transport["command"], *transport["args"]] == atlas("serve")
    assert transport["env"] == variables


async def test_gemini_cli_connects(tmp_path: Path) -> None:
    gemini, env, variables = node_tool("gemini"), environment(tmp_path), scripted_atlas(tmp_path)
    settings = tmp_path / ".gemini" / "settings.json"
    settings.parent.mkdir()
    # It connects only in folders that somebody has said to trust.
    settings.write_text(json.dumps({"security": {"folderTrust": {"enabled": False}}}))
    work = tmp_path / "work"
    work.mkdir()
    given = flagged("-e", variables)
    command, *arguments = atlas("serve")
    adding = [gemini, "mcp", "add", *given, SERVER, command, "--", *arguments]
    added = await run(adding, env=env, cwd=work)
    assert added.status == 0, added.out + added.err

    listed = await run([gemini, "mcp", "list"], env=env, cwd=work)
    [line] = [line for line in (listed.out + listed.err).splitlines() if f"{SERVER}:" in line]
    assert line.endswith("Connected")
