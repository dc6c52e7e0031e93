r"""A formula as a tree.

`parse` reads what people write as a final answer, in LaTeX or plainly: numbers, \frac,
\sqrt, powers, products without a sign, functions, equations and inequalities, tuples, sets,
intervals and \pm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from atlas_mcp.equivalence.notation import (
    ALIASES,
    FUNCTIONS,
    LETTERS,
    UnreadableError,
    tokens,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """An operation such as "sum", "frac" or "sin" on its operands."""

    operation: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A tuple, list, set or interval; `brackets` is its opening and closing character."""

    brackets: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A chain such as 0 < x <= 1: one more side than signs."""

    signs: tuple[str, ...]
    sides: tuple[Node, ...]


Node = Number | Symbol | Apply | Collection | Relation

EMPTY_SET = Symbol(name="∅")


def parse(text: str) -> Node:
    r"""Return the tree of a formula; several formulas, and both signs of \pm, make a tuple.

    Raises:
        UnreadableError: it is not in the grammar, or nested too deeply.
    """
    found = tokens(text)
    if {r"\pm", r"\mp"}.isdisjoint(found):
        return _parsed(found)
    signs = ({r"\pm": "+", r"\mp": "-"}, {r"\pm": "-", r"\mp": "+"})
    readings = (_parsed([sign.get(token, token) for token in found]) for sign in signs)
    return Collection(brackets="()", items=tuple(readings))


_CLOSING = {"(": ")]", "[": ")]", r"\{": (r"\}",), "{": "}"}
_FENCED = {r"\lfloor": ("floor", r"\rfloor"), r"\lceil": ("ceil", r"\rceil")}
_RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!="])
_NO_FACTOR = frozenset([r"\cup", r"\}", r"\rfloor", r"\rceil"])
_POSTFIX = {"!": "factorial", "%": "percent", "°": "degree"}
_PROPER_FRACTION = re.compile(r"\\frac(?:\{([0-9]+)\}|([0-9]))(?:\{([0-9]+)\}|([0-9]))")
_MAX_NESTING = 25


def _parsed(tokens: list[str]) -> Node:
    parser = _Parser(tokens)
    items = parser.items()
    if parser.next is not None:
        raise UnreadableError("there is something left over")
    return items[0] if len(items) == 1 else Collection(brackets="()", items=items)


def _apply(operation: str, *operands: Node) -> Apply:
    return Apply(operation=operation, operands=operands)


def _joined(operation: str, operands: list[Node]) -> Node:
    return operands[0] if len(operands) == 1 else _apply(operation, *operands)


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

    def items(self) -> tuple[Node, ...]:
        items = [self._statement()]
        while self._accept(",", ";"):
            items.append(self._statement())
        return tuple(items)

    def _take(self) -> str:
        token = self.next
        if token is None:
            raise UnreadableError("the formula breaks off")
        self._place += 1
        return token

    def _accept(self, *tokens: str) -> str | None:
        return self._take() if self.next in tokens else None

    def _expect(self, *tokens: str) -> str:
        token = self._take()
        if token not in tokens:
            raise UnreadableError(f"{token!r} is out of place")
        return token

    def _nested(self, read: Callable[[], Node]) -> Node:
        if self._depth >= _MAX_NESTING:
            raise UnreadableError("the formula is nested too deeply")
        self._depth += 1
        node = read()
        self._depth -= 1
        return node

    def _statement(self) -> Node:
        sides, signs = [self._union()], []
        while self.next in _RELATIONS:
            signs.append(self._take())
            sides.append(self._union())
        return Relation(signs=(*signs,), sides=(*sides,)) if signs else sides[0]

    def _union(self) -> Node:
        parts = [self._sum()]
        while self._accept(r"\cup"):
            parts.append(self._sum())
        return _joined("union", parts)

    def _sum(self) -> Node:
        terms = [self._product()]
        while sign := self._accept("+", "-"):
            term = self._product()
            terms.append(_apply("negative", term) if sign == "-" else term)
        return _joined("sum", terms)

    def _product(self) -> Node:
        factors = [self._signed()]
        while True:
            if sign := self._accept("*", "/"):
                factor = self._signed()
                factors.append(_apply("inverse", factor) if sign == "/" else factor)
            elif self._starts_factor():
                factors.append(self._power())
            else:
                return _joined("product", factors)

    def _starts_factor(self) -> bool:
        """Tell whether a factor follows without a sign; a number never does."""
        token = self.next
        if token is None or token in _NO_FACTOR:
            return False
        return not self._inside_bars if token == "|" else token[0] in "\\([{" or token.isalpha()

    def _signed(self) -> Node:
        negative = False
        while sign := self._accept("+", "-"):
            negative ^= sign == "-"
        power = self._power()
        return _apply("negative", power) if negative else power

    def _power(self) -> Node:
        base = self._primary()
        for _ in range(3):  # 3!!! is a riddle, and more marks are an attack
            if mark := self._accept(*_POSTFIX):
                base = _apply(_POSTFIX[mark], base)
        return _apply("power", base, self._nested(self._signed)) if self._accept("^") else base

    def _primary(self) -> Node:
        return self._nested(lambda: self._atom(self._take()))

    def _atom(self, token: str) -> Node:
        if token[0] in ".0123456789":
            return self._mixed(_number(token))
        if token in _CLOSING:
            return self._bracketed(token)
        if token == "|":
            return self._between_bars()
        if token in _FENCED:
            name, closing = _FENCED[token]
            inner = self._sum()
            self._expect(closing)
            return _apply(name, inner)
        if token in {r"\frac", r"\binom"}:
            return _apply(token[1:], self._argument(), self._argument())
        name = ALIASES.get(token[1:], token[1:]) if token[0] == "\\" else token
        return self._function(name) if name in FUNCTIONS else self._symbol(token, name)

    def _mixed(self, whole: Number) -> Node:
        r"""Read 2\frac{1}{2} as two and a half."""
        ahead = "".join(self._tokens[self._place : self._place + 7])
        part = _PROPER_FRACTION.match(ahead)
        if part is None or whole.value.denominator != 1:
            return whole
        top, bottom = int(part[1] or part[2]), int(part[3] or part[4])
        return _apply("sum", whole, self._primary()) if top < bottom else whole

    def _bracketed(self, opening: str) -> Node:
        if opening == r"\{" and self._accept(r"\}"):
            return EMPTY_SET
        bars, self._inside_bars = self._inside_bars, False
        items = self.items()
        self._inside_bars = bars
        closing = self._expect(*_CLOSING[opening])
        if len(items) == 1 and opening != r"\{":
            if opening + closing not in {"()", "[]", "{}"} or isinstance(items[0], Relation):
                raise UnreadableError("the brackets do not match")
            return items[0]
        return Collection(brackets=opening[-1] + closing[-1], items=items)

    def _between_bars(self) -> Node:
        if self._inside_bars:
            raise UnreadableError("a bar is out of place")
        self._inside_bars = True
        inner = self._sum()
        self._expect("|")
        self._inside_bars = False
        return _apply("abs", inner)

    def _argument(self) -> Node:
        r"""The argument of a macro: a group, or one character as in \frac12."""
        token = self.next
        if token and token[0].isdigit() and len(token) > 1:
            self._tokens[self._place] = token[1:]
            return _number(token[0])
        return self._primary()

    def _function(self, name: str) -> Node:
        if name == "sqrt":
            return self._root()
        base = self._argument() if name == "log" and self._accept("_") else None
        exponent = self._argument() if self._accept("^") else None
        if exponent == _apply("negative", _number("1")) and "arc" + name in FUNCTIONS:
            name, exponent = "arc" + name, None
        node = _apply(name, self._operand())
        if base is not None:
            node = _apply("frac", node, _apply("log", base))
        return node if exponent is None else _apply("power", node, exponent)

    def _root(self) -> Node:
        degree: Node = _number("2")
        if self._accept("["):
            degree = self._sum()
            self._expect("]")
        return _apply("root", self._primary(), degree)

    def _operand(self) -> Node:
        """What a function applies to: a bracket, or the product that follows as in sin 2x."""
        if self.next in {"(", "{", "["}:
            return self._primary()
        factors = [self._power()]
        while self._starts_factor() and self.next != "(" and self._next_name() not in FUNCTIONS:
            factors.append(self._power())
        return _joined("product", factors)

    def _next_name(self) -> str:
        name = (self.next or "").removeprefix("\\")
        return ALIASES.get(name, name)

    def _symbol(self, token: str, name: str) -> Node:
        if name not in LETTERS and (token[0] == "\\" or not name.isalpha()):
            raise UnreadableError(f"{token!r} is not known")
        return Symbol(name=f"{name}_{self._subscript()}" if self._accept("_") else name)

    def _subscript(self) -> str:
        token = self._take()
        if token != "{":
            return token
        parts: list[str] = []
        while (part := self._take()) != "}":
            parts.append(part)
        return "".join(parts)


def _number(token: str) -> Number:
    try:
        return Number(value=Fraction(token))
    except ValueError as error:
        raise UnreadableError(f"{token!r} is not a number") from error
