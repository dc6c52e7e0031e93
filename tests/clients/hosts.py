"""Hosts that run a whole conversation here: what each is given, and how it is started.

Neither has an account. Their model is a fake provider on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clients.conversation import SERVER
from programs import atlas, environment, node_tool, run

from solvers.fake import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder to work in, the product's variables, and the seconds that a tool may take."""

    folder: Path
    variables: Mapping[str, str]
    limit: float | None = None


class Host(Protocol):
    """A program that lets a model use the product."""

    def __call__(self, place: Place, provider: Provider) -> Awaitable[str]:
        """Run one conversation; gives the last word of the model, as a user reads it."""
        ...


async def claude_code(place: Place, provider: Provider) -> str:
    claude = node_tool("claude")
    command, *arguments = atlas("serve")
    entry: dict[str, object] = {
        "command": command,
        "args": arguments,
        "env": dict(place.variables),
        "alwaysLoad": True,  # or the host hides the tools behind a search of its own
    }
    if place.limit is not None:
        entry["timeout"] = int(1_000 * place.limit)
    config = place.folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {SERVER: entry}}))
    flags = ["--mcp-config", str(config), "--strict-mcp-config", "--output-format", "json"]
    env = environment(
        place.folder, **provider.environment, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1"
    )
    ended = await run(
        [claude, "-p", "go", *flags, "--allowedTools", f"mcp__{SERVER}"],
        env=env,
        cwd=place.folder,
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
