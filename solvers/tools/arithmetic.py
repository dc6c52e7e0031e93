"""Exact arithmetic on an expression that a model wrote, without running its code.

`evaluate` reads numbers, + - * / // % **, signs and parentheses, and nothing else:
no names, no calls. Rationals stay exact; only a fractional power, or a power such as
1.005**360 with too many digits to keep, gives a float.
Every step is bounded, so no expression can burn time or memory.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

Value = Fraction | float

MAX_CHARACTERS = 1_000
MAX_DEPTH = 50
MAX_EXPONENT = 1_000
MAX_BITS = 4_096
_MAX_LITERAL_EXPONENT = 400
_MAX_WRITTEN_BITS = 14_000  # Python refuses to write longer integers.


class ArithmeticFault(ValueError):
    """The expression cannot be read or has no finite real value; the message says why."""


def evaluate(expression: str) -> Value:
    """Return the value of an arithmetic expression, exact wherever it is rational.

    × ÷ − · and ^ are understood, as are "1,234", "$5" and percentages: "20%" is 1/5
    unless a number or an opening parenthesis follows, then % is the remainder.

    Raises:
        ArithmeticFault: the text is no such expression, breaks a bound, divides by
            zero, or its value is not a finite real number.
    """
    source = _normalised(expression)
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ArithmeticFault("not a valid arithmetic expression") from error
    return _value(tree.body, source, 0)


def written(value: Value) -> str:
    """Write a number as canonical decimal text.

    Integers have no point; up to twelve decimals are written in full; anything else is
    rounded to twelve significant digits. Only sizes beyond 30 digits use an exponent.

    Raises:
        ArithmeticFault: the value is not finite, or far too long to write.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArithmeticFault("the value is not finite")
        # 1e15 is where floats still name every integer.
        exact = Fraction(value) if value.is_integer() and abs(value) < 1e15 else None
        return _rounded(Decimal(repr(value))) if exact is None else str(exact.numerator)
    if _bits(value) > _MAX_WRITTEN_BITS:
        raise ArithmeticFault("the value is too long to write")
    scaled = value * 10**12
    if scaled.denominator == 1:
        return _point_inserted(scaled.numerator)
    return _rounded(Context(prec=40).divide(Decimal(value.numerator), Decimal(value.denominator)))


_SYMBOLS = str.maketrans(
    {
        "×": "*", "⋅": "*", "·": "*", "∙": "*", "∗": "*", "÷": "/",
        "−": "-", "–": "-", "^": "**", "$": " ",
    }
)  # fmt: skip
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_PERCENT = re.compile(r"%(?!\s*[\d.(])")
_FOREIGN = re.compile(r"[^0-9.eE_+\-*/%() ]")
_LITERAL = re.compile(r"(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE]([+-]?\d+))?", re.ASCII)


def _normalised(expression: str) -> str:
    if len(expression) > MAX_CHARACTERS:
        raise ArithmeticFault(f"the expression is longer than {MAX_CHARACTERS} characters")
    text = " ".join(expression.translate(_SYMBOLS).split())
    if not text:
        raise ArithmeticFault("the expression is empty")
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = _LEADING_ZEROS.sub("", text)
    if foreign := _FOREIGN.search(text):
        raise ArithmeticFault(f"{foreign[0]!r} is not allowed in an arithmetic expression")
    # A subscript binds like a percent sign should, and no other subscript gets this far.
    return _PERCENT.sub("[0]", text)


def _value(node: ast.expr, source: str, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise ArithmeticFault("the expression is nested too deeply")
    match node:
        case ast.BinOp():
            return _chain(node, source, depth)
        case ast.Constant():
            return _literal(source[node.col_offset : node.end_col_offset])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, source, depth + 1)
        case ast.Subscript(value=share):
            return _value(share, source, depth + 1) / 100
        case ast.Name():
            raise ArithmeticFault(f"names such as {node.id!r} are not allowed")
        case ast.Call():
            raise ArithmeticFault("a multiplication needs its *")
    raise ArithmeticFault("only numbers, + - * / // % ** and parentheses are allowed")


def _chain(node: ast.BinOp, source: str, depth: int) -> Value:
    """Fold a run such as 1 + 2 - 3, which the parser nests to the left, without recursion."""
    steps: list[tuple[ast.operator, ast.expr]] = []
    first: ast.expr = node
    while isinstance(first, ast.BinOp):
        steps.append((first.op, first.right))
        first = first.left
    total = _value(first, source, depth + 1)
    for operator, right in reversed(steps):
        total = _combined(operator, total, _value(right, source, depth + 1))
    return total


def _literal(text: str) -> Fraction:
    match = _LITERAL.fullmatch(text)
    if match is None:
        raise ArithmeticFault(f"{text!r} is not a number")
    if match[1] and abs(int(match[1])) > _MAX_LITERAL_EXPONENT:
        raise ArithmeticFault(f"{text!r} is out of range")
    return Fraction(text.replace("_", ""))


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        count = exponent.numerator
        if abs(count) > MAX_EXPONENT:
            raise ArithmeticFault(f"exponents beyond {MAX_EXPONENT} are not allowed")
        return _whole_power(base, count)
    power = float(base) ** float(exponent)
    if isinstance(power, complex):
        raise ArithmeticFault("the value is not a real number")
    return float(power)


def _whole_power(base: Value, count: int) -> Value:
    if isinstance(base, float):
        return float(base**count)
    bits = _bits(base) * abs(count)
    if base.denominator > 1 and bits > MAX_BITS:
        return _rounded_power(base, count)
    if bits > 2 * MAX_BITS:
        raise ArithmeticFault("a number grew too large")
    return base**count


def _rounded_power(base: Fraction, count: int) -> float:
    context = Context(prec=40, traps=[])  # a float base would lose digits a thousandfold
    power = context.power(context.divide(Decimal(base.numerator), base.denominator), count)
    if float(power) == 0:
        raise ArithmeticFault("a number grew too large or too small")
    return float(power)


_OPERATIONS: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: _power,
}


def _combined(operator: ast.operator, left: Value, right: Value) -> Value:
    operation = _OPERATIONS.get(type(operator))
    if operation is None:
        raise ArithmeticFault("only + - * / // % ** are allowed")
    try:
        value = operation(left, right)
    except ZeroDivisionError as error:
        raise ArithmeticFault("division by zero") from error
    except OverflowError as error:
        raise ArithmeticFault("a number grew too large") from error
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArithmeticFault("the value is not finite")
        return value
    exact = Fraction(value)
    if _bits(exact) > MAX_BITS:
        raise ArithmeticFault("a number grew too large")
    return exact


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _point_inserted(trillionths: int) -> str:
    """Write a number of 10**-12 in full, without trailing zeros."""
    whole, part = divmod(abs(trillionths), 10**12)
    sign = "-" if trillionths < 0 else ""
    return f"{sign}{whole}.{part:012d}".rstrip("0").rstrip(".")


def _rounded(value: Decimal) -> str:
    short = Context(prec=12).plus(value).normalize()
    if short.is_zero():
        return "0"
    return f"{short:f}" if abs(short.adjusted()) <= 30 else f"{short:e}"
