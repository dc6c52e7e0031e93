"""Hosts that run a whole conversation here: what each is given, and how it is started.

None has an account. Their model is on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clients.conversation import SERVER
from programs import atlas, environment, node_tool, run, scripted_atlas

from solvers.fake import Provider

LIMIT = 3.0
"""Seconds after which a host that is told to be impatient gives a tool up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder to work in, the product's variables, and the seconds that a tool may take."""

    folder: Path
    variables: Mapping[str, str]
    limit: float | None = None


def slow(folder: Path, seconds: float) -> dict[str, str]:
    """Variables of a product whose only solver takes so long."""
    answers = json.dumps([str(42 - n) for n in range(8)])
    entry = f'[solvers.slow]\napi = "scripted"\nanswers = {answers}\nseconds = {seconds}\n'
    return scripted_atlas(folder, entry)


def one_by_one(folder: Path) -> dict[str, str]:
    """The same, one call a second after the other: `LIMIT` falls between the first and the last."""
    return {**slow(folder, 1), "ATLAS_PARALLEL": "1"}


class Host(Protocol):
    """A program that lets a model use the product."""

    def __call__(self, place: Place, provider: Provider) -> Awaitable[str]:
        """Run one conversation; gives the last word of the model, as a user reads it."""
        ...


async def claude_code(place: Place, provider: Provider) -> str:
    command, *arguments = atlas("serve")
    entry: dict[str, object] = {
        "command": command,
        "args": arguments,
        "env": dict(place.variables),
    }
    if place.limit is not None:
        entry["timeout"] = int(1_000 * place.limit)
    config = place.folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {SERVER: entry}}))
    return await configured_claude_code(config, environment(place.folder), provider)


async def configured_claude_code(config: Path, env: Mapping[str, str], provider: Provider) -> str:
    """The same with a configuration that is there, in its folder."""
    quiet = {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "ENABLE_TOOL_SEARCH": "false",  # or it hides the tools behind a search of its own
    }
    flags = ["--mcp-config", str(config), "--strict-mcp-config", "--output-format", "json"]
    ended = await run(
        [node_tool("claude"), "-p", "go", *flags, "--allowedTools", f"mcp__{SERVER}"],
        env={**env, **provider.environment, **quiet},
        cwd=config.parent,
    )
    return str(ended.json()["result"])


async def codex(place: Place, provider: Provider) -> str:
    program = node_tool("codex")
    settings: dict[str, object] = {
        "model": "fake",
        "model_provider": "fake",
        "model_providers.fake.name": "fake",
        "model_providers.fake.base_url": f"{provider.url}/v1",
        "model_providers.fake.env_key": "OPENAI_API_KEY",
    }
    command, *arguments = atlas("serve")
    entry: dict[str, object] = {
        "command": command,
        "args": arguments,
        "required": True,  # or the first turn may begin without it
        "default_tools_approval_mode": "approve",
        **{f"env.{name}": value for name, value in place.variables.items()},
    }
    if place.limit is not None:
        entry["tool_timeout_sec"] = place.limit
    settings |= {f"mcp_servers.{SERVER}.{name}": value for name, value in entry.items()}
    given = [
        part for name, value in settings.items() for part in ("-c", f"{name}={json.dumps(value)}")
    ]
    ended = await run(
        [program, "exec", "--skip-git-repo-check", *given, "go"],
        env=environment(place.folder, **provider.environment),
        cwd=place.folder,
    )
    assert ended.status == 0, ended.err
    return ended.out.strip()


async def gemini_cli(place: Place, url: str) -> str:
    """As a `Host`, but for the address of a model that speaks the API of Gemini."""
    gemini = node_tool("gemini")
    command, *arguments = atlas("serve")
    entry: dict[str, object] = {
        "command": command,
        "args": arguments,
        "env": dict(place.variables),
        "trust": True,
    }
    if place.limit is not None:
        entry["timeout"] = int(1_000 * place.limit)
    settings = {
        "security": {"folderTrust": {"enabled": False}, "auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
        "mcpServers": {SERVER: entry},
    }
    # Its home is the folder of the user's settings; a project needs another one.
    home, project = place.folder / ".gemini", place.folder / "project"
    home.mkdir()
    project.mkdir()
    (home / "settings.json").write_text(json.dumps(settings))
    ended = await run(
        [gemini, "-p", "go", "-m", "gemini-2.5-flash", "--output-format", "json"],
        env=environment(place.folder, GEMINI_API_KEY="none", GOOGLE_GEMINI_BASE_URL=url),
        cwd=project,
    )
    return str(ended.json()["response"])
