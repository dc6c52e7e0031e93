"""Telling is joining: what is known does not depend on how it arrived."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from atlas_mcp.replay.state import Branch, Report, Spent, State, tell


@st.composite
def histories(draw: st.DrawFn) -> list[Report]:
    """What an environment tells of a few branches, round by round, each in parts."""
    known: dict[int, Branch] = {}
    reports: list[Report] = []
    for rounds in range(1, draw(st.integers(1, 6)) + 1):
        for number in draw(st.sets(st.integers(0, 4), min_size=1)):
            known[number] = _next(draw, known.get(number, Branch(0)))
            left = (9 - len(known),)
            spent = Spent(tokens=100.0 * rounds, calls=len(known), probes=len(reports))
            reports.append(Report({number: known[number]}, left, rounds, spent))
    return reports


def _next(draw: st.DrawFn, one: Branch) -> Branch:
    """What can become of a branch in a round."""
    if one.ended or one.pruned:
        return one
    depth = one.depth + 1
    ended = draw(st.booleans())
    if ended or draw(st.booleans()):
        one = one._replace(read=depth, answer=f"{depth}")
    return one._replace(depth=depth, ended=ended, pruned=not ended and draw(st.booleans()))


@given(histories(), st.data())
def test_reports_may_come_twice_and_in_any_order(
    history: list[Report], data: st.DataObject
) -> None:
    start = State(left=(9,))
    told = reduce(tell, history, start)
    again = data.draw(st.lists(st.sampled_from(history), max_size=5))
    mixed = data.draw(st.permutations(history + again))
    assert reduce(tell, mixed, start) == told


def test_a_branch_of_which_nothing_was_told_yet_is_not_taken_for_another() -> None:
    report = Report({1: Branch(0, 1, 1, "7")}, (0,), 1, Spent())
    assert tell(State(left=(2,)), report).branches == (Branch(-1), Branch(0, 1, 1, "7"))
