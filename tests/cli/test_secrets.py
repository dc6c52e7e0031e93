"""A key that a provider throws back is nowhere to be found afterwards."""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from pathlib import Path

from programs import atlas, environment, free_port, serving
from providing import beside
from shell import called

from solvers.fake import Asked, Reply, fake_provider, structured
from solvers.fake.faults import Fault

KEYS = {
    "ANTHROPIC_API_KEY": "planted-in-anthropic-3f9a7c",
    "OPENAI_API_KEY": "planted-in-openai-8b2e61",
    "TEAM_TOKEN": "planted-in-team-55d0aa",
}


def leaks(asked: Asked) -> Reply | Fault:
    """Says every key wherever a model or a provider can say something."""
    keys = " ".join([*KEYS.values(), *(f"Bearer {key}" for key in KEYS.values())])
    if asked.model.startswith("fails"):
        return Fault(name="leak", status=400, message=f"{keys} is not valid", code=keys)
    text = structured(f"the answer is {keys}", reasoning=keys)
    return Reply(text=text.replace('"direct"', json.dumps(keys)), thought=keys)


def roster(url: str) -> str:
    entries = {
        "claude": ("anthropic", "m", url, "ANTHROPIC_API_KEY"),
        "gpt": ("openai", "m", f"{url}/v1", "OPENAI_API_KEY"),
        "local": ("chat", "m", f"{url}/v1", "TEAM_TOKEN"),
        "claude-failing": ("anthropic", "fails", url, "ANTHROPIC_API_KEY"),
        "gpt-failing": ("openai", "fails", f"{url}/v1", "OPENAI_API_KEY"),
        "local-failing": ("chat", "fails", f"{url}/v1", "TEAM_TOKEN"),
    }
    keys = ("api", "model", "base_url", "key_env")
    return "".join(
        f"[solvers.{name}]\n"
        + "".join(f'{key} = "{value}"\n' for key, value in zip(keys, entry, strict=True))
        for name, entry in entries.items()
    )


def files_below(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and one.name != "roster.toml"]


def test_planted_keys_surface_nowhere(tmp_path: Path) -> None:
    said = ""
    with ExitStack() as stack:
        provider = stack.enter_context(beside(fake_provider(leaks)))
        (tmp_path / "roster.toml").write_text(roster(provider.url))
        env = environment(
            tmp_path,
            ATLAS_STORE=str(tmp_path / "evidence.db"),
            ATLAS_ROSTER=str(tmp_path / "roster.toml"),
            ATLAS_LOG_LEVEL="DEBUG",
            **KEYS,
        )
        port = free_port()
        command = atlas("serve", "--http", f"127.0.0.1:{port}")
        server = serving(command, port, env=env, log=tmp_path / "server.log")
        url = stack.enter_context(beside(server))

        def tell(*arguments: str) -> str:
            done = called(arguments, env)
            assert done.returncode in (0, 3), done.stderr
            return done.stdout + done.stderr

        for solver in ("claude", "gpt", "local", "claude-failing", "gpt-failing", "local-failing"):
            for orchestrator in ("greedy", f"model:{solver}"):
                asking = ("ask", f"P for {solver}", "--orchestrator", orchestrator)
                said += tell(*asking, "--server", url, "--solver", solver, "--max-calls", "1")
    for row in json.loads(tell("evidence", "list", "--json")):
        said += tell("evidence", "show", row["id"])
    said += tell("evidence", "export", str(tmp_path / "pool"))
    files = files_below(tmp_path)
    assert {"evidence.db", "responses.jsonl.gz", "server.log"} < {one.name for one in files}
    assert any(one.parent.name == "transcripts" for one in files)
    assert "DEBUG" in (tmp_path / "server.log").read_text("utf-8")
    assert "[redacted]" in said
    for key in KEYS.values():
        assert key not in said
        for file in files:
            data = file.read_bytes()
            assert key.encode() not in (gzip.decompress(data) if file.suffix == ".gz" else data)
