"""Runs on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas_mcp.host import transcript
from atlas_mcp.host.orchestrator import Outcome, Task
from atlas_mcp.host.purse import Purse
from atlas_mcp.host.replies import Ledger

OUTCOME = Outcome(
    problem_id="p_1",
    orchestrator="greedy",
    answer="½ \ud800",
    because="it was said",
    abstained=False,
    forced=False,
    confidence=None,
    own_confidence=None,
    evidence=(),
    ledger=Ledger(),
    purse=Purse(),
    seconds=1.0,
    steps=(),
)


@pytest.mark.anyio
async def test_a_run_is_read_back_as_it_was_whatever_text_is_in_it(tmp_path: Path) -> None:
    saved = transcript.Transcript(tmp_path / "run.json", Task(text="P"))
    await saved.finish(OUTCOME)
    assert json.loads(saved.path.read_text("utf-8"))["answer"] == OUTCOME.answer


def test_checking_a_folder_makes_it_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    transcript.check(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_checking_says_that_a_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        transcript.check(tmp_path / "file" / "b")
