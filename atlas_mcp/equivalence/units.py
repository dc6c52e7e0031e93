"""Words that follow a number and only say what was counted or measured."""

from __future__ import annotations

import re

_UNITS = frozenset(
    "cm mm km nm kg mg lb oz ft yd mi hr ml dl mol ms ns pa hz ev kj kw mw gb mb kb db usd eur"
    " per mph kmh deg rad sq μm µm °c °f"
    " unit square cubic meter metre mile inches inch feet foot yard second minute hour day year"
    " degree radian dollar cent euro gram kilogram liter litre joule newton watt volt percent"
    " ohm".split()
)
_LETTER_UNITS = frozenset("mgslLNVAWJKhCFT")
_LINKS = frozenset("of the at in".split())
_NOT_UNITS = frozenset(
    "and or plus minus over half than mod choose not if for when where otherwise more less least"
    " most such that is are to with each".split()
)
_PHRASE = re.compile(r"(?:\s*[/·*.]?\s*[^\W\d_]++(?:\s?\^?\{?-?[1-9]\}?|[²³])?)+")


def is_unit(word: str) -> bool:
    """Tell whether a word is a unit and could hardly be anything else."""
    low = word.lower()
    return low in _UNITS or low.removesuffix("s") in _UNITS


def is_letter_unit(letter: str) -> bool:
    """Tell whether a single letter can be a unit: m, s, but also a variable."""
    return letter in _LETTER_UNITS


def joins_quantities(words: str) -> bool:
    """Tell whether words such as "and" or "at least" make more of a number than a quantity."""
    return not _NOT_UNITS.isdisjoint(words.lower().split())


def is_measure(rest: str) -> bool:
    """Tell whether all that follows a number is what it counts or measures."""
    if rest.strip() in {"", "°"}:
        return True
    if len(rest) > 80 or not _PHRASE.fullmatch(rest):
        return False
    words = re.findall(r"[^\W\d_]+", rest)
    spaced = rest[0].isspace()
    if len(words[0]) == 1 and not spaced:
        return False  # "2x", and "5m" might be as well
    return all(_measures(word, spaced) for word in words)


def _measures(word: str, spaced: bool) -> bool:
    if word.lower() in _NOT_UNITS:
        return False
    if is_unit(word) or word in _LETTER_UNITS or word.lower() in _LINKS:
        return True
    # A capital letter rather makes it a name: "12 Monkeys".
    return spaced and len(word) > 2 and word.islower()
