"""Whole runs of the suites that a judge grades: solver and judge behind one fake provider."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from drawing import hle_row, shade_of, write_baby, write_rows
from shell import ATLAS, WAIT, Shell

from atlas_mcp.core.errors import BadRequestError
from solvers.fake import FAULTS, Asked, Provider, fake_provider, structured
from solvers.fake.exchange import Said
from solvers.fake.journal import Seen

pytestmark = pytest.mark.skipif(
    find_spec("inspect_ai") is None, reason="needs Inspect AI: pip install 'atlas-mcp[bench]'"
)

COUNT = 12


class Examiner:
    """What the fake says: solvers are right on two of three questions, the judge compares texts."""

    def __init__(self) -> None:
        self.judge_is_down = False

    def __call__(self, asked: Asked) -> Said:
        return self._verdict(asked) if asked.model == "judge" else structured(self._answer(asked))

    def _answer(self, asked: Asked) -> str:
        images = asked.messages[0].attachments
        if "How dark" in asked.problem:
            return f"it is shade {shade_of(images[0].data)}" if self._knows(asked) else "too dark"
        if "Which one differs" in asked.problem:
            right = shade_of(images[0].data) % 3
            return "ABC"[right if self._knows(asked) else (right + 1) % 3]
        number = int(asked.problem.split("has number ")[1].split("?")[0])
        assert len(images) == (number % 3 == 0)
        if number % 3 == 1:
            return "no idea"
        return "B" if number % 2 == 0 else f"It is the answer {number}."

    def _knows(self, asked: Asked) -> bool:
        return shade_of(asked.messages[0].attachments[0].data) % 3 != 1

    def _verdict(self, asked: Asked) -> Said:
        if self.judge_is_down:
            return FAULTS["500"]
        case = json.loads(asked.problem)
        right = case["reference"] in case["response"]
        correct = "yes" if right else "no"
        return json.dumps({"final_answer": "?", "reasoning": "Compared.", "correct": correct})


@pytest.fixture
def examiner() -> Examiner:
    return Examiner()


@pytest.fixture
def provider(shell: Shell, examiner: Examiner) -> Iterator[Provider]:
    with serving(shell, examiner) as provider:
        yield provider


@pytest.fixture
def slow_provider(shell: Shell, examiner: Examiner) -> Iterator[Provider]:
    with serving(shell, examiner, latency=0.3) as provider:
        yield provider


@contextmanager
def serving(shell: Shell, examiner: Examiner, *, latency: float = 0.0) -> Iterator[Provider]:
    """A fake with the roster that goes with it."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fake_provider(examiner, latency=latency)) as provider,
    ):
        price = "price = { input = 1.0, output = 10.0 }"
        at = f'api = "chat"\nbase_url = "{provider.url}/v1"\nkey_env = "FAKE_KEY"\n{price}\n'
        shell.roster(
            f'[solvers.student]\nmodel = "student"\nimages = true\n{at}'
            f'[solvers.blind]\nmodel = "blind"\nimages = false\n{at}'
            f'[solvers.teacher]\nmodel = "judge"\nattempts = 1\n{at}'
        )
        shell.env["FAKE_KEY"] = "fake-key"
        yield provider


def usage(calls: list[Seen], model: str) -> dict[str, Any]:
    """What the fake told of the calls of a model, and what that costs."""
    told = [one.usage for one in calls if one.model == model and one.usage]
    read = sum(one.input_tokens or 0 for one in told)
    written = sum(one.output_tokens or 0 for one in told)
    usd = (read + 10 * written) / 1e6
    return {"calls": len(told), "input_tokens": read, "output_tokens": written, "usd": usd}


def test_images_reach_the_solver_and_the_judge_is_counted_apart(
    shell: Shell, provider: Provider, tmp_path: Path
) -> None:
    suite = f"babyvision:{write_baby(tmp_path / 'baby')}"
    asking = ("--method", "single", "--solver", "student", "--limit", str(COUNT))
    command = ("bench", "run", suite, *asking)
    found = shell.json(*command, "--judge", "teacher", "--out", str(tmp_path / "out"))
    [single] = found["standings"]
    assert (single["questions"], single["ungraded"]) == (COUNT, 0)
    assert single["accuracy"]["value"] == pytest.approx(8 / 12)
    assert single["first_call"] == single["accuracy"]
    calls = provider.journal.calls
    asked, graded = usage(calls, "student"), usage(calls, "judge")
    assert (asked["calls"], graded["calls"]) == (COUNT, COUNT // 2)
    assert found["grading"]["judge"] == pytest.approx(graded)
    assert single["tokens"] * COUNT == asked["input_tokens"] + asked["output_tokens"]
    assert single["usd"] * COUNT == pytest.approx(asked["usd"])
    report = shell("bench", "report", str(tmp_path / "out")).stdout
    assert "Grading, in no cost of a method: 6 calls of judge, " in report
    assert not any("iVBOR" in one.read_text("utf-8") for one in runs(tmp_path / "out"))
    recorded = ("--verdicts", str(tmp_path / "out" / "verdicts.jsonl"))
    replayed = shell.json(*command, *recorded, "--out", str(tmp_path / "other"))
    assert replayed["standings"][0]["accuracy"] == single["accuracy"]
    assert replayed["grading"] == {}
    assert usage(provider.journal.calls, "judge") == graded


def runs(out: Path) -> list[Path]:
    """The records of a run's questions; two questions with the same text have one each."""
    found = list((out / "runs").iterdir())
    assert len(found) == COUNT
    return found


def test_answers_that_a_judge_failed_to_grade_are_graded_later_and_paid_for_once(
    shell: Shell, provider: Provider, examiner: Examiner, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "out"))
    suite = f"hle-verified:{write_rows(tmp_path / 'hle.jsonl', [*map(hle_row, range(COUNT))])}"
    methods = ("--method", "single", "--method", "self-consistency@2")
    command = ("bench", "run", suite, *methods, "--solver", "student", "--keep-text", *out)
    examiner.judge_is_down = True
    done = shell(*command, "--judge", "teacher")
    assert done.returncode == 1
    assert "judge gave no verdict on 0" in done.stderr
    assert "the same command goes on" in done.stderr
    assert f"- single – not graded: {COUNT}" in shell("bench", "report", out[1]).stdout
    before = len(provider.journal.calls)
    examiner.judge_is_down = False
    found = shell.json(*command)
    assert {one["method"]: one["questions"] for one in found["standings"]} == {
        "single": COUNT,
        "self-consistency@2": COUNT,
    }
    for one in found["standings"]:
        assert (one["accuracy"]["value"], one["ungraded"]) == (pytest.approx(8 / 12), 0)
    later = provider.journal.calls[before:]
    assert [one.model for one in later] == ["judge"] * COUNT
    asked = sum(one.model == "judge" for one in provider.journal.calls)
    assert found["grading"]["judge"]["calls"] == asked
    refused = shell(*command, "--judge", "student").stderr
    assert "judged by teacher: leave --judge away" in refused


@pytest.mark.slow
def test_a_killed_run_asks_for_no_verdict_twice(
    shell: Shell, slow_provider: Provider, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    file = write_rows(tmp_path / "hle.jsonl", [*map(hle_row, range(4 * COUNT))])
    options = ("--method", "single", "--solver", "student", "--judge", "teacher", "--keep-text")
    command = ("bench", "run", f"hle-verified:{file}", *options, "--out", str(out))
    killed = subprocess.Popen(
        [*ATLAS, *command],
        env=shell.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + WAIT
        while len(judged(out)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(killed.pid, signal.SIGKILL)
    finally:
        killed.wait(WAIT)
    before = judged(out)
    assert 3 <= len(before) < 4 * COUNT
    found = shell.json(*command)
    [single] = found["standings"]
    assert (single["questions"], single["ungraded"]) == (4 * COUNT, 0)
    asked = [
        json.loads(one.body["messages"][-1]["content"])
        for one in slow_provider.journal.calls
        if one.model == "judge"
    ]
    times = Counter(one["question"] for one in asked)
    texts = {row["id"]: row["question"] for row in map(hle_row, range(4 * COUNT))}
    assert {times[texts[one]] for one in before} == {1}
    assert all(times[one] <= 2 for one in texts.values())


def judged(out: Path) -> set[str]:
    """The questions on whose answers there is a verdict, by whole lines of the file."""
    file = out / "verdicts.jsonl"
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    return {json.loads(line)["question"] for line in lines if line.endswith("\n")}


def test_what_a_judged_suite_needs_is_told_before_anything_is_paid(
    shell: Shell, provider: Provider, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "hle.jsonl", [hle_row(3)])
    where = ("--method", "single", "--out", str(tmp_path / "out"))
    command = ("bench", "run", f"hle-verified:{file}", *where)
    student = ("--solver", "student")
    for options, cure in (
        (student, "name one of your roster with --judge"),
        ((*student, "--judge", "nobody"), "--judge nobody: the roster has student, blind"),
        ((*student, "--verdicts", str(file)), "holds no verdict"),
        (("--solver", "blind", "--judge", "teacher"), "'blind' reads text only, and 1 questions"),
    ):
        assert cure in shell(*command, *options).stderr
    assert provider.journal.calls == []


def test_inspect_is_told_of_it_as_well(
    shell: Shell, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atlas_mcp.bench.inspecting import benchmark

    monkeypatch.setenv("ATLAS_ROSTER", shell.env["ATLAS_ROSTER"])
    suite = f"hle-verified:{write_rows(tmp_path / 'hle.jsonl', [hle_row(3)])}"
    asked: dict[str, Any]
    for asked, cure in (
        ({"solver": "student"}, "name one of your roster with --judge"),
        ({"solver": "student", "judge": "nobody"}, "--judge nobody: the roster has student, blind"),
        ({"solver": "blind", "judge": "teacher"}, "'blind' reads text only, and 1 questions"),
    ):
        with pytest.raises(BadRequestError, match=cure):
            benchmark(suite=suite, keep_text=True, out=str(tmp_path / "out"), **asked)
    assert provider.journal.calls == []
