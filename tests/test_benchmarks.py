"""The comparison with other systems, where none of them is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# They share one run, so one worker should have them all.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("peers")]

PEERS = Path(__file__).parents[1] / "benchmarks" / "peers"
SECONDS = 240


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The tables and the figures of the smallest run."""
    folder = tmp_path_factory.mktemp("peers")
    missing = ["--its-hub", str(folder / "none"), "--optillm", str(folder / "none")]
    small = ["--quick", "--rounds", "1", "--questions", "3", "--json", str(folder / "found.json")]
    done = subprocess.run(
        [sys.executable, str(PEERS), *missing, *small],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "found.json").read_text())


def test_a_peer_that_is_missing_is_named_and_the_rest_runs(
    compared: tuple[str, dict[str, Any]],
) -> None:
    tables, found = compared
    assert "its-hub is missing: name its interpreter with --its-hub" in tables
    assert {"atlas", "atlas-stdio"} <= {one["system"] for one in found["runs"]}


def test_what_we_tell_is_what_the_provider_was_sent(
    compared: tuple[str, dict[str, Any]],
) -> None:
    votes = [one for one in compared[1]["runs"] if not one["trouble"]]
    assert votes
    for one in votes:
        assert (one["calls_told"], one["tokens_told"]) == (one["requests"], one["tokens"])
        assert one["counted"] == one["paid"]


def test_the_same_draws_come_to_the_same_answers_by_every_way(
    compared: tuple[str, dict[str, Any]],
) -> None:
    votes = [one for one in compared[1]["runs"] if one["method"] == "vote:8" and not one["trouble"]]
    assert len({one["paid"] for one in votes}) == 1
    assert {one["lost"] for one in votes} == {0}


def test_a_kill_costs_no_draw_that_had_been_stored(
    compared: tuple[str, dict[str, Any]],
) -> None:
    (killed,) = compared[1]["killed"]
    again = killed["paid"] - killed["needed"]
    assert 0 <= again <= killed["before"] // 2
