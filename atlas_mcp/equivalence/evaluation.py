"""The value of a formula at a point: exact where it is rational, else a complex number."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce

from atlas_mcp.equivalence.formula import Apply, Node, Number, Symbol
from atlas_mcp.equivalence.notation import TRIGONOMETRIC, UnreadableError

Value = Fraction | complex
Point = Mapping[str, complex]

CONSTANTS: dict[str, complex] = {"pi": complex(math.pi), "e": complex(math.e), "i": 1j}
_DEGREE = complex(math.pi / 180)
_MAX_BITS = 9_000  # Python refuses to write integers of more than 14,000.


def evaluated(node: Node, point: Point) -> Value:
    """Return the value of a formula with its variables at a point.

    Raises:
        UnreadableError, ArithmeticError, ValueError: there is no value, or an enormous one.
    """
    return _value(node, point, Fraction(1))


def bounded(value: Fraction) -> Fraction:
    """Return the number itself.

    Raises:
        OverflowError: it is too large to be worked with.
    """
    if _bits(value) > _MAX_BITS:
        raise OverflowError("an exact number grew too large")
    return value


def _value(node: Node, point: Point, degree: Value) -> Value:
    """Evaluate an expression at a point; rationals stay exact.

    `degree` is what one degree is worth: π/180 below a trigonometric function, else 1.
    """
    match node:
        case Number(value=number):
            return number
        case Symbol(name=name) if name in point or name in CONSTANTS:
            return point[name] if name in point else CONSTANTS[name]
        case Apply(operation="degree", operands=(operand,)):
            return _product(_value(operand, point, degree), degree)
        case Apply(operation=name, operands=operands) if name in _OPERATIONS:
            below = _DEGREE if name in TRIGONOMETRIC else degree
            value = _OPERATIONS[name](*(_value(operand, point, below) for operand in operands))
            if isinstance(value, Fraction):
                return bounded(value)
            if not cmath.isfinite(value):
                raise OverflowError("the value is not finite")
            return value
    raise UnreadableError("a collection or relation has no value")


# --- arithmetic ---------------------------------------------------------------------------


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _sum(*values: Value) -> Value:
    return reduce(_plus, values)


def _plus(left: Value, right: Value) -> Value:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left + right)
    a, b = complex(left), complex(right)
    # What cancels to rounding noise is zero, however small the terms are.
    return a + b if abs(a + b) > 1e-13 * max(abs(a), abs(b)) else Fraction(0)


def _product(*values: Value) -> Value:
    return reduce(_times, values)


def _times(left: Value, right: Value) -> Value:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left * right)
    return complex(left) * complex(right)


def _power(base: Value, exponent: Value) -> Value:
    if not isinstance(exponent, Fraction):
        power: Value = complex(base) ** complex(exponent)
    elif exponent.denominator == 1:
        power = _whole_power(base, exponent.numerator)
    elif exponent.denominator % 2 and complex(base).imag == 0 and complex(base).real < 0:
        root = -(abs(complex(base)) ** (1 / exponent.denominator))  # the real one
        power = complex(root**exponent.numerator)
    else:
        power = complex(base) ** float(exponent)
    if power == 0 and base != 0:
        raise OverflowError("a number grew too small")
    return power


def _whole_power(base: Value, count: int) -> Value:
    if isinstance(base, complex):
        return base**count
    if abs(base) == 1:
        return base if count % 2 else Fraction(1)
    if base != 0 and abs(count) * (_bits(base) - 2) > _MAX_BITS:
        raise OverflowError("an exact number grew too large")
    return Fraction(base**count)


def _real(value: Value) -> Fraction | float:
    if isinstance(value, complex) and abs(value.imag) > 1e-12 * abs(value):
        raise UnreadableError("the value is not real")
    return value if isinstance(value, Fraction) else value.real


def _floor(value: Value) -> Value:
    real = _real(value)
    if isinstance(real, Fraction):
        return Fraction(math.floor(real))
    return Fraction(math.floor(real + 1e-9))


def _abs(value: Value) -> Value:
    return abs(value) if isinstance(value, Fraction) else complex(abs(value))


def _factorial(value: Value) -> Value:
    real = _real(value)
    if isinstance(real, Fraction) and real.denominator == 1 and 0 <= real <= 900:
        return Fraction(math.factorial(int(real)))
    return complex(math.gamma(float(real) + 1))


def _binomial(total: Value, chosen: Value) -> Value:
    """The product formula, for a whole number of factors."""
    if not (isinstance(chosen, Fraction) and chosen.denominator == 1 and 0 <= chosen <= 1_000):
        raise UnreadableError("the binomial coefficient is out of range")
    k = int(chosen)
    if isinstance(total, Fraction) and total.denominator == 1 and 0 <= total <= 1_000:
        return Fraction(math.comb(int(total), k))
    n = float(_real(total))
    return complex(math.prod(((n - j) / (j + 1) for j in range(k)), start=1.0))


def _on_complex(function: Callable[[complex], complex]) -> Callable[[Value], Value]:
    return lambda argument: function(complex(argument))


def _trigonometric(function: Callable[[complex], complex]) -> Callable[[Value], Value]:
    def applied(argument: Value) -> Value:
        angle = complex(argument)
        value = function(angle)
        return value if abs(value) > 1e-14 * max(1.0, abs(angle)) else Fraction(0)

    return applied


_sin, _cos = _trigonometric(cmath.sin), _trigonometric(cmath.cos)

_OPERATIONS: dict[str, Callable[..., Value]] = {
    "sum": _sum,
    "product": _product,
    "negative": lambda a: -a,
    "inverse": lambda a: 1 / a,
    "frac": lambda a, b: _product(a, 1 / b),
    "power": _power,
    "root": lambda a, n: _power(a, 1 / n),
    "percent": lambda a: _product(a, Fraction(1, 100)),
    "factorial": _factorial,
    "binom": _binomial,
    "abs": _abs,
    "floor": _floor,
    "ceil": lambda a: -_floor(-a),
    "sin": _sin,
    "cos": _cos,
    "tan": lambda a: _product(_sin(a), 1 / _cos(a)),
    "cot": lambda a: _product(_cos(a), 1 / _sin(a)),
    "sec": lambda a: 1 / _cos(a),
    "csc": lambda a: 1 / _sin(a),
    "arcsin": _on_complex(cmath.asin),
    "arccos": _on_complex(cmath.acos),
    "arctan": _on_complex(cmath.atan),
    "log": _on_complex(cmath.log),
    "exp": lambda a: _power(complex(math.e), a),
}
