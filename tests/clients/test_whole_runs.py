"""Whole conversations in other people's hosts, and what the store holds afterwards.

The host starts the product, offers its tools to the model and hands on what they give. The
model is a fake that plays by a rule, so a test sees all that a model would read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from clients.conversation import HostModel, Move, Rule, Told
from clients.hosts import Host, Place, claude_code, codex
from programs import scripted_atlas

from atlas_mcp.core.types import Account, Conclusion, Evidence
from atlas_mcp.evidence.sqlite import open_store
from solvers.fake import fake_provider

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PROBLEM = "What is 6 × 7?"
LAST_WORD = "The answer is 42."

LIMIT = 3.0
"""Seconds after which the host gives a tool up."""

SLOW = """\
[solvers.slow]
api = "scripted"
answers = ["42", "41", "40", "39", "38", "37", "36", "35"]
seconds = {seconds}
"""


@pytest.fixture(params=[claude_code, codex], ids=["claude-code", "codex"])
def host(request: pytest.FixtureRequest) -> Host:
    chosen: Host = request.param
    return chosen


async def play(host: Host, place: Place, rule: Rule) -> HostModel:
    """Run one conversation to its last word."""
    model = HostModel(rule)
    async with fake_provider(model) as provider:
        assert await host(place, provider) == LAST_WORD
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a store holds of its only problem."""

    evidence: list[Evidence]
    account: Account
    conclusions: list[Conclusion]


async def books(place: Place) -> Books:
    """The books once the host has ended."""
    async with open_store(Path(place.variables["ATLAS_STORE"])) as store:
        assert await store.verify() == []
        [problem] = await store.problems()
        assert problem.text == PROBLEM
        assert await store.pending(problem.id) == []
        return Books(
            evidence=await store.evidence(problem.id),
            account=await store.account(problem.id),
            conclusions=await store.conclusions(problem.id),
        )


def shown(*told: Told) -> list[tuple[str, str | None]]:
    """The ids and answers that the model reads in these results."""
    return sorted((one["id"], one["answer"]) for each in told for one in each.found["evidence"])


def held(stored: Books) -> list[tuple[str, str | None]]:
    """The ids and answers in the store."""
    return sorted((one.id, one.answer) for one in stored.evidence)


async def test_the_model_reads_all_evidence_the_ledger_and_the_problem_id(
    host: Host, tmp_path: Path
) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        if not told:
            return Move("explore", problem=PROBLEM, draws=3)
        problem_id = told[0].found["problem_id"]
        if len(told) == 1:
            return Move("explore", problem_id=problem_id, solver="second")
        if len(told) == 2:
            return Move("conclude", problem_id=problem_id, answer="42", because="3 of 4 agree.")
        return LAST_WORD

    place = Place(folder=tmp_path, variables=scripted_atlas(tmp_path))
    model = await play(host, place, rule)

    assert "Use explore to gather independent evidence" in json.dumps(model.asked[0].body)
    first, second, concluded = model.told
    stored = await books(place)
    assert shown(first, second) == held(stored)
    assert [one["answer"] for one in first.found["evidence"]] == ["42", "41", "42"]
    ledger = second.found["ledger"]
    assert [(one["answer"], one["count"]) for one in ledger["answers"]] == [("42", 3), ("41", 1)]
    assert ledger["spent"]["calls"] == stored.account.spent.calls == 4
    assert concluded.found["agrees_with_leader"] is True
    assert [one.because for one in stored.conclusions] == ["3 of 4 agree."]


async def test_a_call_longer_than_the_limit_of_the_host_is_collected_by_its_handle(
    host: Host, tmp_path: Path
) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        if not told:
            return Move("explore", problem=PROBLEM, draws=3, wait_seconds=0)
        if not told[-1].failed and told[-1].found["status"] == "done":
            return LAST_WORD
        return Move("collect", problem_id=told[0].found["problem_id"], wait_seconds=1)

    variables = scripted_atlas(tmp_path, SLOW.format(seconds=LIMIT + 1))
    place = Place(folder=tmp_path, variables=variables, limit=LIMIT)
    model = await play(host, place, rule)

    first, last = model.told[0].found, model.told[-1]
    stored = await books(place)
    assert first["status"] == "pending"
    assert {one["id"] for one in first["pending"]} == {one.id for one in stored.evidence}
    assert shown(last) == held(stored)
    assert sorted(one["answer"] for one in last.found["evidence"]) == ["40", "41", "42"]
    assert last.found["ledger"]["spent"]["calls"] == stored.account.spent.calls == 3


async def test_what_was_found_before_the_host_cut_a_call_off_is_told_without_a_new_one(
    host: Host, tmp_path: Path
) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        if not told:
            return Move("explore", problem=PROBLEM, draws=8)
        if len(told) == 1:
            return Move("explore", problem=PROBLEM)
        if len(told) == 2:
            return Move("collect", problem_id=told[1].found["problem_id"])
        return LAST_WORD

    # One after the other, so that the limit falls between the first and the last.
    variables = {**scripted_atlas(tmp_path, SLOW.format(seconds=1)), "ATLAS_PARALLEL": "1"}
    place = Place(folder=tmp_path, variables=variables, limit=LIMIT)
    model = await play(host, place, rule)

    cut, given, all_there_is = model.told
    assert cut.failed
    assert "timed out" in cut.text
    [one] = given.found["evidence"]
    assert (one["draw"], one["answer"]) == (1, "42")
    stored = await books(place)
    assert shown(all_there_is) == held(stored)
    statuses = [one.status for one in stored.evidence]
    finished = statuses.count("ok")
    assert statuses == ["ok"] * finished + ["cancelled"] * (8 - finished)
    # What the limit interrupted is paid for too, what had not begun is not.
    assert stored.account.spent.calls in (finished, finished + 1)
