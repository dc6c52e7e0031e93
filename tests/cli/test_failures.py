"""What the command line says when something outside it fails: one line, never a traceback."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shell import ATLAS, WAIT, Shell, told

from atlas_mcp.cli.faults import explain
from atlas_mcp.core.errors import BudgetError, NotFoundError, StoreError

BUFFERING = [{"PYTHONUNBUFFERED": ""}, {"PYTHONUNBUFFERED": "1"}]
full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize("env", BUFFERING)
@pytest.mark.parametrize("arguments", [("evidence", "list"), ("evidence", "list", "--json")])
def test_a_reader_that_has_read_enough_ends_the_command_in_silence(
    shell: Shell, asked: dict[str, Any], arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*ATLAS, *arguments],
            env={**shell.env, **env},
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=WAIT,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@full_device
@pytest.mark.parametrize("env", BUFFERING)
@pytest.mark.parametrize(
    "arguments", [("evidence", "list"), ("ask", "P", "--in-process", "--json")]
)
def test_a_full_disk_behind_standard_output_is_told(
    shell: Shell, asked: dict[str, Any], arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    done = shell.script('"$@" > /dev/full', *arguments, env=env)
    assert "No space left on device; make room" in told(done)
    assert done.returncode == 1


def test_closed_standard_output_is_told_before_anything_is_paid_for(shell: Shell) -> None:
    done = shell.script('"$@" >&-', "ask", "P")
    assert "standard output is closed" in told(done)
    assert done.returncode == 1
    assert not Path(shell.env["ATLAS_STORE"]).exists()


def test_closed_standard_input_is_told(shell: Shell) -> None:
    for arguments in (("ask", "-"), ("serve",)):
        assert "standard input is closed" in told(shell.script('"$@" <&-', *arguments))


def test_what_is_said_on_closed_standard_error_does_not_land_in_the_output(shell: Shell) -> None:
    done = shell.script('"$@" 2>&-', "evidence", "list")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("line", "arguments", "said"),
    [
        ('"$@"', ("ask", b"a\xffb"), "problem is not valid UTF-8"),
        ('"$@"', ("ask", "P", "--solver", b"\xff"), "solver is not valid UTF-8"),
        ("printf 'a\\377b' | \"$@\"", ("ask", "-"), "standard input is not valid"),
        ('"$@"', ("evidence", "show", b"\xff"), "no problem ?"),
        ('"$@"', ("evidence", "show", b"e_\xff"), "no finished evidence e_?"),
        ('"$@"', ("evidence", "label", b"e_\xff", "right"), "no finished evidence e_?"),
        ('"$@"', ("evidence", "export", "pool", "--problem", b"\xff"), "no problem ?"),
    ],
)
def test_bytes_that_are_no_text_are_wrong_use(
    shell: Shell, asked: dict[str, Any], line: str, arguments: tuple[str | bytes, ...], said: str
) -> None:
    done = shell.script(line, *arguments)
    assert said in told(done)
    assert done.returncode == 2


def test_output_in_an_encoding_without_our_characters_is_still_written(shell: Shell) -> None:
    env = {"PYTHONIOENCODING": "latin-1"}
    asking = ("ask", "x ≤ ½", "--in-process", "--orchestrator", "greedy")
    done = shell.process(*asking, "--json", env=env)
    assert '"problem": "x \\u2264 \\u00bd"' in done.stdout
    assert shell.process(*asking, env=env).returncode == 0


def test_an_unwritable_transcript_is_told_before_anything_is_paid_for(shell: Shell) -> None:
    done = shell("ask", "P", "--transcript", str(shell.folder / "roster.toml"))
    assert "roster.toml: File exists; name another file or folder" in told(done)
    assert not Path(shell.env["ATLAS_STORE"]).exists()


def test_a_run_whose_transcript_cannot_be_written_is_shown_all_the_same(shell: Shell) -> None:
    (shell.folder / "transcripts").write_text("a file where the folder should be")
    done = shell("ask", "P", "--in-process")
    assert "agree: 42" in done.stdout
    assert "transcript:" not in done.stdout
    assert "the transcript could not be written to" in told(done)
    assert done.returncode == 0


def test_an_export_into_a_file_is_told(shell: Shell, asked: dict[str, Any]) -> None:
    done = shell("evidence", "export", str(shell.folder / "roster.toml"))
    assert "roster.toml: File exists; name another file or folder" in told(done)
    assert done.returncode == 1


@pytest.mark.parametrize("limit", ["0", "-1", "9" * 30])
def test_a_limit_out_of_range_is_wrong_use(shell: Shell, asked: dict[str, Any], limit: str) -> None:
    done = shell("evidence", "list", "--limit", limit)
    assert "--limit must be from 1 to" in told(done)
    assert done.returncode == 2


def test_a_port_in_use_is_told(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell("serve", "--http", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port} cannot be listened at (Address already in use)" in told(done)
    assert done.returncode == 1


@pytest.mark.parametrize("address", ["192.0.2.1:8000", "nowhere.invalid:8000", "a..b:8000"])
def test_an_address_of_another_machine_is_told(shell: Shell, address: str) -> None:
    done = shell("serve", "--http", address, "--allowed-host", "atlas.example")
    assert "name an address of this machine" in told(done)
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [("ask", "P", "--in-process"), ("serve", "--http", "::1:0")])
def test_a_store_that_cannot_be_made_is_told_with_the_cure(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    store = shell.folder / "roster.toml" / "evidence.db"
    done = shell(*arguments, "--store", str(store))
    assert "name a file in a folder that you may write to, with --store" in told(done)
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a read-only file system")
def test_a_store_on_a_read_only_file_system_is_told_with_the_cure(shell: Shell) -> None:
    done = shell("ask", "P", "--in-process", "--store", "/proc/evidence.db")
    assert "name a file in a folder that you may write to, with --store" in told(done)


def test_a_file_that_is_no_store_is_called_that(shell: Shell) -> None:
    for verb in (("list",), ("verify",), ("show", "p_1")):
        done = shell("evidence", *verb, "--store", str(shell.folder / "roster.toml"))
        assert told(done).endswith("roster.toml is no evidence store; name one with --store")
        assert done.returncode == 2


def test_verify_lists_what_is_wrong_with_a_file_that_sqlite_cannot_read(
    shell: Shell, asked: dict[str, Any]
) -> None:
    store = Path(shell.env["ATLAS_STORE"])
    with sqlite3.connect(store) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    store.write_bytes(store.read_bytes()[:100] + b"\x07" * 5_000)
    done = shell("evidence", "verify")
    assert done.stdout.startswith("SQLite: ")
    assert (done.returncode, done.stderr) == (1, "")


INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from atlas_mcp.cli.main import main
sys.exit(main(["models", "list"]))
"""


@pytest.mark.parametrize("moment", ["atlas_mcp.core.errors", "argparse", "atlas_mcp.cli.ask"])
def test_ctrl_c_is_heard_while_the_command_is_still_being_imported(
    shell: Shell, moment: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, moment],
        env=shell.env,
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert told(done) == "atlas-mcp: interrupted; what was found is kept"
    assert done.returncode == 130


def test_our_own_bugs_keep_their_traceback() -> None:
    bug = ValueError("a bug")
    assert explain(bug) is None
    assert explain(OSError(errno.EBADF, "Bad file descriptor")) is None
    assert explain(ExceptionGroup("tasks", [BudgetError("no calls left"), bug])) is None


def test_a_store_that_is_read_only_is_told_with_the_cure(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "e.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    reader = sqlite3.connect(f"file:{tmp_path / 'e.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as refused:
        reader.execute("INSERT INTO t VALUES (1)")
    reader.close()
    error = StoreError("the store cannot be used")
    error.__cause__ = refused.value
    found = explain(error)
    assert found is not None
    assert "name a file in a folder that you may write to" in found.line


def test_errors_in_groups_are_told_as_if_they_stood_alone() -> None:
    missing = NotFoundError("no problem p_1;\n\x1b[2Jlook again")
    deep = BaseExceptionGroup("a", [BaseExceptionGroup("b", [BudgetError("x"), missing])])
    assert explain(deep) == explain(missing)
    found = explain(missing)
    assert found is not None
    assert (found.line, found.status) == ("no problem p_1; look again", 2)
    stopped = explain(BaseExceptionGroup("a", [missing, KeyboardInterrupt()]))
    assert stopped is not None
    assert stopped.status == 130
