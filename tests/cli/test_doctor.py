"""`atlas-mcp doctor` as a user runs it, and every configuration that it prints, tried out."""

from __future__ import annotations

import json
import shlex
import sqlite3
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from programs import environment, node_tool, run, scripted_atlas
from providing import beside
from shell import Done, called
from support import WAIT

from atlas_mcp.cli.clients import NAMES, Launch, configurations
from solvers.fake import Model, fake_provider, nobody

KEY = "sk-ant-" + "x" * 40


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment of its own, with a store and scripted solvers."""
    return environment(tmp_path, **scripted_atlas(tmp_path))


def doctor(env: Mapping[str, str], *arguments: str) -> Done:
    return called(("doctor", *arguments), env)


def findings(env: Mapping[str, str], *arguments: str) -> dict[str, dict[str, Any]]:
    """What was found, by name."""
    sections = json.loads(doctor(env, "--json", *arguments).stdout)["findings"].values()
    return {one["name"]: one for found in sections for one in found}


def roster(env: dict[str, str], text: str) -> None:
    Path(env["ATLAS_ROSTER"]).write_text(text, encoding="utf-8")


# --- what is configured and missing


def test_all_is_well_where_a_solver_is_ready(env: dict[str, str]) -> None:
    done = doctor(env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 solvers are ready; default: first" in done.stdout
    assert "✓ store" in done.stdout
    assert "✗" not in done.stdout
    assert done.stderr == ""


def test_every_cross_has_a_cure_and_without_a_solver_it_fails(env: dict[str, str]) -> None:
    del env["ATLAS_ROSTER"]
    done = doctor(env, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["ready"] == 0
    bad = [one for one in told["findings"]["Solvers"] if one["mark"] == "bad"]
    assert {one["name"] for one in bad} >= {"qwen", "qwen-small"}
    assert all("atlas-mcp models pull" in one["cure"] for one in bad)


def test_the_doctor_makes_no_store_and_tells_of_the_one_that_is_there(
    env: dict[str, str],
) -> None:
    found = findings(env)
    assert found["store"]["mark"] == "ok"
    assert "is made at first use" in found["store"]["text"]
    assert not Path(env["ATLAS_STORE"]).exists()
    asked = called(("ask", "P", "--in-process", "--orchestrator", "greedy"), env)
    assert asked.returncode == 0, asked.stderr
    assert "1 problems" in findings(env)["store"]["text"]


def _newer(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_text("no database at all " * 100), "ATLAS_STORE"),
        (_newer, "upgrade atlas-mcp"),
        (lambda path: path.mkdir(), "ATLAS_STORE"),
    ],
    ids=["junk", "newer", "folder"],
)
def test_a_store_that_cannot_be_used_names_the_cure(
    env: dict[str, str], spoil: Callable[[Path], object], said: str
) -> None:
    spoil(Path(env["ATLAS_STORE"]))
    store = findings(env)["store"]
    assert store["mark"] == "bad"
    assert said in store["cure"]


def test_settings_and_a_roster_that_are_wrong_are_findings_and_no_end(
    env: dict[str, str],
) -> None:
    done = doctor({**env, "ATLAS_STOER": "x"}, "--json")
    assert done.returncode == 1
    data = json.loads(done.stdout)["findings"]["Data"]
    assert "did you mean ATLAS_STORE?" in data[0]["cure"]
    roster(env, "solvers = 1")
    done = doctor(env, "--json")
    assert done.returncode == 1
    assert "is not valid" in json.loads(done.stdout)["findings"]["Data"][0]["cure"]


def test_keys_are_told_by_name_and_never_by_value(env: dict[str, str]) -> None:
    with_key = {**env, "ANTHROPIC_API_KEY": KEY, "HTTPS_PROXY": "http://me:word@proxy:1"}
    for arguments in ((), ("--json",), *(("--client", name) for name in NAMES)):
        done = doctor(with_key, *arguments)
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout
        assert "word" not in done.stdout
    found = findings(with_key)
    assert found["ANTHROPIC_API_KEY"]["text"] == "is set"
    assert found["HTTPS_PROXY"]["text"].startswith("http://proxy:1 ")


def test_what_is_known_of_a_providers_model_is_told(env: dict[str, str]) -> None:
    roster(
        env,
        """
        [solvers.keyless]
        api = "anthropic"
        model = "claude-sonnet-5-5"
        key_env = "MY_KEY"
        [solvers.priceless]
        api = "chat"
        model = "nobody-knows"
        base_url = "http://127.0.0.1:9/v1"
        [solvers.agent]
        api = "command"
        command = ["/no/such/agent"]
        """,
    )
    found = findings(env)
    assert "set the environment variable MY_KEY" in found["keyless"]["cure"]
    assert found["priceless"]["mark"] == "note"
    assert "price unknown" in found["priceless"]["text"]
    assert "give its price in the roster" in found["priceless"]["cure"]
    assert "is not on the PATH" in found["agent"]["cure"]


# --- providers that are asked


ONLINE = """
[solvers.known]
api = "anthropic"
model = "there"
key_env = "KEY"
base_url = "{url}"
[solvers.unknown]
api = "anthropic"
model = "gone"
key_env = "KEY"
base_url = "{url}"
"""


def test_a_provider_is_asked_which_models_of_the_roster_it_has(env: dict[str, str]) -> None:
    with beside(fake_provider(models={"there": Model()})) as provider:
        roster(env, ONLINE.format(url=provider.url))
        done = doctor({**env, "KEY": KEY}, "--online", "--json")
    assert done.returncode == 0
    one, other = json.loads(done.stdout)["findings"]["Providers"]
    assert one["text"] == "answers, the key is accepted; it lists known"
    assert (other["text"], other["mark"]) == ("does not list gone", "bad")
    assert not provider.journal.calls


def test_a_provider_that_nobody_reaches_is_told(env: dict[str, str]) -> None:
    roster(env, ONLINE.format(url=nobody()))
    done = doctor({**env, "KEY": KEY}, "--online", "--json")
    [one] = json.loads(done.stdout)["findings"]["Providers"]
    assert (one["mark"], one["text"]) == ("bad", "does not answer")
    assert one["cure"]


# --- what clients are told


def _started(name: str, text: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment that a client takes from its configuration."""
    if name in ("claude-code", "codex-cli"):
        words = shlex.split(text)
        flag = "-e" if name == "claude-code" else "--env"
        pairs = [words[n + 1] for n, word in enumerate(words) if word == flag]
        return words[words.index("--") + 1 :], dict(pair.split("=", 1) for pair in pairs)
    if name == "codex":
        entry = tomllib.loads(text)["mcp_servers"]["atlas"]
    else:
        entry = json.loads(text)["servers" if name == "vscode" else "mcpServers"]["atlas"]
    return [entry["command"], *entry["args"]], entry["env"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_every_configuration_starts_the_server_as_it_is_here(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    done = doctor({**env, "ANTHROPIC_API_KEY": KEY}, "--client", name)
    (command, *arguments), given = _started(name, done.stdout)
    # Claude Desktop starts servers without the variables of a shell, in any folder.
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **given}
    spawned = StdioServerParameters(command=command, args=arguments, env=bare, cwd="/")
    with anyio.fail_after(WAIT):
        async with Client(spawned) as client:
            result = await client.call_tool("explore", {"problem": "6 × 7?"})
    assert result.structured_content is not None
    assert result.structured_content["evidence"][0]["answer"] == "42"
    assert await anyio.Path(env["ATLAS_STORE"]).exists()


def test_odd_values_survive_every_form(tmp_path: Path) -> None:
    odd = {"ATLAS_STORE": '/a b/"c"/\\d/é😀\'$HOME`x`\x7f.db'}
    launch = Launch(command=["/my programs/atlas-mcp", "serve"], env=odd)
    for name, client in configurations(launch, tmp_path, "linux").items():
        assert _started(name, client.text) == (["/my programs/atlas-mcp", "serve"], odd)


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("darwin", "Library/Application Support/Claude"),
        ("win32", "AppData/Roaming/Claude"),
        ("linux", ".config/Claude"),
    ],
)
def test_claude_desktops_file_is_where_each_system_has_it(platform: str, folder: str) -> None:
    client = configurations(Launch(command=["x"]), Path("/home"), platform)["claude-desktop"]
    assert client.where == str(Path("/home") / folder / "claude_desktop_config.json")


def test_agents_that_solve_are_found_by_claude_desktop_too(env: dict[str, str]) -> None:
    roster(env, '[solvers.agent]\napi = "command"\npreset = "claude"\n')
    done = doctor(env, "--client", "claude-desktop")
    assert json.loads(done.stdout)["mcpServers"]["atlas"]["env"]["PATH"] == env["PATH"]


@pytest.mark.anyio
@pytest.mark.slow
async def test_claude_code_takes_its_configuration(env: dict[str, str], tmp_path: Path) -> None:
    claude = node_tool("claude")
    printed = shlex.split(doctor(env, "--client", "claude-code").stdout)
    added = await run([claude, *printed[1:]], env=environment(tmp_path), cwd=tmp_path)
    assert added.status == 0, added.out + added.err
    listed = await run([claude, "mcp", "list"], env=environment(tmp_path), cwd=tmp_path)
    [line] = [line for line in listed.out.splitlines() if line.startswith("atlas:")]
    assert line.endswith("Connected")


@pytest.mark.anyio
@pytest.mark.slow
async def test_codex_takes_both_of_its_configurations(env: dict[str, str], tmp_path: Path) -> None:
    codex = node_tool("codex")
    home = environment(tmp_path)
    printed = shlex.split(doctor(env, "--client", "codex-cli").stdout)
    added = await run([codex, *printed[1:]], env=home, cwd=tmp_path)
    assert added.status == 0, added.out + added.err
    [by_command] = (await run([codex, "mcp", "list", "--json"], env=home)).json()
    file = doctor({**env, "OPENAI_API_KEY": KEY}, "--client", "codex")
    await anyio.Path(tmp_path / ".codex" / "config.toml").write_text(file.stdout)
    [by_file] = (await run([codex, "mcp", "list", "--json"], env=home)).json()
    for entry in (by_command["transport"], by_file["transport"]):
        assert [entry["command"], *entry["args"]] == printed[printed.index("--") + 1 :]
        assert entry["env"]["ATLAS_STORE"] == env["ATLAS_STORE"]
    assert by_file["transport"]["env_vars"] == ["OPENAI_API_KEY"]
    assert by_file["tool_timeout_sec"] == 300
