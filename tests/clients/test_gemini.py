"""Whole conversations in Gemini CLI, whose model reads the text of a result, not its structure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from clients.books import Pairs, books
from clients.conversation import LAST_WORD, PROBLEM, Move, Rule, Told
from clients.gemini_api import GeminiModel, gemini_model
from clients.hosts import LIMIT, Place, gemini_cli, one_by_one
from programs import scripted_atlas

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def play(place: Place, rule: Rule) -> GeminiModel:
    """Run one conversation to its last word."""
    with gemini_model(rule) as model:
        assert await gemini_cli(place, model.url) == LAST_WORD
    return model


def problem_id(told: Told) -> str:
    """The id that the first line names."""
    named = re.search(r"^problem (\w+): ", told.text, re.MULTILINE)
    assert named, told.text
    return named[1]


def shown(*told: Told) -> Pairs:
    """The ids and answers in the lines of evidence."""
    line = re.compile(r"^- (\w+) \S+ ok: “(.*)”$", re.MULTILINE)
    return sorted(found for one in told for found in line.findall(one.text))


async def test_the_text_alone_tells_the_model_all(tmp_path: Path) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        if not told:
            return Move("explore", problem=PROBLEM, draws=3)
        problem = problem_id(told[0])
        if len(told) == 1:
            return Move("explore", problem_id=problem, solver="second")
        if len(told) == 2:
            return Move("conclude", problem_id=problem, answer="42", because="3 of 4 agree.")
        return LAST_WORD

    place = Place(folder=tmp_path, variables=scripted_atlas(tmp_path))
    model = await play(place, rule)

    assert "Use explore to gather independent evidence" in json.dumps(model.asked[0])
    first, second, concluded = model.told
    stored = await books(place)
    assert shown(first, second) == stored.pairs
    assert "ledger: 4 asked, 4 answered, 0 failed, 0 unreadable; “42” × 3, “41” × 1" in second.text
    assert "Leading answer: “42” (3 of 4)." in concluded.text
    assert [one.because for one in stored.conclusions] == ["3 of 4 agree."]
    assert stored.account.spent.calls == 4


@pytest.mark.alone  # Gemini has as little time to start the server as for a call
async def test_what_was_found_before_the_host_cut_a_call_off_is_told_without_a_new_one(
    tmp_path: Path,
) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        if not told:
            return Move("explore", problem=PROBLEM, draws=8)
        if len(told) == 1:
            return Move("explore", problem=PROBLEM)
        return LAST_WORD

    place = Place(folder=tmp_path, variables=one_by_one(tmp_path), limit=LIMIT)
    model = await play(place, rule)

    cut, given = model.told
    assert "timed out" in cut.text
    stored = await books(place)
    stored.only_paid_for_what_had_begun(8)
    assert shown(given) == [(stored.evidence[0].id, "42")]
