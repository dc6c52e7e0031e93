"""Whole conversations in other people's hosts, and what the store holds afterwards.

The host starts the product, offers its tools to the model and hands on what they give. The
model is a fake that plays by a rule, so a test sees all that a model would read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from clients.books import Pairs, books
from clients.conversation import LAST_WORD, PROBLEM, HostModel, Move, Rule, Told
from clients.hosts import LIMIT, Host, Place, claude_code, codex, one_by_one, slow
from programs import scripted_atlas

from solvers.fake import fake_provider

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


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


def shown(*told: Told) -> Pairs:
    """The ids and answers that the model reads in these results."""
    return sorted((one["id"], one["answer"]) for each in told for one in each.found["evidence"])


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
    assert shown(first, second) == stored.pairs
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

    place = Place(folder=tmp_path, variables=slow(tmp_path, LIMIT + 1), limit=LIMIT)
    model = await play(host, place, rule)

    first, last = model.told[0].found, model.told[-1]
    stored = await books(place)
    assert first["status"] == "pending"
    assert {one["id"] for one in first["pending"]} == {one.id for one in stored.evidence}
    assert shown(last) == stored.pairs
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

    place = Place(folder=tmp_path, variables=one_by_one(tmp_path), limit=LIMIT)
    model = await play(host, place, rule)

    cut, given, all_there_is = model.told
    assert cut.failed
    assert "timed out" in cut.text
    [one] = given.found["evidence"]
    assert (one["draw"], one["answer"]) == (1, "42")
    stored = await books(place)
    assert shown(all_there_is) == stored.pairs
    stored.only_paid_for_what_had_begun(8)
