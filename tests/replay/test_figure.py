"""The figure of a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest
from discovering import written
from shell import Shell

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install matplotlib")


def test_a_figure_has_a_line_for_each_rule_and_is_the_same_each_time(tmp_path: Path) -> None:
    written(tmp_path / "pool")
    names = ("momentum:0", "momentum:1", "short-2-of-4", "self-consistency@4")
    asked = [part for name in names for part in ("--controller", name)]
    drawn = []
    for file in (tmp_path / "a.svg", tmp_path / "b.svg", tmp_path / "a.png"):
        where = ("--pool", str(tmp_path / "pool"), "--figure", str(file))
        Shell(tmp_path).json("replay", "evaluate", "--seeds", "2", "--jobs", "1", *where, *asked)
        drawn.append(file.read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[2].startswith(b"\x89PNG")
    for words in ("momentum", "short", "self-consistency", "tokens for each question"):
        assert drawn[0].decode().count(f">{words}<") == 1
