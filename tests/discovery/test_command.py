"""`atlas-mcp discover` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from discovering import GOLD, SHORTEST, written
from shell import ATLAS, WAIT, Shell, told

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")

FAST = ("--seeds", "2", "--jobs", "1")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    written(tmp_path / "pool")
    return Shell(tmp_path)


def discover(shell: Shell, *more: str) -> tuple[str, ...]:
    where = ("--pool", str(shell.folder / "pool"), "--out", str(shell.folder / "out"))
    return ("discover", *where, *FAST, *more)


def test_the_search_betters_what_it_sees_and_saves_what_others_select(shell: Shell) -> None:
    found = shell.json(*discover(shell, "--rounds", "3"))
    train, selection = (
        [one[part]["value"] for one in found["rounds"]] for part in ("train", "selection")
    )
    assert max(train[1:]) > train[0]
    assert selection[found["best"]] == max(selection)
    evaluate = ("replay", "evaluate", "--pool", str(shell.folder / "pool"), "--seeds", "3")
    file = f"{found['file']}:0.5"
    scores = [
        shell.json(
            *evaluate, "--jobs", "1", "--controller", "short:0.5", "--controller", file, *how
        )
        for how in ((), ("--trust",))
    ]
    assert scores[0] == scores[1]
    assert [one["controller"] for one in scores[0]["scores"]] == ["short-8-of-32", "best:0.5"]
    report = (shell.folder / "out" / "report.md").read_text("utf-8")
    assert f"Round {found['best']} won" in report
    assert GOLD not in report


def test_the_same_command_finds_the_same_and_pays_for_nothing_again(shell: Shell) -> None:
    first = shell.json(*discover(shell, "--rounds", "1"))
    kept = {one: one.stat().st_mtime_ns for one in (shell.folder / "out").rglob("trial.json")}
    assert shell.json(*discover(shell, "--rounds", "1")) == first
    assert kept == {one: one.stat().st_mtime_ns for one in kept}


def replies(shell: Shell, *texts: str) -> None:
    said = json.dumps([f"Why not.\n```python\n{one}\n```" for one in texts])
    shell.roster(f'[solvers.m]\napi = "scripted"\nanswers = ["42"]\nreplies = {said}\n')


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Until a program says so on standard error."""
    assert process.stderr is not None
    late = threading.Timer(WAIT, process.kill)
    late.start()
    try:
        assert any(line.startswith(words) for line in process.stderr), "it ended without a word"
    finally:
        late.cancel()


def test_a_killed_run_goes_on_with_the_round_where_it_was(shell: Shell) -> None:
    replies(shell, SHORTEST, SHORTEST + "\nwhile True: pass\n")
    command = discover(shell, "--proposer", "model:m", "--rounds", "2", "--seconds", "50")
    paid = shell.folder / "out" / "rounds" / "002" / "attempts.json"
    with subprocess.Popen(
        [*ATLAS, *command], env=shell.env, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(process, "round 2: playing")
        process.kill()
    attempts = paid.read_text("utf-8")
    done = shell.json(*command[:-1], "1")
    assert [one["round"] for one in done["rounds"]] == [0, 1, 2]
    assert done["rounds"][2]["refused"] == "dial 0: it gave no decision within 1 seconds"
    assert paid.read_text("utf-8") == attempts


def test_ctrl_c_ends_a_run_in_one_line(shell: Shell) -> None:
    replies(shell, SHORTEST + "\nwhile True: pass\n")
    command = discover(shell, "--proposer", "model:m", "--seconds", "50")
    with subprocess.Popen(
        [*ATLAS, *command], env=shell.env, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(process, "round 1: playing")
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "atlas-mcp: interrupted; what was found is kept"
    assert "Traceback" not in err


def test_a_cap_ends_the_rounds_and_keeps_what_there_is(shell: Shell) -> None:
    replies(shell, SHORTEST)
    done = shell.json(*discover(shell, "--proposer", "model:m", "--max-tokens", "250"))
    assert [one["round"] for one in done["rounds"]] == [0, 1, 2]
    assert "raise the cap" in done["stopped"]
    assert done["spent"] == {"tokens": 220, "usd": 0.0}


def test_ablations_stand_in_the_report_of_the_run(shell: Shell) -> None:
    for without in ([], ["--without", "dial"], []):
        done = shell(*discover(shell, "--rounds", "1", *without))
        assert done.returncode == 0, done.stderr
    report = (shell.folder / "out" / "report.md").read_text("utf-8")
    assert "| dial | " in report
    assert "| traces | " not in report


def test_a_file_that_was_changed_is_not_taken_for_what_was_scored(shell: Shell) -> None:
    shell.json(*discover(shell, "--rounds", "0"))
    file = shell.folder / "out" / "best.py"
    evaluate = ("replay", "evaluate", "--pool", str(shell.folder / "pool"), "--seeds", "2")
    file.write_text(file.read_text("utf-8").replace("ENOUGH = 2", "ENOUGH = 3"), "utf-8")
    done = shell(*evaluate, "--jobs", "1", "--controller", str(file))
    assert done.returncode == 2
    assert "was changed after it had been saved" in told(done)
    bare = shell.folder / "bare.py"
    bare.write_text(SHORTEST, "utf-8")
    scores: Any = shell.json(*evaluate, "--jobs", "1", "--controller", f"{bare}:0")
    assert [one["controller"] for one in scores["scores"]] == ["bare:0"]


@pytest.mark.parametrize("how", [(), ("--trust",)])
def test_two_files_of_one_name_are_told_apart(shell: Shell, how: tuple[str, ...]) -> None:
    first, second = shell.folder / "1" / "best.py", shell.folder / "2" / "best.py"
    for file in (first, second):
        file.parent.mkdir()
        file.write_text(SHORTEST, "utf-8")
    named = [part for file in (first, second) for part in ("--controller", f"{file}:0")]
    pool = ("--pool", str(shell.folder / "pool"), "--seeds", "2", "--jobs", "1")
    scores: Any = shell.json("replay", "evaluate", *pool, *named, *how)
    assert [one["controller"] for one in scores["scores"]] == ["best:0", f"{second}:0"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--proposer", "magic"), "unknown proposer 'magic'"),
        (("--proposer", "model:nobody"), "no solver 'nobody' in the roster"),
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--at-tokens", "0"), "--at-tokens must be above 0"),
        (("--search-share", "0.01"), "at least two questions"),
        (("--arm", "other"), "no arm 'other'"),
    ],
)
def test_wrong_use_is_told_in_one_line(shell: Shell, options: list[str], fault: str) -> None:
    done = shell(*discover(shell, *options))
    assert done.returncode == 2
    assert fault in told(done)
    assert not (shell.folder / "out").exists()


def test_an_embedded_model_is_not_asked_for_what_it_cannot_write(shell: Shell) -> None:
    shell.roster('[solvers.small]\napi = "embedded"\n')
    done = shell(*discover(shell, "--proposer", "model:small"))
    assert done.returncode == 2
    assert "small is an embedded model, whose replies are too short" in told(done)
    assert not (shell.folder / "out").exists()
