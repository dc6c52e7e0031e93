"""The closed loop as a user walks it: ask, export, evaluate, and ask with what was found best."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from shutil import copy2
from typing import Any

import pytest
from shell import ATLAS, QuickShell, Shell, first_evidence, told

from atlas_mcp.discovery.loading import is_file
from atlas_mcp.replay.controllers.registry import controller
from solvers.recording import read_pool

EXAMPLE = Path(__file__).parents[2] / "docs" / "closing-the-loop.md"
ROSTER = '[solvers.known]\napi = "scripted"\nanswers = ["42", "41", "42.0"]\n'
GOLD = {"What is 6 × 7?": "42", "What is 40 + 1?": "41", "What is 9 × 5?": "45"}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three problems in its store and nine draws each: 42, 41, 42.0, 42, 41, …"""
    shell = QuickShell(tmp_path_factory.mktemp("evidence"))
    shell.roster(ROSTER)
    for problem in GOLD:
        _ask(shell, problem, "vote:9")
    return shell.folder


@pytest.fixture
def asked(shell: Shell, evidence: Path) -> Shell:
    """A shell whose store has that evidence."""
    shell.roster(ROSTER)
    for file in evidence.glob("evidence.db*"):
        copy2(file, shell.folder)
    return shell


def _ask(shell: Shell, problem: str, by: str, *options: str) -> Any:
    number = ("--answer-kind", "number", "--in-process")
    return shell.json("ask", problem, "--orchestrator", by, *number, *options)


@pytest.fixture
def gold(shell: Shell) -> Path:
    rows = [{"question": one, "gold": right, "level": 1} for one, right in GOLD.items()]
    path = shell.folder / "gold.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return path


def scores(shell: Shell, *controllers: str) -> dict[str, dict[str, float]]:
    options = [part for one in controllers for part in ("--controller", one)]
    pool = ("--pool", str(shell.folder / "pool"), "--seeds", "1", "--jobs", "1")
    found = shell.json("replay", "evaluate", *pool, *options)["scores"]
    return {one["controller"]: {**one, "right": one["accuracy"]["value"]} for one in found}


def test_evidence_is_exported_evaluated_and_the_better_controller_asked_live(
    asked: Shell, gold: Path
) -> None:
    pool = asked.folder / "pool"
    written = asked.json("evidence", "export", str(pool), "--gold", str(gold))
    assert written == {
        "folder": str(pool), "questions": 3, "graded": 3, "responses": 27, "left_out": 0,
    }  # fmt: skip
    named = ("self-consistency@9", "first-4-of-9")
    found = scores(asked, *named)
    for one in found.values():  # 42 wins on each question, and is right on one of them
        assert one["right"] == pytest.approx(1 / 3)
        assert one["tokens"]["value"] == pytest.approx(5 * one["calls"])  # type: ignore[index]
    assert found["self-consistency@9"]["calls"] == 9 > found[named[1]]["calls"]
    live = _ask(asked, "Another?", f"controller:{named[1]}")
    assert (live["orchestrator"], live["answer"]) == (f"controller:{named[1]}", "42")
    assert len(live["evidence"]) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")
def test_what_was_discovered_on_evidence_decides_live(asked: Shell, gold: Path) -> None:
    pool, out = str(asked.folder / "pool"), str(asked.folder / "out")
    asked.json("evidence", "export", pool, "--gold", str(gold))
    fast = ("--rounds", "1", "--seeds", "2", "--jobs", "1")
    file = asked.json("discover", "--pool", pool, "--out", out, *fast)["file"]
    (replayed,) = scores(asked, f"{file}:0.25").values()
    live = _ask(asked, "Another?", f"controller:{file}:0.25")
    assert (live["orchestrator"], live["answer"]) == ("controller:best:0.25", "42")
    assert live["forced"] is False
    assert 1 <= len(live["evidence"]) <= 64
    assert replayed["calls"] <= len(live["evidence"])  # live there are more to be had


def test_draws_are_exported_in_order_and_those_of_other_scopes_follow(asked: Shell) -> None:
    _ask(asked, "What is 6 × 7?", "vote:2", "--scope", "again")
    pool = asked.folder / "pool"
    assert asked.json("evidence", "export", str(pool))["questions"] == 3
    rows = read_pool(pool).recordings
    (first,) = (one for one in read_pool(pool).questions if one.question == "What is 6 × 7?")
    mine = [one for one in rows if one.question_id == first.question_id]
    by_place = sorted(mine, key=lambda one: one.sample_idx)
    assert [one.sample_idx for one in by_place] == list(range(11))
    whole = ["42", "41", "42.0"] * 3
    assert [one.answer for one in by_place] in ([*whole, "42", "41"], ["42", "41", *whole])
    assert all(one.output_tokens == 5 and one.seconds is not None for one in mine)
    assert all(one.cost_usd is not None for one in mine)


def test_labels_grade_draws_and_what_nobody_graded_is_left_out(
    asked: Shell, evidence: Path
) -> None:
    runs = [json.loads(one.read_text("utf-8")) for one in (evidence / "transcripts").iterdir()]
    by_problem = {one["problem"]: one["evidence"] for one in runs}
    shown = [by_problem[problem] for problem in GOLD]
    asked.json("evidence", "label", shown[0][0]["id"], "right")  # 42, and so 42.0
    asked.json("evidence", "label", shown[1][0]["id"], "wrong")  # says nothing of 41
    pool = asked.folder / "pool"
    assert asked.json("evidence", "export", str(pool))["graded"] == 2
    found = scores(asked, "self-consistency@9")["self-consistency@9"]
    assert (found["questions"], found["right"]) == (1, 1.0)
    asked.json("evidence", "label", shown[1][1]["id"], "wrong")  # all its answers are wrong now
    asked.json("evidence", "export", str(pool))
    found = scores(asked, "self-consistency@9")["self-consistency@9"]
    assert (found["questions"], found["right"]) == (2, 0.5)


def test_a_suite_has_the_right_answers_of_its_questions(shell: Shell) -> None:
    from atlas_mcp.host.demo import questions

    (one,) = questions(1)
    _ask(shell, one.text, "vote:2")
    pool = shell.folder / "pool"
    assert shell.json("evidence", "export", str(pool), "--gold", "gsm8k-sample")["graded"] == 1
    assert [one.gold for one in read_pool(pool).questions] == [one.gold]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "gold.jsonl cannot be read"),
        ('{"question": "Q", "gold": "1"}\n{"question": "Q"}', "line 2: write"),
        ('{"question": "Another?", "gold": 7}', "the answer to none of these problems"),
    ],
)
def test_right_answers_that_cannot_be_used_are_told_in_one_line(
    asked: Shell, text: str | None, said: str
) -> None:
    file = asked.folder / "gold.jsonl"
    if text is not None:
        file.write_text(text, "utf-8")
    done = asked("evidence", "export", str(asked.folder / "pool"), "--gold", str(file))
    assert done.returncode == 2
    assert said in told(done)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--orchestrator", "controller:none"), "unknown controller 'none'; known: adaptive"),
        (("--orchestrator", "controller:momentum:2"), "the dial is a number from 0 to 1"),
        (("--orchestrator", "vote:3", "--arm", "known"), "--arm is for a controller"),
        (("--orchestrator", "controller:momentum", "--arm", "a", "--arm", "a"), "each once"),
    ],
)
def test_a_controller_that_cannot_be_asked_is_told_in_one_line(
    shell: Shell, options: tuple[str, ...], said: str
) -> None:
    done = shell("ask", "What is 6 × 7?", *options)
    assert done.returncode == 2
    assert said in told(done)


def test_a_killed_controller_goes_on_and_pays_for_nothing_twice(shell: Shell) -> None:
    shell.roster('[solvers.slow]\napi = "scripted"\nanswers = ["1", "2", "3"]\nseconds = 0.3\n')
    command = [*ATLAS, "ask", "P", "--orchestrator", "controller:first-2-of-4", "--arm", "slow"]
    with subprocess.Popen(command, env=shell.env, stdout=subprocess.DEVNULL) as process:
        transcript = first_evidence(shell.folder / "transcripts")
        process.send_signal(signal.SIGKILL)
    found = shell.json("ask", "--resume", str(transcript))
    assert (found["answer"], found["forced"]) == ("1", False)
    stored = shell.json("evidence", "show", found["problem_id"])["evidence"]
    paid = sum(one["status"] == "ok" for one in stored)
    assert paid == len(found["evidence"]) <= 4


def test_the_commands_of_the_worked_example_are_commands_that_there_are(shell: Shell) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", EXAMPLE.read_text("utf-8"), re.DOTALL)
    commands = [shlex.split(one) for one in "".join(blocks).replace("\\\n", "").splitlines()]
    assert {one[1] for one in commands} == {
        "models",
        "bench",
        "evidence",
        "replay",
        "discover",
        "ask",
    }
    for _, *words in commands:
        verb = words[: 1 if words[0] in ("ask", "discover") else 2]
        shown = shell(*verb, "--help").stdout
        for option, value in zip(words, [*words[1:], ""], strict=True):
            assert not option.startswith("--") or option in shown
            named = value.removeprefix("controller:")
            if (option == "--controller" or named != value) and not is_file(named):
                assert controller(named).name in value + ":0.95"
