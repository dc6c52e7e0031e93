"""What the README and the example files say is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from support import WAIT

from atlas_mcp.principles import INSTRUCTIONS
from atlas_mcp.settings import Settings, variables
from atlas_mcp.strategies import STRATEGIES
from solvers.roster import parse_roster

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def settings_table() -> str:
    """The table of settings as the README must have it."""
    rows = ["| variable | sets | default |", "|---|---|---|"]
    for name, meaning in variables().items():
        field = Settings.model_fields[name.removeprefix("ATLAS_").lower()]
        default = {
            "ATLAS_STORE": "`~/.local/share/atlas-mcp/evidence.db`",
            "ATLAS_MODELS_FOLDER": "`~/.cache/atlas-mcp/models`",
        }.get(name, "" if field.default is None else f"`{field.default}`")
        rows.append(f"| `{name}` | {meaning} | {default} |".replace("|  |", "| |"))
    return "\n".join(rows)


def test_the_table_of_settings_is_complete() -> None:
    shown = re.search(r"<!-- settings -->\n(.*)\n<!-- /settings -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == settings_table()


def test_every_strategy_tool_and_resource_is_named() -> None:
    for name in STRATEGIES:
        assert f"`{name}`" in README
    for name in ("explore", "collect", "conclude", "atlas://index", "atlas://solvers"):
        assert f"`{name}`" in README


def test_the_roster_in_the_readme_is_valid() -> None:
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    roster = parse_roster(tomllib.loads(block[1]), "README")
    assert set(roster.specs) == {"qwen", "local", "subscription", "recorded", "rehearsal"}


def test_the_python_in_the_readme_runs() -> None:
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    done = subprocess.run(
        [sys.executable, "-c", block[1]], capture_output=True, text=True, timeout=WAIT, check=True
    )
    assert done.stdout == "42 15\n"


def test_commands_in_the_readme_are_commands_that_there_are() -> None:
    shown = re.findall(r"(?:`|\.venv/bin/|&& )atlas-mcp ((?:evidence |models )?[a-z-]+)", README)
    assert {"demo", "serve", "ask", "evidence export", "models list"} <= set(shown)
    for words in sorted(set(shown)):
        done = subprocess.run(
            [sys.executable, "-m", "atlas_mcp", *words.split(), "--help"],
            capture_output=True,
            text=True,
            timeout=WAIT,
        )
        assert done.returncode == 0, words


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["claude_desktop_config.example.json", ".mcp.json"])
async def test_the_example_configurations_start_the_server(name: str, tmp_path: Path) -> None:
    (entry,) = json.loads((ROOT / name).read_text("utf-8"))["mcpServers"].values()
    assert entry["command"].endswith("/.venv/bin/atlas-mcp")
    here = Path(sys.executable).parent / "atlas-mcp"
    env = {**entry["env"], "ATLAS_STORE": str(tmp_path / "evidence.db")}
    spawned = StdioServerParameters(command=str(here), args=entry["args"], env=env)
    with anyio.fail_after(WAIT):
        async with Client(spawned) as client:
            assert client.instructions == INSTRUCTIONS
            assert len((await client.list_tools()).tools) == 3
