"""What is shown of solver text cannot steer the terminal that shows it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_mcp.core.cleaning import clean, one_line

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

# Much of what must go, so that removing one thing often leaves another behind.
nasty = st.text(st.one_of(st.sampled_from("\x1b[]0m;\x07\\\x9b\r\n\t" + BIDI), st.characters()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[31;1m42\x1b[0m", "42"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", "]0;never closed"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\u202etxet\u2066", "txet"),
        ("half \ud800", "half "),
        ("नमस्ते 👩‍👩‍👧 می‌خواهم x²", "नमस्ते 👩‍👩‍👧 می‌خواهم x²"),
    ],
)
def test_what_steers_a_terminal_goes_and_what_is_written_stays(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(nasty)
def test_clean_text_can_be_written_and_is_clean_already(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    assert not {c for c in cleaned if unicodedata.category(c) == "Cc"} - {"\n", "\t"}
    assert not set(BIDI) & set(cleaned)


@given(nasty, st.integers(1, 40))
def test_one_line_is_one_line_of_bounded_length(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1
    assert one_line(line, most) == line
