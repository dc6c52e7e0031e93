r"""The notation of mathematics: LaTeX or plain text as a list of tokens.

Layout, words in \text and units after the formula are left out. Names come with a
backslash whichever way they were written, and every sign has one spelling.
"""

from __future__ import annotations

import re

from atlas_mcp.equivalence.units import is_letter_unit, is_unit, joins_quantities

TRIGONOMETRIC = frozenset("sin cos tan cot sec csc".split())

FUNCTIONS = TRIGONOMETRIC | frozenset("arcsin arccos arctan log exp sqrt".split())
LETTERS = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi"
    " psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell pi ∅ ∞".split()
)
ALIASES = {
    "ln": "log",
    "lg": "log",
    "infty": "∞",
    "infinity": "∞",
    "varphi": "phi",
} | dict.fromkeys(("emptyset", "varnothing"), "∅")
NAMES = FUNCTIONS | LETTERS | ALIASES.keys() | {"binom", "mod"}
"""The words that belong to mathematics."""


class UnreadableError(ValueError):
    """The text is no formula that we can read."""


def tokens(text: str) -> list[str]:
    """Return the tokens of a formula.

    Raises:
        UnreadableError: there are words in it.
    """
    found: list[str] = []
    for token in _TOKEN.findall(_tidied(text)):
        if token in NAMES:
            found.append("\\" + token)
        elif token.isalpha():
            if len(token) > 3:
                raise UnreadableError("there are words in the formula")
            found.extend(token)
        elif token not in _SKIPPED:
            found.append(_SPELLINGS.get(token, token))
    return found


def plain_exponents(text: str) -> str:
    """Write x² as x^{2}."""
    return re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda m: "^{" + m[0].translate(_RAISED) + "}", text)


_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "×": "*", "⋅": "*", "·": "*", "÷": "/", "≤": "<=", "≥": ">=",
        "≠": "!=", "π": r"\pi ", "θ": r"\theta ", "√": r"\sqrt ", "∞": r"\infty ",
        "±": r"\pm ", "∪": r"\cup ", "∈": r"\in ", "½": r"\frac12", "⅓": r"\frac13",
        "⅔": r"\frac23", "¼": r"\frac14", "¾": r"\frac34",
    }
)  # fmt: skip
_REWRITES = [
    (r"(?<=[0-9])(?:\{,\}|\\[,!;: ])(?=[0-9]{3})", ""),
    (r"\\(?:mathbb|mathbf|operatorname)\s*\{(\w+)\}", r" \1 "),
    (r"\^\s*(?:\\circ\b|\{\s*\\circ\s*\})", "°"),
    (r"\\[,;:! ]|\\\$|[$~]|\\(?:left|right)\.", " "),
    (r"\\%", "%"),
    (r"(?<=[0-9])\s*[xX]\s*(?=10\s*\^)", "*"),
    (r"\s(?:and|or)\s", ","),
    (r",\s*,", ","),
    (r"^\s*[A-Za-z]\s*\\in\b|^\s*[A-Za-z]\(\s*[a-z](?:\s*,\s*[a-z])*\s*\)\s*=", ""),
]
_LATEX_TEXT = re.compile(
    r"\\(?:text|textbf|textit|mbox|mathrm)\s*\{([^{}]*)\}(\s*\^\s*(?:\{-?[0-9]\}|[0-9]))?"
)
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])")
_TRAILING_WORD = re.compile(r"\s/?\s?([A-Za-zµμ]+)(?:\s?\^?\{?-?[1-9]\}?)?$")
_TOKEN = re.compile(
    r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE](?:[0-9]{1,4}|[-+][0-9]{2,4}))?(?![0-9])"
    r"|\\?[A-Za-z]+|[^\W\d_]|<=|>=|!=|\*\*|\\[{}|]|\S"
)
_SKIPPED = frozenset(rf"\{name}" for name in "left right big Big displaystyle quad qquad".split())
_SPELLINGS = {
    "**": "^", r"\cdot": "*", r"\times": "*", r"\div": "/", r"\le": "<=", r"\leq": "<=",
    r"\ge": ">=", r"\geq": ">=", r"\ne": "!=", r"\neq": "!=", r"\lt": "<", r"\gt": ">",
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\dbinom": r"\binom", r"\degree": "°",
    r"\lvert": "|", r"\rvert": "|", r"\vert": "|", r"\mid": "|",
}  # fmt: skip


def _tidied(text: str) -> str:
    text = plain_exponents(re.sub(r"\s+", " ", text)).translate(_CHARACTERS)
    text = _LATEX_TEXT.sub(_without_words, text)
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    if not re.search(r"[(\[{]", text):  # inside brackets a comma separates items
        text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = text.strip()
    while (unit := _TRAILING_WORD.search(text)) and is_unit(unit[1]):
        text = text[: unit.start()].rstrip()
    return text


def _without_words(match: re.Match[str]) -> str:
    r"""Drop the words of a \text unless they belong to the formula."""
    words = match[1].strip()
    if words in NAMES:
        return rf" \{words} "
    if words.lower() in {"and", "or", ","}:
        return " , "
    if len(words) == 1 and not is_letter_unit(words):
        return f" {words} {match[2] or ''}"
    if re.search(r"[0-9\\]", words) or joins_quantities(words):
        raise UnreadableError("there are words in the formula")
    return " "
