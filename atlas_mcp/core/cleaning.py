"""Text of solvers and hosts made fit to be shown: it must not steer a terminal or a reader."""

from __future__ import annotations

import re

_UNFIT = re.compile(
    r"""
    \x1b\[[0-?]*[\ -/]*[@-~]                # terminal escapes: colours, cursor, erasing
    | \x1b\][^\x07\x1b]*(?:\x07|\x1b\\)     # the same: titles, links
    | [\x00-\x08\x0b-\x1f\x7f-\x9f]         # control characters but tab and newline
    | [\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]  # changes of direction
    | [\ud800-\udfff]                       # halves of characters, which no encoding can write
    """,
    re.VERBOSE,
)


def clean(text: str) -> str:
    """Text without terminal escapes, control characters, direction overrides and lone surrogates.

    Tabs and newlines stay.
    """
    return _UNFIT.sub("", text)


def cut(text: str, most: int) -> str:
    """Clean text of at most `most` characters; a cut says how much is missing."""
    text = clean(text)
    if len(text) <= most:
        return text
    note = f"… [{len(text)} characters]"
    return text[: max(most - len(note), 0)] + note


def one_line(text: str, most: int | None = None) -> str:
    """Clean text on one line, of at most `most` characters where given."""
    line = " ".join(clean(text).split())
    return line if most is None or len(line) <= most else line[: most - 1] + "…"
