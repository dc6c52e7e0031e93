"""Whether the process behind a call still runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from atlas_mcp.evidence.owners import Owner, is_running, this_process

HERE = this_process()

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="this system does not show when a process began"
)


def test_this_process_runs() -> None:
    assert is_running(HERE) is True


def test_a_process_that_ended_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_running(replace(HERE, pid=child.pid)) is False


def test_a_process_that_ended_and_was_not_waited_for_does_not_run() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()  # ends when the child does
        while "\nState:\tZ" not in Path(f"/proc/{child.pid}/status").read_text():
            pass
        started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        assert is_running(replace(HERE, pid=child.pid, started=started)) is False


def test_another_process_that_was_given_the_same_number_is_another_process() -> None:
    assert is_running(replace(HERE, started="1")) is False


def test_a_process_from_before_the_machine_was_started_does_not_run() -> None:
    assert is_running(replace(HERE, boot="another")) is False


@pytest.mark.parametrize(
    "elsewhere", [replace(HERE, host="another"), replace(HERE, namespace="another")]
)
def test_a_process_that_cannot_be_seen_from_here_is_neither(elsewhere: Owner) -> None:
    assert is_running(elsewhere) is None
