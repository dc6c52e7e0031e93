"""The command line as a user runs it: real files, and real processes where they show more."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from shell import ATLAS, WAIT, Shell

ASK = ("ask", "P", "--in-process")


def test_ask_shows_calls_ledger_answer_and_where_the_record_is(shell: Shell) -> None:
    done = shell.process("ask", "What is 6 × 7?", "--orchestrator", "agree:2")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^ +#\d+ +known/medium/direct +ok", done.stdout, re.MULTILINE)) == 3
    assert "agree: 42  2 of 3 answers agree; confidence 0.67" in done.stdout
    assert "3 calls, 45 tokens, $0.0000" in done.stdout
    assert "atlas-mcp evidence show p_" in done.stdout
    assert done.stderr == ""
    transcript = re.search(r"transcript: (\S+)", done.stdout)
    assert transcript is not None
    assert json.loads(Path(transcript[1]).read_text("utf-8"))["answer"] == "42"


def test_ask_reads_a_problem_from_standard_input(shell: Shell) -> None:
    asking = ("ask", "-", "--in-process", "--orchestrator", "greedy", "--json")
    done = shell(*asking, stdin="What is 6 × 7?")
    assert json.loads(done.stdout)["problem"] == "What is 6 × 7?"


def test_ask_works_in_this_process_too(shell: Shell) -> None:
    assert shell.json("ask", "P", "--in-process", "--orchestrator", "greedy")["answer"] == "42"


def test_ask_forces_a_conclusion_at_its_cap(shell: Shell) -> None:
    found = shell.json("ask", "P", "--in-process", "--orchestrator", "vote:8", "--max-calls", "2")
    assert found["ledger"]["asked"] == 2


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (("ask", " "), "the problem is empty", 2),
        (("ask", "P", "--orchestrator", "luck"), "known: greedy, vote, agree, confident", 2),
        (("ask", "P", "--max-calls", "-1"), "--max-calls must be at least 1", 2),
        ((*ASK, "--solver", "none"), "unknown solver 'none'; known: auto, known", 1),
        ((*ASK, "--strategy", "none"), "unknown strategy 'none'; known: direct", 1),
        (("ask", "P", "--server", "http://127.0.0.1:9/mcp"), "cannot be reached", 1),
        ((*ASK, "--roster", "none.toml"), "none.toml cannot be read", 1),
        (("serve", "--http", "nowhere"), "--http takes HOST:PORT", 2),
        (("serve", "--http", "0.0.0.0:8000"), "--allowed-host", 2),
        (("evidence", "show", "p_none"), "there is no evidence store", 2),
        (("models", "path", "none"), "qwen2.5-coder-1.5b", 1),
        (("models", "path", "smollm2-135m"), "atlas-mcp models pull smollm2-135m", 1),
        (("demo", "--problems", "0"), "--problems must be from 1 to 56", 2),
    ],
)
def test_wrong_use_ends_with_one_clear_line(
    shell: Shell, arguments: tuple[str, ...], said: str, status: int
) -> None:
    done = shell(*arguments)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == status
    assert done.stdout == ""


def test_what_a_server_could_not_start_for_stands_above_the_line_that_it_ended(
    shell: Shell,
) -> None:
    done = shell.process("ask", "P", "--roster", "none.toml")
    cause, ended = done.stderr.splitlines()
    assert "none.toml cannot be read" in cause
    assert "what it said last stands above" in ended
    assert (done.returncode, done.stdout) == (1, "")


def test_the_store_can_be_listed_shown_and_verified(shell: Shell, asked: dict[str, Any]) -> None:
    (row,) = shell.json("evidence", "list")
    assert (row["id"], row["calls"], row["concluded"]) == (asked["problem_id"], 3, True)
    shown = shell.json("evidence", "show", row["id"])
    assert [one["answer"] for one in shown["evidence"]] == ["42", "41", "42"]
    assert shown["conclusions"][0]["answer"] == "42"
    one = asked["evidence"][0]["id"]
    assert shell.json("evidence", "show", one)["text"] == "42"
    assert shell.json("evidence", "verify") == {"faults": []}
    for verb in (("list",), ("show", row["id"]), ("show", one), ("verify",)):
        done = shell("evidence", *verb)
        assert done.returncode == 0
        assert done.stdout.strip()


def test_verify_fails_on_a_store_that_was_tampered_with(
    shell: Shell, asked: dict[str, Any]
) -> None:
    db = sqlite3.connect(shell.env["ATLAS_STORE"])
    db.execute("DROP TRIGGER evidence_keeps_update")
    db.execute("UPDATE evidence SET body = replace(body, '41', '40')")
    db.commit()
    db.close()
    done = shell("evidence", "verify")
    assert done.returncode == 1
    assert "does not match its digest" in done.stdout


def test_labelled_evidence_is_exported_and_replayed_without_a_model(
    shell: Shell, asked: dict[str, Any]
) -> None:
    right = asked["evidence"][0]["id"]
    shell.json("evidence", "label", right, "right")
    pool = shell.folder / "pool"
    assert shell.json("evidence", "export", str(pool)) == {
        "folder": str(pool),
        "questions": 1,
        "graded": 1,
        "responses": 3,
        "left_out": 0,
    }
    roster = shell.folder / "replay.toml"
    roster.write_text('[solvers.known]\napi = "replay"\npool = "pool"\n')
    env = {"ATLAS_STORE": str(shell.folder / "other.db"), "ATLAS_ROSTER": str(roster)}
    voting = ("--in-process", "--orchestrator", "vote:3", "--json")
    again = json.loads(shell("ask", "What is 6 × 7?", *voting, env=env).stdout)
    assert [one["answer"] for one in again["evidence"]] == ["42", "41", "42"]
    assert [one["tokens"] for one in again["evidence"]] == [15, 15, 15]
    other = json.loads(shell("ask", "Another?", "--in-process", "--json", env=env).stdout)
    assert other["abstained"]
    assert "recording_miss" in other["evidence"][0]["error"]


def test_the_error_of_a_failed_call_is_shown_whole(shell: Shell, asked: dict[str, Any]) -> None:
    assert shell("evidence", "export", str(shell.folder / "pool")).returncode == 0
    shell.roster('[solvers.known]\napi = "replay"\npool = "pool"\n')
    failed = json.loads(shell("ask", "Another?", "--in-process", "--json").stdout)
    (one, *_) = failed["evidence"]
    assert len(one["error"]) > 60
    for arguments in (
        ("ask", "Another?", "--in-process", "--orchestrator", "greedy"),
        ("evidence", "show", failed["problem_id"]),
        ("evidence", "show", one["id"]),
    ):
        assert one["error"] in shell(*arguments).stdout


def test_a_long_answer_is_shown_and_stored_whole(shell: Shell) -> None:
    program = "\n".join(f"print({n})" for n in range(400))
    shell.roster(f'[solvers.known]\napi = "scripted"\nanswers = [{json.dumps(program)}]\n')
    options = ("--answer-kind", "code", "--orchestrator", "vote:2")
    found = shell.json("ask", "Count.", *options)
    stored = shell.json("evidence", "show", found["problem_id"])
    assert [found["answer"], stored["conclusions"][0]["answer"]] == [program, program]
    assert f"\n{program}\n" in shell("ask", "Count.", *options).stdout


def test_what_is_stored_cannot_steer_the_terminal(shell: Shell) -> None:
    shell.roster('[solvers.sly]\napi = "scripted"\nanswers = ["\\u001b[2J4\\u202e2"]\n')
    found = shell.json("ask", "P \x1b[31mred", "--in-process", "--orchestrator", "greedy")
    shown = [
        shell("ask", "P \x1b[31mred", "--in-process").stdout,
        shell("evidence", "list").stdout,
        shell("evidence", "show", found["problem_id"]).stdout,
        shell("evidence", "show", found["evidence"][0]["id"]).stdout,
    ]
    assert all("42" in one or "P red" in one for one in shown)
    assert not {"\x1b", "\u202e"} & set("".join(shown))


def test_the_record_is_named_where_it_can_be_found(shell: Shell) -> None:
    other = shell.folder / "an other.db"
    asking = ("ask", "P", "--in-process", "--orchestrator", "greedy")
    done = shell(*asking, "--store", str(other))
    (command,) = re.findall(r"record: atlas-mcp (.*)", done.stdout)
    assert "known/medium/direct" in shell(*shlex.split(command)).stdout


def test_an_export_refuses_a_problem_that_is_not_stored(
    shell: Shell, asked: dict[str, Any]
) -> None:
    done = shell("evidence", "export", "pool", "--problem", "p_none")
    assert done.returncode == 2
    assert "no problem p_none" in done.stderr


def test_models_are_listed_with_size_and_licence(shell: Shell) -> None:
    found = shell.json("models", "list")
    names = {row["name"]: row for row in found["models"]}
    assert {"qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m"} <= set(names)
    assert all(row["bytes"] > 0 and row["licence"] and not row["here"] for row in names.values())
    assert "not fetched" in shell("models", "list").stdout


def test_the_demo_replays_recorded_answers_and_says_so(shell: Shell) -> None:
    done = shell("demo", "--replay", "--problems", "4")
    assert done.returncode == 0, done.stderr
    assert "REPLAY of recorded answers" in done.stdout
    assert "tokens are unknown" in done.stdout
    rows = re.findall(r"^(greedy|vote:8|agree:3) +(\d)/4 ", done.stdout, re.MULTILINE)
    assert [name for name, _ in rows] == ["greedy", "vote:8", "agree:3"]


def test_the_demo_falls_back_to_recorded_answers_where_no_weights_can_be_had(
    shell: Shell,
) -> None:
    (shell.folder / "occupied").write_text("a file where the folder of weights should be")
    env = {"ATLAS_MODELS_FOLDER": str(shell.folder / "occupied")}
    done = shell("demo", "--problems", "1", env=env)
    assert done.returncode == 0, done.stderr
    assert "REPLAY of recorded answers: the weights cannot be had: could not store" in done.stdout
    assert re.search(r"^vote:8 ", done.stdout, re.MULTILINE)


def test_an_interrupted_run_keeps_what_it_found(shell: Shell) -> None:
    (shell.folder / "roster.toml").write_text(
        '[solvers.stuck]\napi = "scripted"\nanswers = ["never"]\nseconds = 600\n'
    )
    process = subprocess.Popen(
        [*ATLAS, "ask", "P"],
        env={**shell.env, "ATLAS_LOG_LEVEL": "INFO"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        store = Path(shell.env["ATLAS_STORE"])
        deadline = time.monotonic() + WAIT
        while not (store.exists() and _calls(store)) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        _, err = process.communicate(timeout=WAIT)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted; what was found is kept" in err
    assert "Traceback" not in err
    (row,) = shell.json("evidence", "list")
    shown = shell.json("evidence", "show", row["id"])
    assert {one["status"] for one in shown["evidence"]} == {"cancelled"}


def _calls(store: Path) -> int:
    db = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not made yet
    finally:
        db.close()


def test_the_demo_can_print_json(shell: Shell) -> None:
    found = shell.json("demo", "--replay", "--problems", "3")
    assert found["replay"] == "asked for"
    methods = found["methods"]
    assert methods["greedy"]["calls"] == 3
    assert methods["vote:8"]["calls"] == 24
    assert 9 <= methods["agree:3"]["calls"] <= 24
    assert methods["vote:8"]["tokens"] is None


def test_every_command_has_help(shell: Shell) -> None:
    for words in (
        (),
        ("demo",),
        ("ask",),
        ("serve",),
        ("models", "pull"),
        ("evidence", "export"),
    ):
        done = shell(*words, "--help")
        assert done.returncode == 0
        assert "usage: atlas-mcp" in done.stdout
