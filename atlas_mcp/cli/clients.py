"""How each MCP client is told of the server, in the exact form that it reads."""

from __future__ import annotations

import json
import shlex
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOOL_SECONDS = 300
"""How long a client should wait for a tool; `explore` answers long before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the server is started on this machine.

    `env` are settings to hand on. `keys` names variables that are secret or belong to the
    user's shell; their values are never written into a configuration. `path` is where
    programs are found that solvers run, for clients that hand on none of the user's own.
    """

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a client reads, where it goes, and what else there is to do."""

    title: str
    where: str
    text: str
    note: str = ""


def server_command() -> list[str]:
    """The command line that starts the server: the installed script, else this Python."""
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sysconfig.get_path("scripts")) / f"atlas-mcp{suffix}"
    program = [str(script)] if script.exists() else [sys.executable, "-m", "atlas_mcp"]
    return [*program, "serve"]


def configurations(launch: Launch, home: Path, platform: str) -> dict[str, Configuration]:
    """The configuration of every client we know, by its name."""
    return {
        "claude-desktop": _claude_desktop(launch, home, platform),
        "claude-code": _claude_code(launch),
        "codex": _codex(launch),
        "codex-cli": _codex_cli(launch),
        "vscode": _vscode(launch),
    }


NAMES = ("claude-desktop", "claude-code", "codex", "codex-cli", "vscode")


def _claude_desktop(launch: Launch, home: Path, platform: str) -> Configuration:
    folders: dict[str, Callable[[], Path]] = {
        "darwin": lambda: home / "Library" / "Application Support",
        "win32": lambda: home / "AppData" / "Roaming",
    }
    folder = folders.get(platform, lambda: home / ".config")()
    # It starts servers without the variables of a shell and expands none: until the user
    # writes the key there, the server takes such a value as not set.
    keys = {name: f"${{{name}}}" for name in launch.keys}
    path = {"PATH": launch.path} if launch.path else {}
    entry = _entry(launch) | {"env": {**launch.env, **path, **keys}}
    note = f"write the values of {', '.join(launch.keys)} in its place" if launch.keys else ""
    return Configuration(
        title="Claude Desktop",
        where=str(folder / "Claude" / "claude_desktop_config.json"),
        text=_json({"mcpServers": {"atlas": entry}}),
        note=note,
    )


def _claude_code(launch: Launch) -> Configuration:
    env = [part for name, value in launch.env.items() for part in ("-e", f"{name}={value}")]
    command = ["claude", "mcp", "add", "atlas", "--scope", "user", *env, "--", *launch.command]
    return Configuration(title="Claude Code", where="run it in a terminal", text=_shell(command))


def _codex(launch: Launch) -> Configuration:
    command, *args = launch.command
    lines = [
        "[mcp_servers.atlas]",
        f"command = {_toml(command)}",
        f"args = [{', '.join(map(_toml, args))}]",
        "startup_timeout_sec = 30",
        f"tool_timeout_sec = {TOOL_SECONDS}",
    ]
    if launch.keys:
        lines.append(f"env_vars = [{', '.join(map(_toml, launch.keys))}]")
    if launch.env:
        lines += ["", "[mcp_servers.atlas.env]"]
        lines += [f"{name} = {_toml(value)}" for name, value in launch.env.items()]
    text = "\n".join(lines) + "\n"
    return Configuration(title="Codex", where="~/.codex/config.toml", text=text)


def _codex_cli(launch: Launch) -> Configuration:
    env = [part for name, value in launch.env.items() for part in ("--env", f"{name}={value}")]
    command = ["codex", "mcp", "add", "atlas", *env, "--", *launch.command]
    note = "it hands on no keys; the configuration file can" if launch.keys else ""
    return Configuration(
        title="Codex, by command", where="run it in a terminal", text=_shell(command), note=note
    )


def _vscode(launch: Launch) -> Configuration:
    entry = {"type": "stdio", **_entry(launch), "env": dict(launch.env)}
    return Configuration(
        title="VS Code", where=".vscode/mcp.json", text=_json({"servers": {"atlas": entry}})
    )


def _entry(launch: Launch) -> dict[str, object]:
    command, *args = launch.command
    return {"command": command, "args": args}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _toml(text: str) -> str:
    # A JSON string is a basic string of TOML, but for one character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shell(command: Sequence[str]) -> str:
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(command) + "\n"
    return shlex.join(command) + "\n"
