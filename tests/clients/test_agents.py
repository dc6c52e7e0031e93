"""Real command-line agents as solvers, without an account: a fake provider plays the model."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from programs import LIMIT, TOOLS, node_tool

from solvers.agents import presets
from solvers.command import build
from solvers.errors import FixSetupError
from solvers.fake import Asked, Provider, Reply, fake_provider, structured
from solvers.model import ToolCall
from solvers.prompted import PromptedSolver
from solvers.registry import SolverSpec
from solvers.types import Attachment, Meter, Shared, SolveRequest

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REQUEST = SolveRequest(problem="P", system="Be brief.", prompt="What is 6 × 7?", effort="high")
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TAINT = "Words that no solver may see."


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose agents have memories, hooks and a server that tells when it is started."""
    started = {"command": "/bin/sh", "args": ["-c", f"touch {tmp_path}/started; cat"]}
    hook = {"hooks": [{"type": "command", "command": f"touch {tmp_path}/started; echo {TAINT}"}]}
    files: dict[str, Any] = {
        ".claude/CLAUDE.md": TAINT,
        ".claude/settings.json": {"hooks": {"SessionStart": [hook]}},
        ".claude.json": {"mcpServers": {"atlas": started}},
        ".codex/config.toml": f"[mcp_servers.atlas]\ncommand = '{started['command']}'\n"
        f"args = {json.dumps(started['args'])}\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]]))
    return tmp_path


def claude(provider: Provider | None) -> PromptedSolver:
    if provider is None:
        return agent("claude")
    there = {"ANTHROPIC_BASE_URL": provider.url, "ANTHROPIC_API_KEY": "none"}
    return agent("claude", variables=there)


def codex(provider: Provider) -> PromptedSolver:
    here = f'{{name="fake", base_url="{provider.url}/v1", wire_api="responses", env_key="KEY"}}'
    args = ["-c", f"model_providers.fake={here}", "-c", "model_provider='fake'"]
    return agent("codex", args=args, variables={"KEY": "none"}, model="gpt-5.6")


def agent(name: str, *, model: str = "sonnet", **options: Any) -> PromptedSolver:
    command = [node_tool(name), *presets()[name]["command"][1:]]
    given = {"preset": name, "command": command, **options}
    return build(SolverSpec(name=name, api="command", model=model, options=given), Shared())


async def test_claude_code_solves_alone(home: Path) -> None:
    meter = Meter()
    with anyio.fail_after(LIMIT):
        async with fake_provider(structured("42")) as provider:
            result = await claude(provider).solve(REQUEST, meter)
    assert (result.status, result.answer) == ("ok", "42")
    assert result.model.startswith("claude-sonnet")
    [seen] = provider.journal.calls
    assert seen.body["tools"] == []
    assert seen.body["output_config"]["effort"] == "high"
    _check_alone(seen.body, home)
    assert seen.usage is not None
    assert meter.usage.total_tokens == seen.usage.total_tokens
    assert meter.usd


async def test_codex_solves_alone(home: Path) -> None:
    meter = Meter()
    with anyio.fail_after(LIMIT):
        async with fake_provider(structured("42")) as provider:
            result = await codex(provider).solve(REQUEST, meter)
    assert (result.status, result.answer, result.model) == ("ok", "42", "gpt-5.6")
    [seen] = provider.journal.calls
    assert seen.body["reasoning"]["effort"] == "high"
    names = {tool.get("name") for tool in seen.body["tools"]}
    assert names <= {"request_user_input", "view_image"}
    _check_alone(seen.body, home)
    assert seen.usage is not None
    assert meter.usage.total_tokens == seen.usage.total_tokens
    assert meter.usd is None


def _check_alone(body: Any, home: Path) -> None:
    """Nothing of the user's own settings reached the model, and no session was kept."""
    sent = json.dumps(body, ensure_ascii=False)
    assert "Be brief." in sent
    assert "What is 6 × 7?" in sent
    assert TAINT not in sent
    assert not (home / "started").exists()
    assert not list(home.glob(".claude/projects/**/*.jsonl"))
    assert not list(home.glob(".codex/sessions/**/*.jsonl"))


async def test_claude_code_without_a_login_names_the_cure(home: Path) -> None:
    with anyio.fail_after(LIMIT), pytest.raises(FixSetupError) as caught:
        await claude(None).solve(REQUEST, Meter())
    assert "log in with /login" in str(caught.value)


async def test_codex_without_a_login_is_told_before_it_runs(home: Path) -> None:
    login = [node_tool("codex"), "login", "status"]
    with pytest.raises(FixSetupError, match=r"codex is not logged in: .*run codex login"):
        agent("codex", login=login)


async def test_claude_code_reads_the_picture_of_a_problem(home: Path) -> None:
    picture = Attachment(media_type="image/png", data=base64.b64decode(PIXEL), name="p.png")
    sent: list[str] = []

    def look(asked: Asked) -> Reply | str:
        sent.append(json.dumps(asked.body))
        if len(sent) > 1:
            return structured("42")
        path = asked.problem.splitlines()[-1]
        call = ToolCall(id="toolu_1", name="Read", arguments={"file_path": path})
        return Reply(tool_calls=(call,))

    with anyio.fail_after(LIMIT):
        async with fake_provider(look) as provider:
            solving = claude(provider).solve(replace(REQUEST, attachments=(picture,)), Meter())
            assert (await solving).answer == "42"
    assert '"type": "image"' not in sent[0]
    assert '"type": "image"' in sent[1]
    assert not (home / "started").exists()
