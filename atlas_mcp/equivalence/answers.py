r"""When two answers are the same answer.

Every answer gets a key, and answers with equal keys are equivalent, so equivalence is
reflexive, symmetric and transitive by construction. A key names the kind that matched:
"choice:B", "number:0.5", "math:…", "code:…" or "text:…".

`identity` says which numbers and formulas have one key. A constant has the key of the number,
so `\frac{1}{2}`, `0.5` and `50%` agree whichever way they were read. Doubt splits: where a
reading is uncertain, two answers stay apart rather than be merged. Units are not compared:
"5 km" and "5" are the same number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

from atlas_mcp.equivalence.formula import parse
from atlas_mcp.equivalence.identity import formula_key, labelled, number_key
from atlas_mcp.equivalence.notation import NAMES, plain_exponents
from atlas_mcp.equivalence.units import is_measure
from solvers.types import AnswerKind

MAX_FORMULA = 1_000
MAX_CODE = 20_000


def canonical(answer: str, kind: AnswerKind, problem: str = "") -> str:
    """Return the key of an answer. Any text has one, in bounded time; nothing is raised.

    `problem` is consulted for the options that it offers. An answer that cannot be read
    as `kind` gets a text key; an empty one gets "text:".
    """
    if kind != "code":
        answer = _unwrapped(answer)
    for reader in _READERS[kind]:
        key = reader(answer, problem)
        if key is not None:
            return key
    return _text_key(answer)


def same(a: str, b: str, kind: AnswerKind, problem: str = "") -> bool:
    """Tell whether two answers to a problem are equivalent."""
    return canonical(a, kind, problem) == canonical(b, kind, problem)


# --- what surrounds an answer -------------------------------------------------------------

_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BOLD = re.compile(r"(?<![\w)\]}*])\*\*(?=[^\s*])([^*\n]+)(?<=\S)\*\*(?![\w(*])")
_LEAD_IN = re.compile(
    r"(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:(?:the|my|our)\s+)?"
    r"(?:(?:final|correct|best|right)\s+)?(?:answer|result|solution|value)"
    r"(?:\s+(?:is|are|equals)\b\s*:?|\s*[:=])\s*",
    re.IGNORECASE,
)
_WORDS_OF_LATEX = re.compile(r"\\(?:text\w*|mbox|mathrm|mathbf)\s*\{([^{}]*)\}")


def _unwrapped(answer: str) -> str:
    """The answer without box, fence around one line, bold, lead-in and math delimiters."""
    text = answer.strip()
    fenced = _FENCE.fullmatch(text)
    if fenced and "\n" not in fenced[1].strip():
        text = fenced[1].strip()
    text = ", ".join(dict.fromkeys(_boxed(text))) or text
    text = _BOLD.sub(r"\1", text).strip()
    if "\n" not in text:
        text = text.strip("`").strip()
    if lead_in := _LEAD_IN.match(text):
        text = text[lead_in.end() :]
    text = re.sub(r"\\[()\[\]]|\$\$", " ", text).strip()
    if words := _WORDS_OF_LATEX.fullmatch(text):
        text = words[1].strip()
    return text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text


def _boxed(text: str) -> Iterator[str]:
    """The contents of all outermost boxes, without blanks around them."""
    start = 0
    while opening := _BOX.search(text, start):
        depth, end = 1, opening.end()
        while depth and end < len(text):
            escaped = text[end - 1] == "\\"
            depth += 0 if escaped else (text[end] == "{") - (text[end] == "}")
            end += 1
        if depth:
            return
        yield text[opening.end() : end - 1].strip()
        start = end


# --- choice -------------------------------------------------------------------------------

_OPTION_LINE = re.compile(r"^[ \t>*-]*\(?([A-Z])\**[).:]\**[ \t]*(\S.*)$", re.MULTILINE)
_OPTION_INLINE = re.compile(r"\(([A-Z])\)")
_OPTION = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?\s*([A-Z])\s*"
    r"(?:(?:[)\]]|[.:](?=\s|$)|\s[-–—]\s)(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_OPTIONS = re.compile(r"\(?[A-Z]\)?(?:\s*(?:,\s*and|,|and|&|;)\s*\(?[A-Z]\)?)+")
_SAID = re.compile(r"\b(?i:answer|option|choice)(?:\s+is)?\s*:?\s*\(?([A-Z])\)?(?![\w'])")


@lru_cache(maxsize=16)
def _offered(problem: str) -> Mapping[str, str]:
    """The options in a problem: letter to text. Empty unless there is an A and a B."""
    options = {match[1]: match[2].strip() for match in _OPTION_LINE.finditer(problem)}
    for match in _OPTION_INLINE.finditer(problem):
        options.setdefault(match[1], "")
    return options if {"A", "B"} <= options.keys() else {}


def _choice(text: str, problem: str) -> str | None:
    """Read an option by its letter, else by its whole text in the problem."""
    if len(text) > MAX_FORMULA:
        return None
    offered = _offered(problem)
    words = _WORDS_OF_LATEX.sub(r"\1", text)
    words = re.sub(r"\\[ ,;:!]|\\q?quad|[~$]", " ", words).strip(" *")
    letters = _letters(words)
    if letters and (not offered or offered.keys() >= set(letters)):
        return "choice:" + ",".join(letters)
    wanted = _text_key(text)
    named = [k for k, option in offered.items() if option and _text_key(option) == wanted]
    if len(named) == 1:
        return f"choice:{named[0]}"
    said = set(_SAID.findall(words))
    return f"choice:{said.pop()}" if len(said) == 1 and said <= (offered.keys() or said) else None


def _letters(words: str) -> list[str]:
    if _OPTIONS.fullmatch(words):
        return re.findall(r"[A-Z]", words)
    option = _OPTION.fullmatch(words)
    if option is None or re.search(r"(?:^|[\s(])[A-Z]\)", option[2] or ""):
        return []
    return [option[1].upper()]


def _offered_choice(text: str, problem: str) -> str | None:
    return _choice(text, problem) if _offered(problem) else None


# --- number -------------------------------------------------------------------------------

_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "dozen": 12}
_LITERAL = (
    r"(?P<sign>[-+]|minus\s|negative\s)?\s?[$€£¥]?\s?(?P<inner>-)?"
    r"(?P<digits>(?:[0-9]{1,3}(?:[, ][0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:e(?P<power>[-+]?[0-9]{1,4}))?"
    r"(?P<percent>\s*(?:%|per\s?cent\b))?(?:\s*(?P<scale>" + "|".join(_SCALES) + r")s?\b)?"
)
_QUANTITY = re.compile(_LITERAL + r"(?P<rest>[^0-9.,].*)?", re.IGNORECASE | re.DOTALL)
_MENTION = re.compile(rf"(?<![\w.^_\\])(?<!\w[-+]){_LITERAL}(?![\w^_])", re.IGNORECASE)
_MIXED = re.compile(r"([-+]?)\s*([0-9]+)\s+([0-9]+)\s*/\s*([0-9]+)")
_RANGE = re.compile(
    r"[0-9][0-9.,]*(?<!,)(?:\s*[-–—]\s*[0-9][0-9.,]*|(?:\s*[-–—/]\s*[0-9]+){2,})"
    r"(?:\s*%|\s+[^\W\d_]{3,})?"
)
_SPEAKS_OF_MORE = frozenset("or plus over half than mod choose times squared cubed root".split())


def _number(text: str, problem: str = "") -> str | None:
    """Read one number that is alone or has a unit after it."""
    if len(text) > MAX_FORMULA:
        return None
    text = _plain_signs(text)
    if mixed := _MIXED.fullmatch(text):
        whole, top, bottom = map(int, mixed.groups()[1:])
        if top < bottom:
            value = whole + Fraction(top, bottom)
            return _bounded_key(-value if mixed[1] == "-" else value)
    quantity = _QUANTITY.fullmatch(text)
    if quantity is None or not is_measure(quantity["rest"] or "") or _names(quantity["rest"] or ""):
        return None
    return _bounded_key(_literal_value(quantity))


def _mentioned_number(text: str, problem: str = "") -> str | None:
    """Read the only number in a sentence."""
    if len(text) > MAX_FORMULA or _RANGE.fullmatch(text):
        return None
    text = _plain_signs(text)
    keys = {_bounded_key(_literal_value(match)) for match in _MENTION.finditer(text)}
    rest = _MENTION.sub(" ", text)
    words = re.findall(r"[^\W\d_]+", rest)
    if len(keys) != 1 or not words or re.search(r"[^\w\s.,;:!?'’\"()$-]|[\d_]", rest):
        return None
    if _names(rest) or any(len(word) == 1 and word not in "aAIs" for word in words):
        return None
    return None if _SPEAKS_OF_MORE & set(rest.lower().split()) else keys.pop()


def _plain_signs(text: str) -> str:
    text = text.replace("−", "-").replace("\\%", "%").replace("\\$", "$").replace("{,}", ",")
    text = re.sub(r"°\s?[CF]\b", "°", re.sub(r"\s+", " ", text))
    return text.strip(" $") if text.count("$") > 1 else text.strip()


def _names(text: str) -> bool:
    """Tell whether there are words of mathematics in a text, such as "pi"."""
    return not NAMES.isdisjoint(re.findall(r"[^\W\d_]+", text.lower()))


def _literal_value(match: re.Match[str]) -> Fraction:
    value = Fraction(re.sub(r"[^0-9.]", "", match["digits"])) * Fraction(10) ** int(
        match["power"] or 0
    )
    value *= _SCALES[match["scale"].lower()] if match["scale"] else 1
    signs = ((match["sign"] or "+").strip() != "+") + bool(match["inner"])
    return (-value if signs == 1 else value) / (100 if match["percent"] else 1)


def _bounded_key(value: Fraction) -> str | None:
    try:
        return number_key(value)
    except OverflowError:
        return None


# --- math ---------------------------------------------------------------------------------


def _formula(text: str, problem: str = "") -> str | None:
    """Read a formula, an equation, or a list, tuple, set or interval of them."""
    plain = text.replace(" ", "").strip(".,!?")
    words = plain.isalpha() and len(plain) > 1 and text.lower() not in NAMES
    if words or not text or len(text) > MAX_FORMULA:
        return None
    try:
        return formula_key(parse(text))
    except (ArithmeticError, ValueError, TypeError):
        return None


def _quantity_formula(text: str, problem: str = "") -> str | None:
    return None if _RANGE.fullmatch(text) else _formula(text)


def _squeezed(text: str, problem: str = "") -> str | None:
    """The last resort for a formula that cannot be parsed: its spelling without layout."""
    if not re.search(r"[\\^_=<>{}\[\]|+*/]", text) or len(text) > MAX_FORMULA:
        return None
    return labelled("text", re.sub(r"\s+", "", re.sub(r"\\(?:left|right|[,;:! ])", "", text)))


def _apparent_formula(text: str, problem: str = "") -> str | None:
    """Read a formula where the text looks like one: signs, digits, and no stray words."""
    if "\n" in text:
        return None
    if not re.search(r"[\\^=√π½⅓⅔¼¾⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ]", text):
        words = re.findall(r"[^\W\d_]{2,}", text)
        if not re.search(r"[0-9+*/<>|±×÷≤≥∞]", text) or any(w not in NAMES for w in words):
            return None
    key = _quantity_formula(text)
    return key if key is not None or "\\" not in text else _squeezed(text)


# --- code ---------------------------------------------------------------------------------

_CODE_PIECE = re.compile(
    r"(?P<docstring>^[ \t]*(?P<q>'{3}|\"{3})(?:(?!(?P=q)).)*(?P=q)(?=\s*$))"
    r"|(?P<comment>#(?!\s*(?:include|define|if))[^\n]*)|(?P<blank>[ \t]+)"
    r"|'{3}.*?'{3}|\"{3}.*?\"{3}|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|\\.|\w+|.",
    re.DOTALL | re.MULTILINE,
)
_DEFINITION = re.compile(r"^(?:def|class) \w+.*:|^import \w+|^from \S+ import ", re.MULTILINE)


def _code(text: str, problem: str = "") -> str | None:
    """Read a program: its text without comments, docstrings, blank lines and spacing."""
    source = "\n".join(match[1] for match in _FENCE.finditer(text)) or text
    source = source.replace("\r\n", "\n").strip()
    if not source or len(source) > MAX_CODE:
        return labelled("code", source) if source else None
    lines = _CODE_PIECE.sub(_kept, source).split("\n")
    return labelled("code", "\n".join(line.rstrip() for line in lines if line.strip()))


def _kept(piece: re.Match[str]) -> str:
    """What stays of a piece of code: no comment, and of the blanks those that matter."""
    if piece["comment"] or piece["docstring"]:
        return ""
    if not piece["blank"]:
        return piece[0]
    before = piece.string[piece.start() - 1] if piece.start() else "\n"
    after = piece.string[piece.end() : piece.end() + 1]
    if before == "\n":
        return piece[0].expandtabs(4)
    return " " if (before + after).replace("_", "a").isalnum() else ""


def _evident_code(text: str, problem: str = "") -> str | None:
    """Read code where it is fenced, or has several lines and defines something."""
    lines = "\n" in text and _DEFINITION.search(text)
    return _code(text) if lines or _FENCE.search(text) else None


# --- text ---------------------------------------------------------------------------------


def _text_key(text: str) -> str:
    words = plain_exponents(_WORDS_OF_LATEX.sub(r"\1", text))
    words = unicodedata.normalize("NFKC", words).casefold()
    words = unicodedata.normalize("NFKC", words)
    words = re.sub(r"['’ʼ`]", "", re.sub(r"[‐‑–—−]", "-", words))
    words = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", words)
    words = re.sub(r"(?<=\d)[ \t]*([-:])[ \t]*(?=\d)", r"\1", words)
    kept = "".join(c if _matters(words, i) else " " for i, c in enumerate(words))
    stripped = [word.strip("*") or word for word in kept.split()]
    plain = [word for word in stripped if word not in {"a", "an", "the"}]
    return labelled("text", " ".join(plain or words.split()))


def _matters(text: str, place: int) -> bool:
    """Tell whether a character carries meaning: all but punctuation outside numbers."""
    character = text[place]
    if not unicodedata.category(character).startswith("P") or character in "#%&/@*":
        return character != "$"
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if character in ".:":
        return after.isdigit() and (character == "." or before.isdigit())
    return character == "-" and after.isdigit() and not before.isalpha()


_READERS: dict[AnswerKind, tuple[Callable[[str, str], str | None], ...]] = {
    "choice": (_choice,),
    "number": (_number, _mentioned_number, _quantity_formula, _squeezed),
    "math": (_number, _formula, _squeezed),
    "code": (_code,),
    "text": (),
    "auto": (_offered_choice, _number, _apparent_formula, _evident_code),
}
