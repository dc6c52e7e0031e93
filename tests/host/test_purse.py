"""What a run may spend: as long as only what is covered is spent, no cap is ever passed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atlas_mcp.core.types import Caps
from atlas_mcp.host.purse import Purse
from solvers.types import Meter, Usage, WorstCase

amounts = st.integers(0, 500)
maybe = st.none() | amounts


@st.composite
def spendings(draw: st.DrawFn) -> tuple[WorstCase, int | None, float | None, bool]:
    """A worst case, what was used in the end within it or unknown, and who used it."""
    tokens, cents = draw(maybe), draw(maybe)
    worst = WorstCase(tokens=tokens, usd=None if cents is None else cents / 100, seconds=1.0)
    part = draw(st.none() | st.floats(0, 1))
    used = None if part is None or tokens is None else int(tokens * part)
    usd = None if part is None or worst.usd is None else worst.usd * part
    return worst, used, usd, draw(st.booleans())


def spend(purse: Purse, worst: WorstCase, used: int | None, usd: float | None, own: bool) -> None:
    if own:
        usage = Usage(requests=1, input_tokens=used, output_tokens=0)
        purse.book_turn(Meter(usage=usage, usd=usd), worst)
    else:
        purse.book_call(used, usd, 1.0, Caps(tokens=worst.tokens, usd=worst.usd))


@given(cap=amounts, cents=amounts, steps=st.lists(spendings(), max_size=20), kept=spendings())
def test_no_cap_is_passed_and_what_was_laid_aside_stays_there(
    cap: int,
    cents: int,
    steps: list[tuple[WorstCase, int | None, float | None, bool]],
    kept: tuple[WorstCase, int | None, float | None, bool],
) -> None:
    purse = Purse(caps=Caps(tokens=cap, usd=cents / 100))
    aside = kept[0]
    was_room = purse.covers(aside)
    for worst, used, usd, own in steps:
        if purse.covers(worst, aside):
            spend(purse, worst, used, usd, own)
    assert (purse.committed.tokens or 0) <= cap
    assert (purse.committed.usd or 0.0) <= cents / 100 + 1e-6
    assert purse.covers(aside) == was_room


@given(steps=st.lists(spendings(), max_size=20))
def test_parts_sum_and_an_unknown_part_makes_the_sum_unknown(
    steps: list[tuple[WorstCase, int | None, float | None, bool]],
) -> None:
    purse = Purse()
    for step in steps:
        spend(purse, *step)
    used = [step[1] for step in steps]
    whole = None if None in used else sum(one for one in used if one is not None)
    assert purse.spent.tokens == whole
    assert purse.spent.calls == sum(not step[3] for step in steps)


@given(cap=amounts, parts=st.integers(1, 8), kept=amounts)
def test_the_shares_of_calls_at_the_same_time_fit_beside_what_is_kept(
    cap: int, parts: int, kept: int
) -> None:
    purse = Purse(caps=Caps(tokens=cap))
    aside = WorstCase(tokens=kept, usd=None, seconds=1.0)
    share = purse.share(1 / parts, [aside]).tokens
    assert share is not None
    assert share * parts + min(kept, cap) <= cap


def test_without_caps_everything_is_covered() -> None:
    unbounded = WorstCase(tokens=None, usd=None, seconds=1.0)
    assert Purse().covers(unbounded)
    assert not Purse(caps=Caps(usd=1e9)).covers(unbounded)
    assert Purse().left == Caps()
