r"""The key of a formula: equal keys mean that two formulas are the same.

Whole numbers are exact. Every other constant is rounded to nine significant digits, so 1/3
and 0.333333333333, or \sqrt{2} and 1.41421356237, get one key, while 0.5, 3.14 or any other
decimal of at most nine digits is as good as exact. Formulas with variables are compared by
their values at fixed points; for equations and inequalities a factor does not matter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from atlas_mcp.equivalence.evaluation import CONSTANTS, Value, bounded, evaluated
from atlas_mcp.equivalence.formula import (
    EMPTY_SET,
    Apply,
    Collection,
    Node,
    Relation,
    Symbol,
)
from atlas_mcp.equivalence.notation import UnreadableError


def formula_key(node: Node) -> str:
    """Return the key of a formula, "number:…" for a constant, else "math:…".

    Raises:
        UnreadableError, ArithmeticError, ValueError: it has no value, or an enormous one.
    """
    match node:
        case Relation():
            return _relation_key(node)
        case Collection(brackets="{}", items=items):
            return labelled("math", "{" + ";".join(sorted(set(_item_keys(items)))) + "}")
        case Collection(brackets=brackets, items=items):
            return labelled("math", brackets[0] + ";".join(_item_keys(items)) + brackets[1])
        case Apply(operation="union", operands=parts):
            return labelled("math", "∪".join(sorted({formula_key(part) for part in parts})))
    return _expression_key(node)


def number_key(value: Fraction) -> str:
    """Return the key of a rational number.

    Raises:
        OverflowError: it is too large.
    """
    if bounded(value).denominator == 1:
        return f"number:{value.numerator}"
    return "number:" + _digits(_NINE.divide(Decimal(value.numerator), Decimal(value.denominator)))


def labelled(kind: str, body: str) -> str:
    """Return a key of a kind, in which a long body is replaced by its hash."""
    data = body.encode("utf-8", "backslashreplace")
    if len(data) > 500:
        return f"{kind}:sha256 {hashlib.sha256(data).hexdigest()}"
    return f"{kind}:{data.decode()}"


# --- keys ---------------------------------------------------------------------------------

_POINTS = 7
_NINE = Context(prec=9, rounding=ROUND_HALF_UP)


def _expression_key(node: Node) -> str:
    names = _variables(node)
    if not names:
        return _constant_key(evaluated(node, {}))
    values = _fingerprint(node, names)
    written = {_rounded(value) for value in values}
    if len(written) == 1 and values[0] is not None:
        return _constant_key(values[0])
    return labelled("math", ";".join(map(_rounded, values)))


def _constant_key(value: Value) -> str:
    if isinstance(value, Fraction):
        return number_key(value)
    text = _rounded(value)
    return labelled("math", text) if "," in text else f"number:{text}"


def _item_keys(items: Sequence[Node]) -> list[str]:
    """Keys of the members of a list.

    "x = 2, x = 3" is read as "2, 3"; in "x = 2, y = 3" names matter and order does not.
    """
    assignments = [_assignment(item) for item in items]
    names = {name for name, _ in filter(None, assignments)}
    if len(names) < 2:
        return [formula_key(item) for item in items]
    keys = [
        formula_key(item) if one is None else f"{one[0]} = {formula_key(one[1])}"
        for item, one in zip(items, assignments, strict=True)
    ]
    return sorted(keys) if len(names) == len(items) else keys


def _assignment(node: Node) -> tuple[str, Node] | None:
    """Read "x = 3" or "3 = x" as the name with its value; anything else is None."""
    match node:
        case Relation(signs=("=",), sides=(left, right)):
            for name, value in ((_name(left), right), (_name(right), left)):
                if name and _is_fixed(value):
                    return name, value
    return None


def _name(node: Node) -> str:
    """The name that is assigned to: a variable or a tuple of them; else nothing."""
    match node:
        case Symbol(name=name):
            return "" if name in CONSTANTS else name
        case Collection(brackets="()", items=items):
            names = [_name(item) for item in items]
            return "(" + ",".join(names) + ")" if all(names) else ""
    return ""


def _is_fixed(node: Node) -> bool:
    if isinstance(node, Collection):
        return all(_is_fixed(item) for item in node.items)
    return not isinstance(node, Relation) and not _variables(node) - {"∞", EMPTY_SET.name}


def _relation_key(node: Relation) -> str:
    if assignment := _assignment(node):
        return formula_key(assignment[1])
    if set(node.signs) == {"="} and all(_is_fixed(side) for side in node.sides):
        keys = {formula_key(side) for side in node.sides}
        if len(keys) == 1:
            return keys.pop()
    pairs = zip(node.sides, node.signs, node.sides[1:], strict=False)
    return labelled("math", "&".join(sorted(_comparison(*pair) for pair in pairs)))


def _comparison(left: Node, sign: str, right: Node) -> str:
    """Key of one comparison: the difference of the sides up to a factor that changes nothing."""
    if sign in {">", ">="}:
        left, right, sign = right, left, sign.replace(">", "<")
    negative = Apply(operation="negative", operands=(right,))
    difference = Apply(operation="sum", operands=(left, negative))
    values = _fingerprint(difference, _variables(difference))
    first = next((value for value in values if value), None)
    if first is None:
        return f"{sign} 0"
    factor = complex(first) if sign in {"=", "!="} else abs(complex(first))
    return f"{sign} " + ";".join(
        _rounded(None if value is None else complex(value) / factor) for value in values
    )


def _fingerprint(node: Node, names: set[str]) -> list[Value | None]:
    """The values of an expression at the fixed points; None where there is no value.

    Raises:
        UnreadableError: there is no value at too many points.
    """
    values: list[Value | None] = []
    for number in range(_POINTS if names else 1):
        try:
            values.append(evaluated(node, {n: _coordinate(n, number) for n in names}))
        except ArithmeticError:
            values.append(None)
    if values.count(None) > len(values) // 2 or values[0] is None:
        raise UnreadableError("the formula has no values")
    return values


def _coordinate(name: str, number: int) -> complex:
    """A fixed pseudo-random coordinate.

    Near ±1 high powers stay finite, and farther out |x - 3| differs from 3 - x. Points 0 to 3
    are on the diagonals; at the others neighbours in the alphabet differ in sign.
    """
    digest = hashlib.sha256(f"{number} {name}".encode()).digest()
    share = int.from_bytes(digest[:6], "big") / 2**48
    size = 5 + 7 * share if number in {2, 3} else 0.7 + 0.6 * share
    negative = number % 2 if number < 4 else ord(name[-1]) >> (number - 4) & 1
    return complex(-size if negative else size)


def _variables(node: Node) -> set[str]:
    match node:
        case Symbol(name=name):
            return set() if name in CONSTANTS else {name}
        case Apply(operands=parts) | Collection(items=parts) | Relation(sides=parts):
            return set().union(*(_variables(part) for part in parts))
    return set()


def _rounded(value: Value | None) -> str:
    """Nine significant digits of the larger part, so that noise in the other one is zero."""
    if value is None:
        return "?"
    number = complex(value)
    size = abs(number)
    if size == 0:
        return "0"
    places = 8 - math.floor(math.log10(size))
    parts = [round(number.real, places), round(number.imag, places)]
    texts = [_digits(_NINE.create_decimal_from_float(part)) for part in parts]
    return texts[0] if parts[1] == 0 else ",".join(texts)


def _digits(value: Decimal) -> str:
    short = value.normalize(_NINE)
    if short.is_zero():
        return "0"
    return f"{short:f}" if -7 < short.adjusted() < 9 else f"{short:e}"
