"""`atlas-mcp fake-provider` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from support import WAIT

COMMAND = (sys.executable, "-m", "atlas_mcp", "fake-provider")


@contextmanager
def serving(*options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> str:
    """What a process still says when it is ended as a terminal does on Ctrl-C."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, err) == (0, "")
    return out


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_it_serves_until_it_is_interrupted_and_says_what_it_served(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text('"Where is the Louvre?" = "Paris"')
    with serving("--json", "--answers", str(tmp_path / "answers.toml"), "--seed", "3") as process:
        start = json.loads(line(process))
        assert start["environment"]["OPENAI_BASE_URL"] == f"{start['url']}/v1"
        with openai.OpenAI(
            base_url=start["environment"]["OPENAI_BASE_URL"],
            api_key=start["environment"]["OPENAI_API_KEY"],
            max_retries=0,
            timeout=WAIT,
        ) as client:
            reply = client.responses.create(model="small", input="Where is the Louvre?")
            with pytest.raises(openai.InternalServerError):
                client.responses.create(model="f529:small", input="Where is the Louvre?")
        served = json.loads(interrupted(process))
    assert json.loads(reply.output_text)["answer"] == "Paris"
    assert reply.usage is not None
    assert served == {
        "calls": 2,
        "outcomes": {"answered": 2},
        "most_in_flight": 1,
        "tokens": reply.usage.total_tokens,
    }


def test_it_prints_what_to_set_and_which_faults_there_are() -> None:
    with serving() as process:
        first = line(process)
        url = first.split()[3].rstrip(";")
        said = first
        while not said.endswith(f"journal: {url}/journal\n"):
            said += line(process)
        said += interrupted(process)
    assert f"export ANTHROPIC_BASE_URL={url}\n" in said
    assert "stream-error" in said
    assert "served 0 calls" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--accuracy", "2"), "--accuracy is a probability"),
        (("--accuracy", "small=much"), "--accuracy must be P or MODEL=P"),
        (("--latency", "soon"), "--latency soon: expected SECONDS"),
        (("--quota", "7"), "--quota must be RPM:TPM"),
        (("--quota=-1:0",), "--quota must not be negative"),
        (("--answers", "no-such-file.json"), "--answers no-such-file.json: "),
        (("--port", "99999"), "--port must be from 0 to 65535"),
    ],
)
def test_wrong_use_ends_with_one_clear_line(options: tuple[str, ...], said: str) -> None:
    done: Any = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=WAIT)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (2, "")


def test_a_port_that_is_taken_is_told() -> None:
    with serving("--json") as process:
        port = json.loads(line(process))["url"].rpartition(":")[2]
        done = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, text=True, timeout=WAIT
        )
        interrupted(process)
    assert done.returncode == 2
    assert f"--port {port}: " in done.stderr
