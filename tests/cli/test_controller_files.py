"""A controller file on the command line: asked live, gone on with, and refused with a reason."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from discovering import THRIFTY
from shell import ATLAS, WAIT, Shell, first_evidence, told

from solvers.recording import read_pool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")

PROBLEM = "What is 6 × 7?"
PROMPT, WRITTEN = 10, 5
"""Tokens of each call of a scripted solver."""


@pytest.fixture
def thrifty(shell: Shell) -> Path:
    shell.roster('[solvers.known]\napi = "scripted"\nanswers = ["42", "41", "42.0"]\n')
    path = shell.folder / "thrifty.py"
    path.write_text(THRIFTY, "utf-8")
    return path


def ask(shell: Shell, by: str, *options: str) -> Any:
    number = ("--answer-kind", "number", "--in-process")
    return shell.json("ask", PROBLEM, "--orchestrator", by, *number, *options)


def test_live_it_sees_the_tokens_that_it_sees_on_the_evidence_that_was_exported(
    shell: Shell, thrifty: Path
) -> None:
    ask(shell, "vote:9")
    gold = shell.folder / "gold.jsonl"
    gold.write_text(json.dumps({"question": PROBLEM, "gold": "42"}), "utf-8")
    pool = str(shell.folder / "pool")
    shell.json("evidence", "export", pool, "--gold", str(gold))
    assert {one.output_tokens for one in read_pool(Path(pool)).recordings} == {WRITTEN}
    evaluate = ("replay", "evaluate", "--pool", pool, "--jobs", "1", "--seeds", "2")
    (replayed,) = shell.json(*evaluate, "--controller", f"{thrifty}:0.1")["scores"]
    live = ask(shell, f"controller:{thrifty}:0.1", "--scope", "live")
    assert (live["answer"], live["orchestrator"]) == ("42", "controller:thrifty:0.1")
    assert len(live["evidence"]) == replayed["calls"] == 4
    assert {one["tokens"] for one in live["evidence"]} == {PROMPT + WRITTEN}
    assert replayed["tokens"]["value"] == 4 * WRITTEN


def test_a_killed_run_goes_on_with_the_same_file_from_anywhere(
    shell: Shell, thrifty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shell.roster('[solvers.slow]\napi = "scripted"\nanswers = ["1", "2", "1"]\nseconds = 0.3\n')
    command = [*ATLAS, "ask", "P", "--orchestrator", f"controller:{thrifty.name}:0.1"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=shell.env, cwd=shell.folder, **silent) as process:  # type: ignore[call-overload]
        transcript = first_evidence(shell.folder / "transcripts")
        process.send_signal(signal.SIGKILL)
    kept = json.loads(transcript.read_text("utf-8"))["made_by"]["orchestrator"]
    assert kept.startswith(f"controller:{thrifty}:0.1@")

    thrifty.write_text(THRIFTY.replace("200", "100"), "utf-8")
    done = shell("ask", "--resume", str(transcript))
    assert done.returncode == 2
    assert f"{thrifty} has changed since it was chosen" in told(done)
    assert "Restore it to go on, or start anew" in told(done)

    thrifty.write_text(THRIFTY, "utf-8")
    found = shell.json("ask", "--resume", str(transcript))
    assert (found["answer"], found["forced"], len(found["evidence"])) == ("1", False, 4)
    stored = shell.json("evidence", "show", found["problem_id"])["evidence"]
    assert sum(one["status"] == "ok" for one in stored) == 4


@pytest.mark.parametrize(
    ("written", "source", "said"),
    [
        ("none.py", None, "none.py cannot be read"),
        ("thrifty.py:2", THRIFTY, "the dial is a number from 0 to 1"),
        ("thrifty.py", "x = 1", "thrifty.py: the source defines no class Controller"),
        ("thrifty.py", f"import socket\n{THRIFTY}", "line 1: import of socket is not allowed"),
        ("thrifty.py@beef", THRIFTY, "not beef. Restore it"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(
    shell: Shell, thrifty: Path, written: str, source: str | None, said: str
) -> None:
    if source is not None:
        thrifty.write_text(source, "utf-8")
    done = shell("ask", PROBLEM, "--orchestrator", f"controller:{shell.folder / written}")
    assert done.returncode == 2
    assert said in told(done)
    assert not (shell.folder / "evidence.db").exists()


UNFENCED = """
import ctypes, os, sys

seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(seccomp.seccomp_init(0x7FFF0000))
number = seccomp.seccomp_syscall_resolve_name(b"landlock_create_ruleset")
assert not seccomp.seccomp_rule_add(rules, 0x00050000 | 38, number, 0)
assert not seccomp.seccomp_load(rules)
os.environ["PATH"] = "/nowhere"
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a program on a machine as it were that has neither Landlock nor bubblewrap."""


def test_where_no_fence_holds_nothing_is_run_and_nothing_is_paid(
    shell: Shell, thrifty: Path
) -> None:
    command = ["ask", PROBLEM, "--orchestrator", f"controller:{thrifty}", "--in-process"]
    done = subprocess.run(
        [sys.executable, "-c", UNFENCED, *ATLAS, *command],
        env=shell.env,
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert done.returncode == 1
    assert "programs that nobody vouches for are not run here" in told(done)
    assert shell.json("evidence", "list") == []
