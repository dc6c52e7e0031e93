"""A model orchestrates from the command line: a fake provider on loopback, and real kills."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from providing import beside
from shell import ATLAS, WAIT, Shell

from solvers.fake import Provider, fake_provider
from solvers.fake.exchange import Asked, Reply
from solvers.model import ToolCall

ROSTER = """
default = "known"

[solvers.known]
api = "scripted"
answers = ["42", "41", "42"]
description = "knows it"

[solvers.boss]
api = "anthropic"
model = "boss"
base_url = "{url}"
key_env = "BOSS_KEY"
price = {{input = 1.0, output = 10.0}}
"""

HERE = ("--in-process", "--orchestrator", "model:boss")
FINAL = {"because": "two agree", "evidence_ids": [], "answer": "42", "confidence": 0.8}


class Boss:
    """Explores, explores twice at once, and answers. Its third turn waits until it may be taken."""

    def __init__(self) -> None:
        self.turns = 0
        self.thinks = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.arguments: dict[str, Any] = {}
        self.shown: list[bytes] = []

    async def __call__(self, asked: Asked) -> Reply:
        from anyio import to_thread

        self.turns += 1
        self.shown = [one.data for one in asked.messages[0].attachments]
        turn = sum(one.role == "assistant" for one in asked.messages)
        if turn == 2:
            self.thinks.set()
            await to_thread.run_sync(self.may_answer.wait, WAIT, abandon_on_cancel=True)
            return Reply(text=json.dumps({**FINAL, "abstain": False}))
        calls = tuple(
            ToolCall(id=f"c{turn}{n}", name="explore", arguments=self.arguments, raw="")
            for n in range(turn + 1)
        )
        return Reply(text=f"Turn {turn}: not sure yet.", tool_calls=calls)


@pytest.fixture
def boss() -> Boss:
    return Boss()


@pytest.fixture
def provider(boss: Boss) -> Iterator[Provider]:
    with beside(fake_provider(boss)) as provider:
        yield provider
        boss.may_answer.set()


@pytest.fixture
def shell(shell: Shell, provider: Provider) -> Shell:
    shell.roster(ROSTER.format(url=provider.url))
    shell.env["BOSS_KEY"] = "test-key-0123456789"
    return shell


def test_ask_shows_what_the_model_thought_found_and_spent(shell: Shell) -> None:
    done = shell.process("ask", "What is 6 × 7?", "--orchestrator", "model:boss")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.strip() for line in lines if "Turn" in line] == [
        "Turn 0: not sure yet.",
        "Turn 1: not sure yet.",
    ]
    assert sum(line.strip().startswith("#") for line in lines) == 3
    assert "model:boss: 42  two agree; confidence 0.67" in done.stdout
    assert "orchestrator: 3 turns" in done.stdout
    assert "with this run's solvers" in done.stdout


def test_json_has_the_thoughts_and_parts_of_the_cost_that_sum(
    shell: Shell, provider: Provider
) -> None:
    found = shell.json("ask", "What is 6 × 7?", *HERE)
    assert (found["answer"], found["own_confidence"]) == ("42", 0.8)
    assert [step["thought"] for step in found["steps"] if "thought" in step] == [
        "Turn 0: not sure yet.",
        "Turn 1: not sure yet.",
    ]
    spent = found["spent"]
    assert spent["orchestrator"]["tokens"] == provider.journal.usage.total_tokens
    assert spent["solvers"]["tokens"] == sum(one["tokens"] for one in found["evidence"])
    assert spent["all"]["tokens"] == spent["orchestrator"]["tokens"] + spent["solvers"]["tokens"]
    assert spent["orchestrator"]["usd"] > 0


def test_the_model_chooses_among_the_solvers_of_the_server(shell: Shell, boss: Boss) -> None:
    boss.arguments = {"solver": "known", "instruction": "check it"}
    options = ("--variant", "mm+mi", "--calls-of", "known=2")
    found = shell.json("ask", "P", *HERE, *options)
    assert [(one["solver"], one["instruction"]) for one in found["evidence"]] == [
        ("known", "check it"),
        ("known", "check it"),
    ]


def test_the_model_is_shown_the_files_of_the_problem(
    shell: Shell, boss: Boss, tmp_path: Path
) -> None:
    image = b"GIF89a" + bytes(32)
    (tmp_path / "a.gif").write_bytes(image)
    files = ("--attach", str(tmp_path / "a.gif"))
    shell.json("ask", "What is shown?", *HERE, *files)
    assert boss.shown == [image]


def test_a_run_that_was_killed_goes_on_without_paying_again(shell: Shell, boss: Boss) -> None:
    boss.may_answer.clear()
    command = [*ATLAS, "ask", "What is 6 × 7?", "--orchestrator", "model:boss"]
    with subprocess.Popen(command, env=shell.env, stdout=subprocess.DEVNULL) as process:
        assert boss.thinks.wait(WAIT)
        process.send_signal(signal.SIGKILL)
    boss.may_answer.set()
    (transcript,) = (shell.folder / "transcripts").iterdir()
    assert json.loads(transcript.read_text("utf-8"))["status"] == "running"
    found = shell.json("ask", "--resume", str(transcript))
    assert (found["answer"], found["abstained"], len(found["evidence"])) == ("42", False, 3)
    (row,) = shell.json("evidence", "list")
    assert row["calls"] == 3
    assert boss.turns == 4
    assert json.loads(transcript.read_text("utf-8"))["status"] == "ended"
    assert "has ended" in shell("ask", "--resume", str(transcript)).stderr


def test_a_cap_on_seconds_ends_a_run_whose_model_thinks_for_ever(shell: Shell, boss: Boss) -> None:
    boss.may_answer.clear()
    found = shell.json("ask", "P", *HERE, "--max-seconds", "6")
    assert (found["answer"], found["forced"]) == ("42", True)
    assert "time" in found["because"]


def test_a_cap_on_dollars_is_told_before_anything_is_paid(shell: Shell, boss: Boss) -> None:
    done = shell("ask", "P", *HERE, "--max-usd", "0.0001")
    assert done.returncode == 3
    assert "the budget leaves no room" in done.stdout
    assert boss.turns == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--orchestrator", "model:none"), "no solver 'none' in the roster"),
        (("--orchestrator", "vote:3", "--variant", "mm"), "is for a model"),
        ((*HERE, "--calls-of", "known"), "write SOLVER=N"),
        (
            (*HERE, "--variant", "mm", "--calls-of", "x=1"),
            "no solver 'x' to cap; there are: known, boss",
        ),
        ((*HERE, "--draws", "9"), "--draws must be from 1 to 8"),
        (("--max-usd", "0"), "--max-usd must be more than 0"),
        (("--max-seconds", "nan"), "--max-seconds must be more than 0"),
        (("--max-tokens", "0"), "--max-tokens must be at least 1"),
        (("--resume", "none.json"), "pass no other"),
    ],
)
def test_wrong_use_is_told_in_one_line(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    done = shell("ask", "P", *arguments)
    (line,) = done.stderr.splitlines()
    assert said in line
    assert done.returncode == 2


def test_a_model_that_cannot_converse_is_told_in_one_line(shell: Shell) -> None:
    done = shell("ask", "P", "--in-process", "--orchestrator", "model:known")
    assert "a model of api 'scripted' cannot hold a conversation" in done.stderr
    assert done.returncode == 1


def test_without_a_problem_ask_says_what_it_needs(shell: Shell, tmp_path: Path) -> None:
    assert "pass the problem, or --resume TRANSCRIPT" in shell("ask").stderr
    done = shell("ask", "--resume", str(tmp_path / "none.json"))
    assert "cannot be read" in done.stderr
