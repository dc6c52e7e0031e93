"""`atlas-mcp ask --attach` reads the files itself: the server needs no folder to read them from."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from shell import Shell, told

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
GIF = b"GIF89a" + b"0" * 32


def stored(shell: Shell) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(shell.env["ATLAS_STORE"])) as db:
        return db.execute("SELECT media_type, data FROM attachments ORDER BY position").fetchall()


@pytest.mark.parametrize("server", [(), ("--in-process",)])
def test_files_reach_the_server_wherever_they_lie(
    shell: Shell, tmp_path: Path, server: tuple[str, ...]
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b").write_bytes(GIF)
    files = ("--attach", str(tmp_path / "a.png"), "--attach", str(tmp_path / "b"))
    found = shell.json("ask", "What is shown?", *files, *server)
    assert found["answer"] == "42"
    assert stored(shell) == [("image/png", PNG), ("image/gif", GIF)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.png", "none.png cannot be read: No such file"),
        ("text.png", "text.png' is not a PNG, JPEG, GIF or WebP image"),
        ("large.png", "large.png is larger than 5000000 bytes"),
        ("pipe", "pipe is not a file"),
        (".", "is not a file"),
        ("data:image/png;base64,!!", "base64 cannot be read"),
    ],
)
def test_a_file_that_will_not_do_is_told_before_anything_is_started(
    shell: Shell, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "large.png").write_bytes(PNG + bytes(5_000_000))
    os.mkfifo(tmp_path / "pipe")
    named = name if name.startswith("data:") else os.path.join(os.path.relpath(tmp_path), name)
    done = shell("ask", "P", "--attach", named)
    assert said in told(done)
    assert done.returncode == 2
    assert not Path(shell.env["ATLAS_STORE"]).exists()


def test_files_that_are_too_much_together_are_told(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG + bytes(4_900_000))
    done = shell("ask", "P", *("--attach", str(tmp_path / "a.png")) * 5)
    assert "bytes together, at most 20000000" in told(done)
