"""`atlas-mcp replay` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell

from solvers.recording import Question, Recording, write_pool

EVALUATE = ("replay", "evaluate", "--seeds", "20", "--jobs", "1", "--pool")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Two arms, eight draws each, no probes; the small one is right half of the time."""
    questions = [Question(question_id=f"q{n}", question="?", gold="7") for n in range(4)]
    write_pool(
        tmp_path / "pool",
        questions,
        [
            Recording(
                question_id=one.question_id,
                model=model,
                sample_idx=n,
                answer="7" if n % 2 or model == "large" else str(n),
                output_tokens=100,
                cost_usd=0.01 if model == "large" else None,
            )
            for one in questions
            for model in ("small", "large")
            for n in range(8)
        ],
    )
    return tmp_path / "pool"


def test_controllers_are_compared_on_a_pool(shell: Shell, pool: Path) -> None:
    names = ("--controller", "self-consistency@8", "--controller", "first-2-of-8")
    found = shell.json(*EVALUATE, str(pool), *names)
    scores = {(one["controller"], one["arm"]): one for one in found["scores"]}
    assert len(scores) == 6
    fixed, first = scores["self-consistency@8", "large"], scores["first-2-of-8", "large"]
    assert (fixed["tokens"]["value"], fixed["latency"], fixed["calls"]) == (800, 100, 8)
    assert (first["tokens"]["value"], first["latency"], first["calls"]) == (200, 200, 2)
    assert (round(fixed["usd"], 9), fixed["accuracy"]["value"]) == (0.08, 1)
    assert scores["self-consistency@8", "small"]["usd"] is None
    differences = {one["arm"]: one["tokens"]["value"] for one in found["differences"]}
    assert differences["large"] == -600


def test_the_table_says_what_its_intervals_are(shell: Shell, pool: Path) -> None:
    done = shell(*EVALUATE, str(pool), "--controller", "self-consistency@8", "--arm", "small")
    assert done.returncode == 0, done.stderr
    assert "self-consistency@8" in done.stdout
    assert "n = 4 questions" in done.stdout
    assert "1/1  self-consistency@8  small" in done.stderr


def test_the_table_says_where_the_recordings_ran_out(shell: Shell, pool: Path) -> None:
    names = ("--controller", "self-consistency@8", "--controller", "first-2-of-8")
    done = shell(*EVALUATE, str(pool), "--arm", "large", *names)
    whole, first, *_ = [line for line in done.stdout.splitlines() if " large " in line]
    assert whole.endswith("100.0 % drew all there is")
    assert "drew" not in first


def test_controllers_are_listed_without_loading_any(shell: Shell) -> None:
    assert "momentum" in shell.json("replay", "list")
    assert "short-M-of-N" in shell("replay", "list").stdout


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--controller", "momentun:1"), "unknown controller 'momentun:1'; known:"),
        (("--controller", "momentum:1", "--arm", "huge"), "the pool has no arm 'huge'"),
        (("--controller", "momentum:1", "--seeds", "0"), "--seeds must be at least 1"),
        (("--controller", "momentum:1", "--jobs", "0"), "--jobs is how many processes"),
        (("--controller", "momentum:1", "--probe-tokens", "-1"), "cannot be negative"),
        (("--controller", "momentum:1", "--figure", "a.pdf"), "a file that ends in svg or png"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    shell: Shell, pool: Path, options: tuple[str, ...], fault: str
) -> None:
    done = shell(*EVALUATE, str(pool), *options)
    assert done.returncode == 2
    assert fault in done.stderr
    assert len(done.stderr.splitlines()) == 1
