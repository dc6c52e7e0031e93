"""A download as it is shown."""

from __future__ import annotations

import io
import sys

import pytest

from atlas_mcp.cli.models import ProgressBar
from solvers.pulling import Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_the_line_that_moves_never_breaks(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    bar = ProgressBar()
    for done in (0, 500_000_000, 1_117_000_000):
        bar(Progress(source="registry", done=done, total=1_117_000_000))
    bar.close()
    lines = screen.getvalue().rstrip("\n").split("\r\x1b[2K")[1:]
    assert len(lines) == 3
    assert max(map(len, lines)) < columns
    assert lines[-1].startswith("100%")
