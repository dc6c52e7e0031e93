"""The command line as a user runs it: real processes, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

WAIT = 60.0
"""No command in a test runs longer than this, in seconds."""

ROSTER = """
[solvers.known]
api = "scripted"
answers = ["42", "41", "42"]
"""

ATLAS = [sys.executable, "-m", "atlas_mcp"]


class Shell:
    """Runs atlas-mcp with its own store and settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roster(ROSTER)
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ATLAS_")},
            "ATLAS_STORE": str(folder / "evidence.db"),
            "ATLAS_ROSTER": str(folder / "roster.toml"),
            "ATLAS_MODELS_FOLDER": str(folder / "models"),
        }

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ATLAS, *arguments],
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def script(
        self, line: str, *arguments: str | bytes, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of sh in which "$@" is atlas-mcp with these arguments."""
        return subprocess.run(
            ["sh", "-c", line, "sh", *ATLAS, *arguments],
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WAIT,
        )

    def roster(self, text: str) -> None:
        (self.folder / "roster.toml").write_text(text, "utf-8")


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed command said."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("atlas-mcp: ")
    return line
