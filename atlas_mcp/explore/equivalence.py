r"""When two answers are the same answer.

Every answer gets a key, and answers with equal keys are equivalent, so equivalence is
reflexive, symmetric and transitive by construction. A key names the kind that matched:
"choice:B", "number:1/2", "math:…", "code:…" or "text:…".

Formulas, LaTeX or plain, are parsed to a tree and compared by numeric fingerprint: their
values at fixed points, rounded to nine significant digits. Constants that are rational get
the key of the number, so `\frac{1}{2}`, `0.5` and `50%` agree whichever way they were read.

Doubt splits: where a reading is uncertain, two answers stay apart rather than be merged.
Units are not compared: "5 km" and "5" are the same number.
"""

from __future__ import annotations

import ast
import cmath
import hashlib
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from solvers.types import AnswerKind

MAX_FORMULA = 2_000
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
    r"(?:(?:final|correct|best|right|numerical)\s+)?(?:answer|result|solution|value)"
    r"(?:\s+(?:is|are|equals)\b\s*:?|\s*[:=])\s*",
    re.IGNORECASE,
)
_WORDS_OF_LATEX = re.compile(r"\\(?:text\w*|mbox|mathrm|mathbf|mathsf)\s*\{([^{}]*)\}")


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
    r"(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?\s*([A-Za-z])\s*"
    r"(?:[)\]](.*)|[.:](?:\s(.*))?|\s[-–—]\s(.*))?",
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
    letters = _letters(words, offered)
    if letters:
        return "choice:" + ",".join(letters)
    named = [letter for letter, option in offered.items() if option and _same_words(option, text)]
    if len(named) == 1:
        return f"choice:{named[0]}"
    said = set(_SAID.findall(words))
    return f"choice:{said.pop()}" if len(said) == 1 and said <= (offered.keys() or said) else None


def _letters(words: str, offered: Mapping[str, str]) -> list[str]:
    if _OPTIONS.fullmatch(words):
        letters = re.findall(r"[A-Z]", words)
    elif option := _OPTION.fullmatch(words):
        rest = option[2] or option[3] or option[4] or ""
        letters = [] if re.search(r"(?:^|[\s(])[A-Z]\)", rest) else [option[1].upper()]
    else:
        letters = []
    return letters if not offered or offered.keys() >= set(letters) else []


def _same_words(option: str, text: str) -> bool:
    return _text_key(_unwrapped(option)) == _text_key(text)


def _offered_choice(text: str, problem: str) -> str | None:
    return _choice(text, problem) if _offered(problem) else None


# --- number -------------------------------------------------------------------------------

_SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
_DIGITS = (
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+)(?![0-9])"
    r"(?:\.[0-9]+)?|\.[0-9]+)"
)
_LITERAL = (
    r"(?P<sign>[-+]|minus\s|negative\s)?\s?[$€£¥₹]?\s?(?P<inner>-)?"
    rf"(?P<digits>{_DIGITS})(?:e(?P<power>[-+]?[0-9]{{1,4}}))?"
    r"(?P<percent>\s*(?:%|per\s?cent\b))?(?:\s*(?P<scale>" + "|".join(_SCALES) + r")s?\b)?"
)
_QUANTITY = re.compile(_LITERAL + r"(?P<unit>[^0-9.,].*)?", re.IGNORECASE | re.DOTALL)
_MENTION = re.compile(rf"(?<![\w.^_\\])(?<!\w[-+]){_LITERAL}(?![\w^_])", re.IGNORECASE)
_MIXED = re.compile(r"([-+]?)\s*([0-9]+)\s+([0-9]+)\s*/\s*([0-9]+)")
_UNIT = re.compile(r"(?:\s*[/·*.]?\s*[^\W\d_]++(?:\s?\^?\{?-?[1-9]\}?|[²³])?)+")
_RANGE = re.compile(
    r"[0-9][0-9.,]*(?:\s*[-–—]\s*[0-9][0-9.,]*|(?:\s*[-–—/]\s*[0-9]+){2,})"
    r"(?:\s*%|\s+[^\W\d_]{3,})?"
)
_SHORT_UNITS = frozenset(
    "cm mm km nm kg mg lb oz ft in yd mi hr ml dl mol ms ns pa hz ev kj kw mw gb mb kb db usd eur"
    " of the per at mph deg rad sq μm µm °c °f".split()
)
_LETTER_UNITS = frozenset("mgslLNVAWJKhCFT")
_UNITS = _SHORT_UNITS - {"of", "the", "at", "in"} | frozenset(
    "units unit square cubic meters metres meter metre miles inches inch feet foot yards seconds"
    " second minutes minute hours hour days day years year degrees degree radians dollars cents"
    " euros grams kilograms liters litres joules newtons watts volts percent kmh kph kpa mpa khz"
    " mhz ghz kev mev gev kwh mmol atm ohms ohm".split()
)
_NOT_UNITS = frozenset(
    "and or plus minus over half than mod choose not if for when where otherwise more less least"
    " most such that is are to with each".split()
)


def _number(text: str, problem: str = "") -> str | None:
    """Read one number that is alone or has a unit after it."""
    if len(text) > MAX_FORMULA:
        return None
    text = _plain_signs(text)
    if mixed := _MIXED.fullmatch(text):
        sign, whole, top, bottom = mixed[1], int(mixed[2]), int(mixed[3]), int(mixed[4])
        if top < bottom:
            value = whole + Fraction(top, bottom)
            return _rational_key(-value if sign == "-" else value)
    quantity = _QUANTITY.fullmatch(text)
    if quantity is None or not _is_unit(quantity["unit"] or ""):
        return None
    return _rational_key(_literal_value(quantity))


def _mentioned_number(text: str, problem: str = "") -> str | None:
    """Read the only number in a sentence."""
    if len(text) > MAX_FORMULA or _RANGE.fullmatch(text):
        return None
    text = _plain_signs(text)
    values = {_rational_key(_literal_value(match)) for match in _MENTION.finditer(text)}
    rest = _MENTION.sub(" ", text)
    words = re.findall(r"[^\W\d_]+", rest)
    if len(values) != 1 or not re.fullmatch(r"(?:[^\W\d_]|[\s.,;:!?'’\"()$-])*", rest):
        return None
    if any(word.lower() in _NAMES or word.lower() in _NOT_IN_SENTENCES for word in words):
        return None
    if any(len(word) == 1 and word not in {"a", "A", "I", "s"} for word in words):
        return None
    return values.pop() if words else None


_NOT_IN_SENTENCES = frozenset("or plus over half than mod choose times squared cubed root".split())


def _plain_signs(text: str) -> str:
    text = text.replace("−", "-").replace("\\%", "%").replace("\\$", "$").replace("{,}", ",")
    text = re.sub(r"°\s?[CF]\b", "°", re.sub(r"\s+", " ", text))
    return text.strip(" $") if text.count("$") > 1 else text.strip()


def _literal_value(match: re.Match[str]) -> Fraction | None:
    power = int(match["power"] or 0)
    if abs(power) > 4_000:
        return None
    value = Fraction(re.sub(r"[^0-9.]", "", match["digits"])) * Fraction(10) ** power
    if match["percent"]:
        value /= 100
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    signs = ((match["sign"] or "+").strip() != "+") + bool(match["inner"])
    return -value if signs == 1 else value


def _is_unit(rest: str) -> bool:
    """Tell whether what follows a number only says what was counted or measured."""
    if rest.strip() in {"", "°"}:
        return True
    if len(rest) > 80 or not _UNIT.fullmatch(rest):
        return False
    words = re.findall(r"[^\W\d_]+", rest)
    if len(words[0]) == 1 and not rest[0].isspace():
        return False
    return all(_is_unit_word(word, spaced=rest[0].isspace()) for word in words)


def _is_unit_word(word: str, spaced: bool) -> bool:
    low = word.lower()
    if low in _NAMES or low in _NOT_UNITS:
        return False
    if low in _UNITS or low in _SHORT_UNITS or word in _LETTER_UNITS:
        return True
    # A capital letter rather makes it a name: "12 Monkeys".
    return spaced and len(word) > 2 and word.islower()


def _rational_key(value: Fraction | None) -> str | None:
    return None if value is None or _bits(value) > _MAX_BITS else f"number:{value}"


# --- code ---------------------------------------------------------------------------------


def _code(text: str, problem: str = "") -> str | None:
    source = "\n".join(match[1] for match in _FENCE.finditer(text)) or text
    source = source.replace("\r\n", "\n").strip()
    if not source:
        return None
    tree = _python(source)
    if tree is not None:
        try:
            return _key("code", ast.unparse(_without_docstrings(tree)))
        except (RecursionError, ValueError):
            pass
    return _key("code", " ".join(source.split()))


def _python(source: str) -> ast.Module | None:
    if len(source) > MAX_CODE:
        return None
    try:
        # A key must not depend on which warnings are errors today.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:] or [ast.Pass()]
    return tree


def _evident_code(text: str, problem: str = "") -> str | None:
    """Read code where it is fenced, or has several lines that are Python statements."""
    if _FENCE.search(text):
        return _code(text)
    if "\n" not in text:
        return None
    tree = _python(text)
    return _code(text) if tree and any(not isinstance(s, ast.Expr) for s in tree.body) else None


# --- text ---------------------------------------------------------------------------------


def _text_key(text: str) -> str:
    words = _without_raised_digits(_WORDS_OF_LATEX.sub(r"\1", text))
    words = unicodedata.normalize("NFKC", words).casefold()
    words = unicodedata.normalize("NFKC", words)
    words = re.sub(r"['’ʼ`]", "", re.sub(r"[‐‑–—−]", "-", words))
    words = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", words)
    words = re.sub(r"(?<=\d)[ \t]*([-:])[ \t]*(?=\d)", r"\1", words)
    kept = "".join(c if _matters(words, i) else " " for i, c in enumerate(words))
    stripped = [word.strip("*") or word for word in kept.split()]
    plain = [word for word in stripped if word not in {"a", "an", "the"}]
    return _key("text", " ".join(plain or words.split()))


def _matters(text: str, place: int) -> bool:
    """Tell whether a character carries meaning: all but punctuation outside numbers."""
    character = text[place]
    if not unicodedata.category(character).startswith("P") or character in "#%&/@*":
        return character != "$"
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if character in ".:":
        return after.isdigit() and (character == "." or before.isdigit())
    return character == "-" and after.isdigit() and not before.isalpha()


def _key(kind: str, body: str) -> str:
    data = body.encode("utf-8", "backslashreplace")
    if len(data) > 500:
        return f"{kind}:sha256 {hashlib.sha256(data).hexdigest()}"
    return f"{kind}:{data.decode()}"


# --- math: reading ------------------------------------------------------------------------


class _Unreadable(ValueError):
    """The text is no formula that we can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    value: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symbol:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apply:
    operation: str
    operands: tuple[_Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collection:
    """A tuple, list, set or interval; `brackets` is its opening and closing character."""

    brackets: str
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    """A chain such as 0 < x <= 1: one more side than signs."""

    signs: tuple[str, ...]
    sides: tuple[_Node, ...]


_Node = _Number | _Symbol | _Apply | _Collection | _Relation

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau"
    " upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar"
).split()
_ALIASES = {
    "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "ln": "log", "lg": "log",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot",
    "ceiling": "ceil", "empty": "∅", "emptyset": "∅", "varnothing": "∅", "infty": "∞", "inf": "∞",
    "infinity": "∞",
}  # fmt: skip
_TRIGONOMETRIC = frozenset("sin cos tan cot sec csc".split())
_PREFIX = _TRIGONOMETRIC | frozenset(
    "arcsin arccos arctan sinh cosh tanh log exp abs floor ceil max min gcd lcm sqrt cbrt".split()
)
_NAMES = _PREFIX | frozenset(
    [*_GREEK, "pi", "binom", "ln", "lg", "asin", "acos", "atan", "infty", "infinity", "mod"]
)
_SPLIT_NAMES = sorted(_NAMES - {"mod", "nu", "mu", "xi", "eta", "chi", "psi", "ell"}, key=len)[::-1]

_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "×": "*", "⋅": "*", "·": "*", "∙": "*", "∗": "*",
        "÷": "/", "⁄": "/", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=",
        "π": r"\pi ", "√": r"\sqrt ", "∛": r"\cbrt ", "∅": r"\emptyset ", "∞": r"\infty ",
        "±": r"\pm ", "∓": r"\mp ", "∪": r"\cup ", "∈": r"\in ", "⌊": r"\lfloor ",
        "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "½": r"\frac12", "⅓": r"\frac13",
        "⅔": r"\frac23", "¼": r"\frac14", "¾": r"\frac34", "θ": r"\theta ", "φ": r"\phi ",
        "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ",
        "μ": r"\mu ", "ω": r"\omega ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ",
        "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    }
)  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

_REWRITES: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"(?<=[0-9])(?:\{,\}|\\[,!;: ])(?=[0-9]{3})", ""),
        (r"\\(?:left|right)\.", " "),
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|q?quad)(?![A-Za-z])", " "),
        (r"\\(?:mathbb|mathbf|mathit|mathcal|boldsymbol)\s*\{(\w)\}", r" \1 "),
        (r"\\operatorname\*?\s*\{(\w+)\}", r"\\\1 "),
        (r"\\(?:d|t|c)(frac|binom)(?![A-Za-z])", r"\\\1"),
        (r"\\(?:leq?|leqslant)(?![A-Za-z])", "<="),
        (r"\\(?:geq?|geqslant)(?![A-Za-z])", ">="),
        (r"\\neq?(?![A-Za-z])", "!="),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"\\(?:cdot|times|ast)(?![A-Za-z])", "*"),
        (r"\\div(?![A-Za-z])", "/"),
        (r"\\[lr]?vert(?![A-Za-z])|\\mid(?![A-Za-z])", "|"),
        (r"\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})|\\degree(?![A-Za-z])", "°"),
        (r"\\[%]", "%"),
        (r"\\[,;:! ]|\\\$|[$~]", " "),
        (r"\s+", " "),
        (r"(?<=[0-9])\s*[xX]\s*(?=10\s*\^)", "*"),
        (r"\s(?:and|or)\s", " , "),
        (r",\s*,", ","),
        (r"^\s*(?:\\approx|≈)", ""),
        (r"^\s*[A-Za-z](?:_\w)?\s*\\in(?![A-Za-z])", ""),
        (r"^\s*[A-Za-z]\(\s*[a-z](?:\s*,\s*[a-z])*\s*\)\s*=", ""),
    ]
]
_LATEX_TEXT = re.compile(
    r"\\(?:text|textrm|textbf|textit|textup|mbox|mathrm|rm)\s*\{([^{}]*)\}"
    r"(\s*\^\s*(?:\{-?[0-9]\}|[0-9]))?"
)
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])")
_TRAILING_UNIT = re.compile(r"\s/?\s?([A-Za-zµμ]+)(?:\s?\^?\{?-?[1-9]\}?)?$")


def _tidied(text: str) -> str:
    """LaTeX or plain mathematics in one spelling, without layout and units."""
    text = _without_raised_digits(re.sub(r"\s+", " ", text))
    text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_{" + m[0].translate(_LOWERED) + "}", text)
    text = _LATEX_TEXT.sub(_without_words, text.translate(_CHARACTERS))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _THOUSANDS.sub(lambda m: _joined_digits(text, m), text).strip()
    while (unit := _TRAILING_UNIT.search(text)) and unit[1].lower() in _UNITS:
        text = text[: unit.start()].rstrip()
    return text


def _without_raised_digits(text: str) -> str:
    return re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda m: "^{" + m[0].translate(_RAISED) + "}", text)


def _without_words(match: re.Match[str]) -> str:
    r"""Drop the words of a \text unless they belong to the formula."""
    words = match[1].strip()
    if words in _NAMES:
        return rf" \{words} "
    if words.lower() in {"and", "or", ","}:
        return " , "
    if len(words) == 1 and words not in _LETTER_UNITS:
        return f" {words} {match[2] or ''}"
    if re.search(r"[0-9\\]", words) or _NOT_UNITS & set(words.lower().split()):
        raise _Unreadable("there are words in the formula")
    return " "


def _joined_digits(text: str, match: re.Match[str]) -> str:
    """Inside brackets a comma separates items; outside of them it groups digits."""
    before = text[: match.start()]
    depth = sum(map(before.count, ("(", "[", r"\{"))) - sum(map(before.count, (")", "]", r"\}")))
    return match[0] if depth > 0 else match[0].replace(",", "")


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
    r"(?:[eE](?:[0-9]{1,4}|[-+][0-9]{2,4}|(?<=\.[0-9][eE])[-+][0-9]))?(?![0-9]))"
    r"|(?P<name>\\[A-Za-z]+|[^\W\d_]+)"
    r"|(?P<mark><=|>=|!=|\*\*|\\[{}|]|\S))"
)
_CLOSING = {"(": ")]", "[": ")]", r"\{": r"\}", "{": "}"}
_FENCED = {r"\lfloor": ("floor", r"\rfloor"), r"\lceil": ("ceil", r"\rceil")}
_RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!="])
_MAX_NESTING = 25
_PLAIN_FRACTION = re.compile(r"\\frac(?:\{([0-9]+)\}|([0-9]))(?:\{([0-9]+)\}|([0-9]))")


def _parsed(text: str) -> _Node:
    """Parse tidied mathematics, a list of statements included.

    Raises:
        _Unreadable: it is not in the grammar, or nested too deeply.
    """
    parser = _Parser(_tokens(text))
    items = parser.items()
    if parser.next is not None:
        raise _Unreadable("there is something left over")
    return items[0] if len(items) == 1 else _Collection(brackets="()", items=tuple(items))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        name = match["name"]
        if name is None:
            tokens.append("^" if match[0].strip() == "**" else match[0].strip())
        elif name.startswith("\\"):
            tokens.append(name)
        else:
            tokens.extend(_word_split(name))
    return tokens


def _word_split(word: str) -> list[str]:
    """Split a plain word into known names and single letters, of which few are allowed."""
    parts: list[str] = []
    place = 0
    while place < len(word):
        known = next((name for name in _SPLIT_NAMES if word.startswith(name, place)), None)
        parts.append("\\" + known if known else word[place])
        place += len(known) if known else 1
        if sum(not part.startswith("\\") for part in parts) > 3:
            raise _Unreadable("there are words in the formula")
    return parts


def _apply(operation: str, *operands: _Node) -> _Apply:
    return _Apply(operation=operation, operands=operands)


def _combined(operation: str, operands: list[_Node]) -> _Node:
    return operands[0] if len(operands) == 1 else _Apply(operation=operation, operands=(*operands,))


class _Parser:
    """Recursive descent over tokens. Sums and products are flat, so depth is nesting."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._inside_bars = False

    @property
    def next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def items(self) -> list[_Node]:
        """statement ((','|';') statement)*"""
        items = [self._statement()]
        while self._accept(",", ";"):
            items.append(self._statement())
        return items

    def _take(self) -> str:
        token = self.next
        if token is None:
            raise _Unreadable("the formula breaks off")
        self._place += 1
        return token

    def _accept(self, *tokens: str) -> str | None:
        return self._take() if self.next in tokens else None

    def _expect(self, *tokens: str) -> str:
        token = self._take()
        if token not in tokens:
            raise _Unreadable(f"{token!r} is out of place")
        return token

    def _statement(self) -> _Node:
        sides, signs = [self._union()], []
        while self.next in _RELATIONS:
            signs.append(self._take())
            sides.append(self._union())
        return _Relation(signs=(*signs,), sides=(*sides,)) if signs else sides[0]

    def _union(self) -> _Node:
        parts = [self._sum()]
        while self._accept(r"\cup"):
            parts.append(self._sum())
        return _combined("union", parts)

    def _sum(self) -> _Node:
        terms = [self._product()]
        while sign := self._accept("+", "-"):
            term = self._product()
            terms.append(_apply("negative", term) if sign == "-" else term)
        return _combined("sum", terms)

    def _product(self) -> _Node:
        factors = [self._signed()]
        while True:
            if sign := self._accept("*", "/"):
                factor = self._signed()
                factors.append(_apply("inverse", factor) if sign == "/" else factor)
            elif self._starts_factor():
                factors.append(self._power())
            else:
                return _combined("product", factors)

    def _starts_factor(self) -> bool:
        """Tell whether a factor follows without a sign; a number never does."""
        token = self.next
        if token is None or token in _NO_FACTOR:
            return False
        return not self._inside_bars if token == "|" else token[0] in "\\([{" or token.isalpha()

    def _signed(self) -> _Node:
        negative = False
        while sign := self._accept("+", "-"):
            negative ^= sign == "-"
        power = self._power()
        return _apply("negative", power) if negative else power

    def _power(self) -> _Node:
        base = self._postfix()
        return _apply("power", base, self._exponent()) if self._accept("^") else base

    def _exponent(self) -> _Node:
        with self._deeper():
            return self._signed()

    def _postfix(self) -> _Node:
        node = self._primary()
        for _ in range(3):
            mark = self._accept("!", "%", "°")
            if mark is None:
                return node
            node = _apply(_POSTFIX[mark], node)
        raise _Unreadable("there are too many marks")

    def _primary(self) -> _Node:
        with self._deeper():
            return self._atom(self._take())

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        if self._depth >= _MAX_NESTING:
            raise _Unreadable("the formula is nested too deeply")
        self._depth += 1
        yield
        self._depth -= 1

    def _atom(self, token: str) -> _Node:
        if token[0].isdigit() or token[0] == ".":
            return self._mixed(_number_node(token))
        if token in _CLOSING:
            return self._bracketed(token)
        if token == "|":
            return self._between_bars()
        if token in _FENCED:
            name, closing = _FENCED[token]
            inner = self._sum()
            self._expect(closing)
            return _apply(name, inner)
        name = _ALIASES.get(token[1:], token[1:]) if token[0] == "\\" else token
        if token[0] == "\\" and name in {"frac", "binom"}:
            return _apply(name, self._argument(), self._argument())
        if token[0] == "\\" and name in _PREFIX:
            return self._function(name)
        return self._symbol(token, name)

    def _mixed(self, whole: _Number) -> _Node:
        r"""Read 2\frac{1}{2} as two and a half."""
        ahead = "".join(self._tokens[self._place : self._place + 7])
        part = _PLAIN_FRACTION.match(ahead)
        if part is None or whole.value.denominator != 1:
            return whole
        top, bottom = int(part[1] or part[2]), int(part[3] or part[4])
        return _apply("sum", whole, self._primary()) if top < bottom else whole

    def _bracketed(self, opening: str) -> _Node:
        bars, self._inside_bars = self._inside_bars, False
        if opening == r"\{" and self._accept(r"\}"):
            self._inside_bars = bars
            return _Symbol(name="∅")
        items = self.items()
        self._inside_bars = bars
        closing = self._expect(r"\}") if opening == r"\{" else self._expect(*_CLOSING[opening])
        if len(items) == 1 and opening != r"\{":
            if opening + closing not in {"()", "[]", "{}"} or isinstance(items[0], _Relation):
                raise _Unreadable("the brackets do not match")
            return items[0]
        return _Collection(brackets=opening[-1] + closing[-1], items=(*items,))

    def _between_bars(self) -> _Node:
        if self._inside_bars:
            raise _Unreadable("a bar is out of place")
        self._inside_bars = True
        inner = self._sum()
        self._expect("|")
        self._inside_bars = False
        return _apply("abs", inner)

    def _argument(self) -> _Node:
        r"""The argument of a macro: a group, or one character as in \frac12."""
        token = self.next
        if token and token[0].isdigit() and len(token) > 1:
            self._tokens[self._place] = token[1:]
            return _number_node(token[0])
        return self._primary()

    def _function(self, name: str) -> _Node:
        if name == "sqrt":
            return self._root()
        base = self._argument() if name == "log" and self._accept("_") else None
        exponent = self._exponent_of_function() if self._accept("^") else None
        if exponent == _apply("negative", _Number(value=Fraction(1))) and name in _TRIGONOMETRIC:
            name, exponent = "arc" + name, None
        operands = self._operands()
        node = _apply(name, *operands)
        if base is not None:
            node = _apply("frac", node, _apply("log", base))
        return node if exponent is None else _apply("power", node, exponent)

    def _exponent_of_function(self) -> _Node:
        return self._argument() if self.next != "-" else self._exponent()

    def _root(self) -> _Node:
        degree: _Node = _Number(value=Fraction(2))
        if self._accept("["):
            degree = self._sum()
            self._expect("]")
        return _apply("root", self._primary(), degree)

    def _operands(self) -> tuple[_Node, ...]:
        """What a function applies to: a bracket, or the product that follows as in sin 2x."""
        if self.next in {"(", "{", "["}:
            inner = self._primary()
            return inner.items if isinstance(inner, _Collection) else (inner,)
        factors = [self._power()]
        while self._starts_factor() and (self.next or "")[1:] not in _PREFIX and self.next != "(":
            factors.append(self._power())
        return (_combined("product", factors),)

    def _symbol(self, token: str, name: str) -> _Node:
        if token[0] == "\\" and name not in _KNOWN_SYMBOLS:
            raise _Unreadable(f"{token} is not known")
        if not (name.isalpha() or name in {"∅", "∞"}):
            raise _Unreadable(f"{token!r} is out of place")
        if self._accept("_"):
            name += "_" + self._subscript()
        return _Symbol(name=name)

    def _subscript(self) -> str:
        token = self._take()
        if token != "{":
            return token
        parts: list[str] = []
        while (part := self._take()) != "}":
            parts.append(part)
        return "".join(parts)


_NO_FACTOR = frozenset([r"\cup", r"\}", r"\rfloor", r"\rceil", r"\pm", r"\mp"])
_POSTFIX = {"!": "factorial", "%": "percent", "°": "degree"}
_KNOWN_SYMBOLS = frozenset([*_GREEK, "pi", "∅", "∞"])


def _number_node(token: str) -> _Number:
    try:
        return _Number(value=Fraction(token))
    except ValueError as error:
        raise _Unreadable(f"{token!r} is not a number") from error


# --- math: values -------------------------------------------------------------------------

_Value = Fraction | complex
_Point = Mapping[str, complex]

_MAX_BITS = 14_000  # Python refuses to write longer integers.
_CONSTANTS: dict[str, complex] = {"pi": complex(math.pi), "e": complex(math.e), "i": 1j}
_DEGREE = complex(math.pi / 180)


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _bounded(value: Fraction) -> Fraction:
    if _bits(value) > _MAX_BITS:
        raise OverflowError("an exact number grew too large")
    return value


def _value(node: _Node, point: _Point, degree: _Value) -> _Value:
    """Evaluate an expression at a point; rationals stay exact.

    `degree` is what one degree is worth: π/180 below a trigonometric function, else 1.

    Raises:
        _Unreadable, ArithmeticError, ValueError: there is no value.
    """
    match node:
        case _Number(value=value):
            return value
        case _Symbol(name=name):
            return point[name] if name in point else _CONSTANTS[name]
        case _Apply(operation="degree", operands=(operand,)):
            return _times(_value(operand, point, degree), degree)
        case _Apply(operation=operation, operands=operands):
            below = _DEGREE if operation in _TRIGONOMETRIC else degree
            function = _OPERATIONS.get(operation)
            if function is None:
                raise _Unreadable(f"{operation} has no value")
            return function(*(_value(operand, point, below) for operand in operands))
    raise _Unreadable("a collection or relation has no value")


def _plus(*values: _Value) -> _Value:
    total, *others = values
    for other in others:
        if isinstance(total, Fraction) and isinstance(other, Fraction):
            total = _bounded(total + other)
            continue
        a, b = complex(total), complex(other)
        # What cancels to rounding noise is zero, however small the terms are.
        total = a + b if abs(a + b) > 1e-13 * max(abs(a), abs(b)) else Fraction(0)
    return total


def _times(*values: _Value) -> _Value:
    total, *others = values
    for other in others:
        if isinstance(total, Fraction) and isinstance(other, Fraction):
            total = _bounded(total * other)
        else:
            total = complex(total) * complex(other)
    return total


def _inverse(value: _Value) -> _Value:
    return 1 / value


def _power(base: _Value, exponent: _Value) -> _Value:
    if isinstance(exponent, Fraction):
        if isinstance(base, Fraction):
            exact = _exact_power(base, exponent)
            if exact is not None:
                return exact
        if exponent.denominator % 2 and exponent.denominator > 1 and _is_negative(base):
            root = -(abs(complex(base)) ** (1 / exponent.denominator))
            return complex(root**exponent.numerator)
        if exponent.denominator == 1:
            return _nonzero(complex(base) ** int(exponent), base)
    return _nonzero(complex(base) ** complex(exponent), base)


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    count, degree = exponent.numerator, exponent.denominator
    if degree > 64:
        return None
    if degree > 1:
        top, bottom = _exact_root(base.numerator, degree), _exact_root(base.denominator, degree)
        if top is None or bottom is None:
            return None
        base = Fraction(top, bottom)
    if abs(base) == 1:
        return base if count % 2 else Fraction(1)
    if base == 0:
        return Fraction(0) ** count
    if abs(count) * _bits(base) > _MAX_BITS + abs(count):
        raise OverflowError("an exact number grew too large")
    return Fraction(base**count)


def _exact_root(number: int, degree: int) -> int | None:
    if number < 0:
        root = _exact_root(-number, degree) if degree % 2 else None
        return None if root is None else -root
    if degree == 2:
        root = math.isqrt(number)
        return root if root * root == number else None
    if number.bit_length() > 512:
        return None
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**degree < number else (low, middle)
    return low if low**degree == number else None


def _nonzero(power: complex, base: _Value) -> complex:
    if power == 0 and base != 0:
        raise OverflowError("a number grew too small")
    return power


def _is_negative(value: _Value) -> bool:
    number = complex(value)
    return number.real < 0 and number.imag == 0


def _trigonometric(function: Callable[[complex], complex]) -> Callable[[_Value], _Value]:
    def applied(argument: _Value) -> _Value:
        angle = complex(argument)
        value = function(angle)
        return value if abs(value) > 1e-14 * max(1.0, abs(angle)) else Fraction(0)

    return applied


_sin, _cos = _trigonometric(cmath.sin), _trigonometric(cmath.cos)


def _complex(function: Callable[[complex], complex]) -> Callable[[_Value], _Value]:
    return lambda argument: function(complex(argument))


def _exp(argument: _Value) -> _Value:
    return _nonzero(cmath.exp(complex(argument)), Fraction(1))


def _abs(value: _Value) -> _Value:
    return abs(value) if isinstance(value, Fraction) else complex(abs(value))


def _real(value: _Value) -> Fraction | float:
    if isinstance(value, Fraction):
        return value
    if abs(value.imag) > 1e-12 * abs(value):
        raise _Unreadable("the value is not real")
    return value.real


def _floor(value: _Value) -> _Value:
    real = _real(value)
    if isinstance(real, Fraction):
        return Fraction(math.floor(real))
    near = round(real)
    return Fraction(near if abs(real - near) < 1e-9 else math.floor(real))


def _ceil(value: _Value) -> _Value:
    return -_floor(_times(value, Fraction(-1)))


def _extreme(choose: Callable[[list[Fraction | float]], Fraction | float]) -> _Operation:
    def applied(*values: _Value) -> _Value:
        chosen = choose([_real(value) for value in values])
        return chosen if isinstance(chosen, Fraction) else complex(chosen)

    return applied


def _whole(combine: Callable[..., int]) -> _Operation:
    def applied(*values: _Value) -> _Value:
        if not all(isinstance(value, Fraction) and value.denominator == 1 for value in values):
            raise _Unreadable("only whole numbers have a common divisor")
        return _bounded(Fraction(combine(*(int(_real(value)) for value in values))))

    return applied


def _factorial(value: _Value) -> _Value:
    real = _real(value)
    if isinstance(real, Fraction) and real.denominator == 1 and 0 <= real <= 1_500:
        return Fraction(math.factorial(int(real)))
    return complex(math.gamma(float(real) + 1))


def _binomial(total: _Value, chosen: _Value) -> _Value:
    n, k = _real(total), _real(chosen)
    if isinstance(n, Fraction) and isinstance(k, Fraction) and n.denominator == k.denominator == 1:
        if not 0 <= n <= 5_000 or k < 0:
            raise _Unreadable("the binomial coefficient is out of range")
        return Fraction(math.comb(int(n), int(k)))
    if isinstance(k, Fraction) and k.denominator == 1 and 0 <= k <= 200:
        falling = math.prod((float(n) - j for j in range(int(k))), start=1.0)
        return complex(falling / math.factorial(int(k)))
    parts = (float(k) + 1, float(n) - float(k) + 1)
    return complex(math.gamma(float(n) + 1) / math.gamma(parts[0]) / math.gamma(parts[1]))


_Operation = Callable[..., _Value]
_OPERATIONS: dict[str, _Operation] = {
    "sum": _plus,
    "product": _times,
    "negative": lambda a: -a,
    "inverse": _inverse,
    "frac": lambda a, b: _times(a, _inverse(b)),
    "power": _power,
    "root": lambda a, n: _power(a, _inverse(n)),
    "cbrt": lambda a: _power(a, Fraction(1, 3)),
    "percent": lambda a: _times(a, Fraction(1, 100)),
    "factorial": _factorial,
    "binom": _binomial,
    "sin": _sin,
    "cos": _cos,
    "tan": lambda a: _times(_sin(a), _inverse(_cos(a))),
    "cot": lambda a: _times(_cos(a), _inverse(_sin(a))),
    "sec": lambda a: _inverse(_cos(a)),
    "csc": lambda a: _inverse(_sin(a)),
    "arcsin": _complex(cmath.asin),
    "arccos": _complex(cmath.acos),
    "arctan": _complex(cmath.atan),
    "sinh": _complex(cmath.sinh),
    "cosh": _complex(cmath.cosh),
    "tanh": _complex(cmath.tanh),
    "log": _complex(cmath.log),
    "exp": _exp,
    "abs": _abs,
    "floor": _floor,
    "ceil": _ceil,
    "max": _extreme(max),
    "min": _extreme(min),
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
}


# --- math: keys ---------------------------------------------------------------------------

_SURE_POINTS = 4
_FAR_POINTS = 2


def _formula(text: str, problem: str = "") -> str | None:
    """Read a formula, an equation, or a list, tuple, set or interval of them."""
    if not text or len(text) > MAX_FORMULA or _is_words(text):
        return None
    try:
        tidied = _tidied(text)
        if r"\pm" in tidied or r"\mp" in tidied:
            return _both_signs(tidied)
        return _node_key(_parsed(tidied))
    except (ArithmeticError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_words(text: str) -> bool:
    """Tell letters that are words from letters that are a symbol: "no" from "x" and "pi"."""
    plain = text.replace(" ", "").strip(".,!?")
    return plain.isalpha() and len(plain) > 1 and text.lower() not in _NAMES


def _both_signs(text: str) -> str:
    plus = re.sub(r"\\pm(?![A-Za-z])", "+", re.sub(r"\\mp(?![A-Za-z])", "-", text))
    minus = re.sub(r"\\pm(?![A-Za-z])", "-", re.sub(r"\\mp(?![A-Za-z])", "+", text))
    return _key("math", f"({_node_key(_parsed(plus))};{_node_key(_parsed(minus))})")


def _node_key(node: _Node) -> str:
    match node:
        case _Relation():
            return _relation_key(node)
        case _Collection(brackets="{}", items=items):
            return _key("math", "{" + ";".join(sorted(set(_item_keys(items)))) + "}")
        case _Collection(brackets=brackets, items=items):
            return _key("math", brackets[0] + ";".join(_item_keys(items)) + brackets[1])
        case _Apply(operation="union", operands=parts):
            return _key("math", "∪".join(sorted({_node_key(part) for part in parts})))
    return _expression_key(node)


def _item_keys(items: Sequence[_Node]) -> list[str]:
    """Keys of the members of a list.

    "x = 2, x = 3" is read as "2, 3"; in "x = 2, y = 3" names matter and order does not.
    """
    assignments = [_assignment(item) for item in items]
    names = [one.sides[0] for one in assignments if one is not None]
    if len(set(names)) < 2:
        return [_node_key(item) for item in items]
    keys = [
        _node_key(item) if one is None else f"{_name(one.sides[0])} = {_node_key(one.sides[1])}"
        for item, one in zip(items, assignments, strict=True)
    ]
    return sorted(keys) if len(set(names)) == len(items) else keys


def _assignment(node: _Node) -> _Relation | None:
    """Read "x = 3" or "3 = x" as x with its value; anything else is None."""
    match node:
        case _Relation(signs=("=",), sides=(left, right)):
            if _is_name(left) and _is_fixed(right):
                return node
            if _is_name(right) and _is_fixed(left):
                return _Relation(signs=("=",), sides=(right, left))
    return None


def _name(node: _Node) -> str:
    match node:
        case _Collection(items=items):
            return "(" + ",".join(map(_name, items)) + ")"
        case _Symbol(name=name):
            return name
    raise _Unreadable("this is no name")


def _is_name(node: _Node) -> bool:
    if isinstance(node, _Collection):
        return node.brackets == "()" and all(_is_name(item) for item in node.items)
    return isinstance(node, _Symbol) and node.name not in _CONSTANTS


def _is_fixed(node: _Node) -> bool:
    if isinstance(node, _Collection):
        return all(_is_fixed(item) for item in node.items)
    return not isinstance(node, _Relation) and not _symbols(node) - {"∞", "∅"}


def _relation_key(node: _Relation) -> str:
    assignment = _assignment(node)
    if assignment is not None:
        return _node_key(assignment.sides[1])
    if set(node.signs) == {"="} and all(_is_fixed(side) for side in node.sides):
        keys = {_node_key(side) for side in node.sides}
        if len(keys) == 1:
            return keys.pop()
    pairs = zip(node.sides, node.signs, node.sides[1:], strict=False)
    return _key("math", "&".join(sorted(_comparison(*pair) for pair in pairs)))


def _comparison(left: _Node, sign: str, right: _Node) -> str:
    """Key of one comparison: the difference of the sides up to a factor that changes nothing."""
    if sign in {">", ">="}:
        left, right, sign = right, left, sign.replace(">", "<")
    difference = _apply("sum", left, _apply("negative", right))
    values = list(_fingerprint(difference))
    first = next((value for value in values if value is not None and value != 0), None)
    if first is None:
        return f"{sign} 0"
    factor = complex(first) if sign in {"=", "!="} else abs(complex(first))
    scaled = [None if value is None else complex(value) / factor for value in values]
    return f"{sign} " + ";".join(map(_rounded, scaled))


def _expression_key(node: _Node) -> str:
    if not _symbols(node):
        return _constant_key(_finite(_value(node, {}, Fraction(1))))
    values = list(_fingerprint(node))
    written = [_rounded(value) for value in values]
    if len(set(written)) == 1 and values[0] is not None:
        return _constant_key(values[0])
    return _key("math", ";".join(written))


def _constant_key(value: _Value) -> str:
    if isinstance(value, Fraction):
        return f"number:{_bounded(value)}"
    if abs(value.imag) > 1e-12 * abs(value):
        return _key("math", _rounded(value))
    rational = _near_rational(value.real)
    return f"number:~{value.real:.9g}" if rational is None else f"number:{rational}"


def _near_rational(value: float) -> Fraction | None:
    """The simple rational that a float stands for, if the match is no accident."""
    largest = min(1_000, math.isqrt(int(1e8 / max(abs(value), 1e-6))))
    if largest < 1:
        return None
    rational = Fraction(value).limit_denominator(largest)
    return rational if abs(value - rational) <= 1e-12 * abs(value) else None


def _fingerprint(node: _Node) -> Iterator[_Value | None]:
    """The values of an expression at the fixed points; None at a far point without value.

    Raises:
        _Unreadable, ArithmeticError, ValueError: there is no value at one of the near points.
    """
    names = sorted(_symbols(node))
    for number in range(_SURE_POINTS + _FAR_POINTS if names else 1):
        point = {name: _coordinate(name, number) for name in names}
        try:
            value = _finite(_value(node, point, Fraction(1)))
        except ArithmeticError:
            if number < _SURE_POINTS:
                raise
            yield None
        else:
            yield value


def _finite(value: _Value) -> _Value:
    if isinstance(value, complex) and not cmath.isfinite(value):
        raise OverflowError("the value is not finite")
    return value


def _coordinate(name: str, number: int) -> complex:
    """A fixed pseudo-random coordinate: near ±1, where high powers stay finite, or far out."""
    digest = hashlib.sha256(f"{number} {name}".encode()).digest()
    share = int.from_bytes(digest[:6], "big") / 2**48
    sign = -1 if number % 2 and digest[6] % 2 else 1
    if number >= _SURE_POINTS:
        return complex(sign * (5 + 7 * share))
    if number == 3 and digest[6] % 2 == 0:
        sign = -1 if digest[7] % 4 else 1
    return complex(sign * (1.04 + 0.3 * share if number % 2 == 0 else 0.7 + 0.26 * share))


def _symbols(node: _Node) -> set[str]:
    match node:
        case _Symbol(name=name):
            return set() if name in _CONSTANTS else {name}
        case _Apply(operands=parts) | _Collection(items=parts) | _Relation(sides=parts):
            return set().union(*(_symbols(part) for part in parts))
    return set()


def _rounded(value: _Value | None) -> str:
    """Nine significant digits of the larger part, so that noise in the other one is zero."""
    if value is None:
        return "?"
    number = complex(value)
    size = abs(number)
    if size == 0:
        return "0"
    places = 8 - math.floor(math.log10(size))
    parts = (round(number.real, places) + 0.0, round(number.imag, places) + 0.0)
    return f"{parts[0]:.9g}" if parts[1] == 0 else f"{parts[0]:.9g},{parts[1]:.9g}"


def _squeezed(text: str, problem: str = "") -> str | None:
    """The last resort for a formula that cannot be parsed: its spelling without layout."""
    if not re.search(r"[\\^_=<>{}\[\]|+*/]", text) or len(text) > MAX_FORMULA:
        return None
    return _key("text", re.sub(r"\s+", "", re.sub(r"\\(?:left|right|[,;:! ])", "", text)))


def _apparent_formula(text: str, problem: str = "") -> str | None:
    """Read a formula where the text looks like one: signs, digits, and no stray words."""
    if "\n" in text or _RANGE.fullmatch(text):
        return None
    strong = re.search(r"[\\^=√π½⅓⅔¼¾⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ]", text)
    if not strong:
        words = re.findall(r"[^\W\d_]{2,}", text)
        if not re.search(r"[0-9+*/<>|±×÷≤≥∞]", text) or any(w not in _NAMES for w in words):
            return None
    key = _formula(text)
    return key if key is not None or "\\" not in text else _squeezed(text)


def _quantity_formula(text: str, problem: str = "") -> str | None:
    return None if _RANGE.fullmatch(text) else _formula(text)


_Reader = Callable[[str, str], str | None]
_READERS: dict[AnswerKind, tuple[_Reader, ...]] = {
    "choice": (_choice,),
    "number": (_number, _mentioned_number, _quantity_formula, _squeezed),
    "math": (_number, _formula, _squeezed),
    "code": (_code,),
    "text": (),
    "auto": (_offered_choice, _number, _apparent_formula, _evident_code),
}
