from __future__ import annotations

import math
import operator
import time
import warnings
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.tools.arithmetic import ArithmeticFault, evaluate, written


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("0.1+0.2", "0.3"),
        ("1/3", "0.333333333333"),
        ("2/3*3", "2"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("2**10", "1024"),
        ("2^10", "1024"),
        ("-2**2", "-4"),
        ("2**-2", "0.25"),
        ("4**0.5", "2"),
        ("2**-1000 * 2**1000", "1"),
        ("1.005**360", "6.02257521226"),
        ("250000 * (1 + 0.0425/12)**360", "892662.368134"),
        ("64**(1/3)", "4"),
        ("1,234 + 1", "1235"),
        ("1,234,567.5", "1234567.5"),
        ("$1,200 - $200", "1000"),
        ("6 × 7", "42"),
        ("6 ÷ 4", "1.5"),
        ("5 − 8", "-3"),
        ("6 · 7", "42"),
        ("3e2", "300"),
        ("007", "7"),
        ("(4 +\n 5)", "9"),
        ("+5", "5"),
        ("--5", "5"),
        ("0 * -1", "0"),
    ],
)
def test_ordinary_arithmetic_is_read_as_people_write_it(expression: str, value: str) -> None:
    assert written(evaluate(expression)) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("20%", Fraction(1, 5)),
        ("20% * 50", Fraction(10)),
        ("50*20%", Fraction(10)),
        ("100 / 20%", Fraction(500)),
        ("(20%)", Fraction(1, 5)),
        ("(10+5)%", Fraction(3, 20)),
        ("200 * (1 + 5%)", Fraction(210)),
        ("-20%", Fraction(-1, 5)),
    ],
)
def test_a_percent_sign_before_an_operator_or_the_end_means_hundredths(
    expression: str, value: Fraction
) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(("expression", "value"), [("7 % 3", 1), ("7%3", 1), ("17 % (2+3)", 2)])
def test_a_percent_sign_before_a_number_or_a_parenthesis_is_the_remainder(
    expression: str, value: int
) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("2 +", "not a valid"),
        ("3 4", "not a valid"),
        ("5$6", "not a valid"),
        ("1/0", "division by zero"),
        ("0**-1", "division by zero"),
        ("5 % (3-3)", "division by zero"),
        ("(-8)**0.5", "not a real number"),
        ("x + 1", "'x' is not allowed"),
        ("e", "names such as 'e'"),
        ("2(3+4)", "needs its *"),
        ("__import__('os')", "is not allowed"),
        ("1 if 2 else 3", "is not allowed"),
        ("5 apples", "is not allowed"),
        ("1, 2", "is not allowed"),
        ("1j", "is not allowed"),
        ("[1]", "is not allowed"),
        ("()", "only numbers"),
        ("...", "not a number|not a valid"),
        ("9**9**9", "exponents beyond 1000"),
        ("10**64**64", "exponents beyond 1000"),
        ("(10**64)**64", "too large"),
        ("1e999999999", "out of range"),
        ("(10**64)**(64.5)", "too large|not finite"),
        ("*".join(["9**64"] * 150), "too large"),
        ("1000**1000", "too large"),
        ("0.001**1000", "too small"),
        ("1000.5**1000", "not finite"),
        ("1" * 1001, "longer than"),
        ("(" * 60 + "1" + ")" * 60 + "+" + "-" * 60 + "1", "nested too deeply"),
        ("(" * 400 + "1" + ")" * 400, "not a valid"),
    ],
)
def test_anything_else_is_a_fault_that_says_what_is_wrong(expression: str, fault: str) -> None:
    with pytest.raises(ArithmeticFault, match=fault) as caught:
        evaluate(expression)
    assert len(str(caught.value)) < 100


def test_a_long_sum_is_not_taken_for_deep_nesting() -> None:
    assert evaluate("1" + "+1" * 499) == 500


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "(9**64)**64",
        "*".join(["9**64"] * 140),
        "-" * 999 + "1",
        "(" * 999,
        "2**" * 300,
        "1.005**1000+" * 80 + "1/0",
        "(1+1/3)**999*" * 70 + "1/0",
    ],
)
def test_no_expression_burns_time(expression: str) -> None:
    started = time.process_time()
    with pytest.raises(ArithmeticFault):
        evaluate(expression)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(42), "42"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 2**12), "0.000244140625"),
        (Fraction(1, 10**13), "0.0000000000001"),
        (Fraction(123456789012345678), "123456789012345678"),
        (Fraction(1234567890123, 2), "617283945061.5"),
        (Fraction(-2, 3), "-0.666666666667"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.3"),
        (2**0.5, "1.41421356237"),
        (1234567890123.0, "1234567890123"),
        (1e20, "100000000000000000000"),
        (1e-7, "0.0000001"),
        (-0.0, "0"),
        (1e300, "1e+300"),
    ],
)
def test_a_value_is_written_as_plain_decimal_text(value: Fraction | float, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, Fraction(2) ** 20_000])
def test_what_has_no_decimal_text_is_a_fault(value: Fraction | float) -> None:
    with pytest.raises(ArithmeticFault):
        written(value)


def test_huge_exact_numbers_are_written_in_full() -> None:
    assert written(Fraction(10) ** 1000) == "1" + "0" * 1000


Tree = tuple[str, Fraction | None]
_OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction | int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _joined(left: Tree, sign: str, right: Tree) -> Tree:
    text = f"({left[0]}) {sign} ({right[0]})"
    if left[1] is None or right[1] is None or (right[1] == 0 and sign in "//%"):
        return text, None
    return text, Fraction(_OPERATORS[sign](left[1], right[1]))


_numbers = st.one_of(
    st.integers(0, 10**6).map(lambda n: (str(n), Fraction(n))),
    st.integers(1000, 10**6).map(lambda n: (f"{n:,}", Fraction(n))),
    st.decimals(0, 1000, places=3).map(lambda d: (f"{d:f}", Fraction(d))),
    st.integers(0, 300).map(lambda n: (f"{n}%", Fraction(n, 100))),
)
_trees: st.SearchStrategy[Tree] = st.recursive(
    _numbers,
    lambda inner: (
        st.builds(_joined, inner, st.sampled_from(sorted(_OPERATORS)), inner)
        | inner.map(lambda tree: (f"-({tree[0]})", None if tree[1] is None else -tree[1]))
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(_trees)
def test_the_value_is_the_one_of_fraction_arithmetic(tree: Tree) -> None:
    text, value = tree
    if value is None:
        with pytest.raises(ArithmeticFault, match="division by zero"):
            evaluate(text)
    else:
        assert evaluate(text) == value


@settings(max_examples=100)
@given(st.text(max_size=40) | st.text("0123456789.eE+-*/%()^,$ _×÷", max_size=40))
def test_arbitrary_text_gives_a_finite_value_or_a_fault(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value = evaluate(text)
        except ArithmeticFault:
            return
    assert isinstance(value, Fraction) or math.isfinite(value)
    assert written(value) != "-0"


@settings(max_examples=100)
@given(st.fractions(max_denominator=10**6) | st.floats(-1e25, 1e25))
def test_reading_back_what_was_written_writes_the_same(value: Fraction | float) -> None:
    assert written(evaluate(written(value))) == written(value)


@settings(max_examples=100)
@given(st.floats(-1e25, 1e25))
def test_what_is_written_is_true_to_twelve_digits(value: float) -> None:
    assert float(written(value)) == pytest.approx(value, rel=1e-11, abs=0)
