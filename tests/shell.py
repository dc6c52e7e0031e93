"""The command line as a user runs it: real files, and a process wherever one shows more."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from atlas_mcp.cli.main import main

WAIT = 60.0
"""No command in a test runs longer than this, in seconds."""

ROSTER = """
[solvers.known]
api = "scripted"
answers = ["42", "41", "42"]
"""

ATLAS = [sys.executable, "-m", "atlas_mcp"]


Done = subprocess.CompletedProcess[str]


class Shell:
    """Runs atlas-mcp with its own store and settings, each command in a process of its own."""

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
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> Done:
        return self.process(*arguments, env=env, stdin=stdin)

    def process(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> Done:
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
        self, line: str, *arguments: str | bytes, env: Mapping[str, str] | None = None
    ) -> Done:
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


class QuickShell(Shell):
    """Runs them in this process, which spares what a new one takes to import.

    For all that does not lie at the border of a process: its streams, signals and kills. What
    a spawned server says on standard error is not in `stderr`, and our own bugs are raised.
    """

    def __call__(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> Done:
        return called(arguments, {**self.env, **(env or {})}, stdin)


def called(arguments: Sequence[str], env: Mapping[str, str], stdin: str = "") -> Done:
    """What a command does with just these variables, run in this process."""
    given, out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(3))
    given.write(stdin)
    given.seek(0)
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "stdin", given),
        redirect_stdout(out),
        redirect_stderr(err),
        _at_most(WAIT),
    ):
        status = main(arguments)
    return Done(list(arguments), status, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer. Only for the main thread."""

    def late(*_: object) -> None:
        raise AssertionError(f"the command took longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def told(done: Done) -> str:
    """The one line that a failed command said."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("atlas-mcp: ")
    return line


def first_evidence(folder: Path) -> Path:
    """The transcript of a run as soon as it has something in it."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        for path in folder.glob("*.json"):
            if json.loads(path.read_text("utf-8"))["evidence"]:
                return path
        time.sleep(0.02)
    raise AssertionError("nothing was found")
