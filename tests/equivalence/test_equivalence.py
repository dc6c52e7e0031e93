from __future__ import annotations

import re
import time
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atlas_mcp.equivalence import canonical, same
from solvers.types import AnswerKind

OPTIONS = "Which city is the capital of France?\nA) London\nB) Paris\nC) Rome"
KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)


@pytest.mark.parametrize(
    "answer",
    [
        "B", "b", "(b)", "B.", "B)", "[B]", "Answer: B", "**B**", "**Answer:** B", "option B",
        "Option (B)", r"\boxed{B}", r"\text{B}", r"$\boxed{\textbf{(B)}}$", r"\textbf{(B)}\ 12",
        "B) Paris", "(B) Paris", "B. Paris", "B: Paris", "B - Paris", "The correct answer is (B).",
        "the answer is B", "Paris", "I think the answer is B because France is not England",
    ],
)  # fmt: skip
def test_a_choice_is_read_however_its_letter_is_dressed(answer: str) -> None:
    assert canonical(answer, "choice", OPTIONS) == "choice:B"


@pytest.mark.parametrize("answer", ["B", "(b)", "B) Paris", r"\boxed{B}", "Paris"])
def test_auto_reads_a_letter_only_where_the_problem_offers_it(answer: str) -> None:
    assert canonical(answer, "auto", OPTIONS) == "choice:B"
    assert not canonical(answer, "auto", "Name a city.").startswith("choice")


@pytest.mark.parametrize(
    "problem",
    [
        "Pick.\n(A) one\n(B) two",
        "Pick.\nA. one\nB. two",
        "Pick.\n**A)** one\n**B)** two",
        r"Pick. $\textbf{(A)}\ 1 \qquad \textbf{(B)}\ 2$",
        "Pick: (A) one (B) two",
    ],
)
def test_auto_finds_the_options_of_a_problem(problem: str) -> None:
    assert canonical("B", "auto", problem) == "choice:B"


@pytest.mark.parametrize("answer", ["D", "x", "A dog", "A) London and C) Rome", "neither"])
def test_what_is_none_of_the_options_is_no_choice(answer: str) -> None:
    assert not canonical(answer, "choice", OPTIONS).startswith("choice")


def test_several_letters_keep_their_order() -> None:
    assert canonical("A and C", "choice") == canonical("A, C", "choice") == "choice:A,C"
    assert not same("A, C", "C, A", "choice")


NUMBERS = [
    ("42", ["42.0", "42.", " 42 ", "+42", "$42$", r"\boxed{42}", r"\(42\)", "**42**", "`42`",
            "42 apples", "42 cm", "42 cm^2", r"42\text{ cm}^2", "42 km/h", r"42^\circ", "42°",
            "The answer is 42.", "Answer: 42", "**Answer:** 42", "x = 42", "42 = x", "4.20e1",
            r"4.2 \times 10^1", r"6 \cdot 7 = 42", r"\$42", "$42.00", "(42)", r"\frac{84}{2}"]),
    ("1234", ["1,234", "$1,234.00", "1 234", r"1{,}234", r"1\,234", "1.234e3", "1,234 people"]),
    ("0.5", ["1/2", ".5", "50%", r"50\%", "50 percent", r"\frac{1}{2}", r"\frac12",
             r"\dfrac{1}{2}", "2/4", "½", r"\sin 30^\circ"]),
    ("-5", ["−5", "-5.0", "- 5", "minus 5", "negative 5", r"-\frac{10}{2}"]),
    ("2.5", ["5/2", "2 1/2", r"2\frac{1}{2}", r"2\frac12", "2½", "250%"]),
    ("3000000", ["3 million", "$3 million", "3,000,000", r"3 \times 10^6", "3e6"]),
    ("-0.75", [r"-\frac34", r"\frac{-3}{4}", r"\dfrac{3}{-4}", "-3/4"]),
]  # fmt: skip


@pytest.mark.parametrize(("plain", "others"), NUMBERS)
@pytest.mark.parametrize("kind", ["number", "auto", "math"])
def test_a_number_is_the_same_however_it_is_written(
    plain: str, others: list[str], kind: AnswerKind
) -> None:
    keys = {canonical(other, kind) for other in [plain, *others]}
    assert keys == {f"number:{plain}"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3, 4", "4, 3"),
        ("3, 4", "34"),
        ("(3, 4)", "(4, 3)"),
        ("3 and 4", "3"),
        ("10-20", "-10"),
        ("10-20", "10"),
        ("10–20", "10"),
        ("between 3 and 5", "3"),
        ("3 million", "3"),
        ("3 and a half", "3"),
        ("3 hours 20 minutes", "3"),
        ("2024-01-15", "2008"),
        ("3:2", "3/2"),
        ("2x", "2"),
        ("5i", "5"),
        ("2 pi", "2"),
        ("50%", "50"),
        ("1.5", "15"),
        ("-5", "5"),
        ("10^2", "102"),
        ("10²", "102"),
        ("0.333", "1/3"),
    ],
)
@pytest.mark.parametrize("kind", ["number", "auto"])
def test_answers_of_several_or_other_numbers_stay_apart(a: str, b: str, kind: AnswerKind) -> None:
    assert not same(a, b, kind)


@pytest.mark.parametrize(
    ("sentence", "key"),
    [
        ("There are 42 apples left in the basket.", "number:42"),
        ("It is 42", "number:42"),
        ("She pays $1,250.50 in total.", "number:1250.5"),
        ("20% of the students", "number:0.2"),
        ("about -5 degrees", "number:-5"),
        ("12 Monkeys", "number:12"),
    ],
)
def test_a_number_is_found_in_a_sentence_when_a_number_was_asked_for(
    sentence: str, key: str
) -> None:
    assert canonical(sentence, "number") == key


@pytest.mark.parametrize("name", ["Apollo 11", "World War 2", "12 Monkeys", "Vitamin B12", "H2O"])
def test_auto_takes_no_name_for_its_number(name: str) -> None:
    assert canonical(name, "auto").startswith("text:")


SAME_MATH = [
    ("x+1", "1+x"),
    ("2x + 3y", r"3 \cdot y + 2 \cdot x"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt2}{2}"),
    (r"\sqrt{3+2\sqrt{2}} - \sqrt{3-2\sqrt{2}}", "2"),
    ("sin(x)^2+cos(x)^2", "1"),
    (r"\sin^2\theta + \cos^2\theta", "1"),
    (r"2\sin x\cos x", "sin(2x)"),
    (r"\tan^{-1} 1", r"\frac{\pi}{4}"),
    (r"\frac{\pi}{3}", "pi/3"),
    ("π/3", r"\dfrac{1}{3}\pi"),
    (r"10\pi\text{ cm}^2", r"10 \pi"),
    (r"10\pi cm^2", r"10\pi"),
    ("(x-1)(x+1)", "x^2 - 1"),
    ("x²", "x**2"),
    ("x^{10}", "x^10"),
    (r"\sqrt[3]{x}", "x^{1/3}"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
    (r"\binom{10}{3}", "120"),
    ("5!", "120"),
    ("n \\cdot (n-1)!", "n!"),
    (r"\log_2 8", "3"),
    (r"\ln x^2 y", r"\log(x^2 y)"),
    ("e^{i\\pi}", "-1"),
    ("(1+i)^2", "2i"),
    (r"\frac{1}{x+1}+\frac1{x-1}", r"\frac{2x}{x^2-1}"),
    (r"\left|x\right|", r"\sqrt{x^2}"),
    (r"\lfloor 3.7 \rfloor", "3"),
    (r"2 \cdot 3^{1000}", r"2(3^{1000})"),
    ("a_1 + a_{12}", "a_{12}+a_{1}"),
    ("f(x) = 2x + 1", "2x+1"),
    ("x = 3", "3"),
    ("y = 2x+1", "2x - y + 1 = 0"),
    ("2x = 2y + 4", "y = x - 2"),
    ("x > 3", "3 < x"),
    (r"x \le 5", r"2x \leq 10"),
    ("0 < x < 1", "1 > x > 0"),
    (r"\left(\frac{1}{2}, 3\right)", "(0.5, 3)"),
    ("(x, y) = (3, 4)", "(3,4)"),
    ("x = 3, y = 4", "y=4, x=3"),
    ("x=2 or x=3", "2, 3"),
    (r"x = 2 \text{ or } x = 3", "2 and 3"),
    (r"\pm\sqrt{2}", r"\sqrt2, -\sqrt2"),
    (r"1 \pm \sqrt{3}", r"1+\sqrt{3}, 1-\sqrt{3}"),
    (r"\{1, 2, 3\}", r"\{3, 2, 1\}"),
    ("[0, 1)", r"\left[0,\frac{2}{2}\right)"),
    (r"x \in (-\infty, 3]", "(-∞,3]"),
    (r"(-\infty,0)\cup(1,2)", r"(1,2) \cup (-\infty, 0)"),
    (r"\boxed{x+1}", "$$1 + x$$"),
    (r"\text{Evelyn}", "evelyn"),
    (r"\int_0^1 x \, dx", r"\int_0^1 x\,dx"),
    (r"3\frac72", r"\frac{21}{2}"),
]

OTHER_MATH = [
    ("x+1", "x-1"),
    ("x+1", "y+1"),
    ("x^2", "2x"),
    ("x^{12}", "x^{1}2"),
    ("|x|", "x"),
    (r"\sqrt{x^2}", "x"),
    ("|x - 3|", "3 - x"),
    ("x^{2023}", "x^{2024}"),
    (r"2^{1000}", r"2^{1001}"),
    (r"2^{100000}", r"2^{100001}"),
    (r"10^{-15}\sqrt{2}", "0"),
    (r"e^{-1000}", "0"),
    (r"\sqrt{2}", "1.4142"),
    (r"\frac{\pi}{3}", r"\frac{\pi}{4}"),
    (r"\sin x", r"\cos x"),
    ("(0, 1)", "[0, 1]"),
    ("(0, 1]", "[0, 1)"),
    ("(3, 4)", "(4, 3)"),
    (r"\{3, 4\}", "(3, 4)"),
    ("x = 3, y = 4", "x = 4, y = 3"),
    ("x < 3", "x > 3"),
    ("x < 3", r"x \le 3"),
    ("y = x", "y = -x"),
    ("2i", "2"),
    ("1+2i", "1-2i"),
    ("a_1", "a_2"),
    ("no", "on"),
    (r"\int x\,dx", r"\int y\,dx"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}2&1\end{pmatrix}"),
    ("5 \\text{ or more}", "5"),
    ("1/0", "2/0"),
]


@pytest.mark.parametrize(("a", "b"), SAME_MATH)
def test_equal_formulas_are_equivalent(a: str, b: str) -> None:
    assert canonical(a, "math") == canonical(b, "math")


@pytest.mark.parametrize(("a", "b"), OTHER_MATH)
def test_different_formulas_stay_apart(a: str, b: str) -> None:
    assert canonical(a, "math") != canonical(b, "math")


@pytest.mark.parametrize("answer", ["42", "1/2", r"\sqrt{2}", "x^2 - 1", "(3, 4)", "[0, 1)", "2i"])
def test_auto_and_math_agree_on_formulas(answer: str) -> None:
    assert canonical(answer, "auto") == canonical(answer, "math")


PROGRAM = 'def f(a):\n    """Double it."""\n    return 2*a  # twice\n'


@pytest.mark.parametrize(
    "other",
    [
        f"```python\n{PROGRAM}```",
        f"Here it is:\n```\n{PROGRAM}```\nDone.",
        PROGRAM.replace("\n", "\r\n"),
    ],
)
@pytest.mark.parametrize("kind", ["code", "auto"])
def test_programs_are_compared_without_comments_and_layout(other: str, kind: AnswerKind) -> None:
    assert same(PROGRAM, other, kind)
    assert same(PROGRAM, "def f( a ):\n\n    return 2 * a", "code")


def test_programs_that_do_something_else_stay_apart() -> None:
    assert not same(PROGRAM, PROGRAM.replace("2*a", "3*a"), "code")
    assert not same("if x:\n    f()\ng()", "if x:\n    f()\n    g()", "code")
    assert not same('x = "a # b"', 'x = "a # c"', "code")
    assert not same('x = """\na\n"""\nf()\ny = """\n"""', 'x = """\na\n"""\ny = """\n"""', "code")
    assert same("int f() { return 1; }", "int f(){return 1;}", "code")
    assert not same("int f() { return 1; }", "int f() { return 2; }", "code")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Paris", "paris."),
        ("The Great Gatsby", "great gatsby"),
        ("“don’t”", "don't"),
        ("well-known", "well known"),
        ("ﬁne", "fine"),
        ("**Paris**", "Paris"),
        (r"\boxed{\text{Paris}}", "Paris"),
        ("a population of 1,234", "population of 1234"),
        ("Answer: Paris", "the answer is Paris."),
        ("Straße", "STRASSE"),
    ],
)
def test_texts_differ_by_more_than_case_articles_and_punctuation(a: str, b: str) -> None:
    assert same(a, b, "text")
    assert same(a, b, "auto")


@pytest.mark.parametrize(
    ("a", "b"),
    [("C", "C++"), ("C#", "C"), ("3.5 kg or so", "35 kg or so"), ("-5 or less", "5 or less"),
     ("10:30 am", "1030 am"), ("Paris", "Rome"), ("2*3 ways", "23 ways")],
)  # fmt: skip
def test_signs_that_carry_meaning_are_kept(a: str, b: str) -> None:
    assert not same(a, b, "text")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ["", "   ", "\n\t"])
def test_an_empty_answer_is_an_empty_text(answer: str, kind: AnswerKind) -> None:
    assert canonical(answer, kind) == "text:"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "piece",
    ["a", "(", "{", "\\frac", "\\sqrt{", "2^", "1,", "9!*", "\\boxed{", "```\n", "-", "$", " ",
     "\\sqrt{3^{4000}}", "1\\frac{1", "\\ ", "x^{x}", "aa", "A) ", "|x|", "'"],
)  # fmt: skip
def test_hostile_answers_take_no_time(piece: str, kind: AnswerKind) -> None:
    started = time.process_time()
    for size in (1_990, 20_000):
        canonical("42 " + piece * (size // len(piece) - 3), kind, OPTIONS)
    assert time.process_time() - started < 1


_PIECES = [
    *r"1 2 , . - + * / ^ _ ( ) [ ] { } \frac \sqrt \sin x y = < | ! % ° ² $ ** `".split(),
    *["\\boxed{", "\\text{", "\n", "```\n", " ", "A)", "the ", "\ud800"],
]
_texts = st.text(max_size=60) | st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)


@settings(max_examples=100)
@given(_texts, st.sampled_from(KINDS), st.sampled_from(["", OPTIONS]))
def test_any_text_has_a_key_and_the_same_one_every_time(
    text: str, kind: AnswerKind, problem: str
) -> None:
    key = canonical(text, kind, problem)
    assert key.split(":")[0] in {"choice", "number", "math", "code", "text"}
    assert canonical(text, kind, problem) == key
    assert key.encode()


@settings(max_examples=100)
@given(_texts)
def test_a_short_text_key_is_its_own_key(text: str) -> None:
    key = canonical(text, "text")
    if "sha256" not in key:
        again = canonical(key.removeprefix("text:"), "text")
        assert canonical(again.removeprefix("text:"), "text") == again


_rationals = st.fractions(-1000, 1000, max_denominator=60)
_dresses = st.sampled_from(
    ["{}", " {} ", "${}$", r"\boxed{{{}}}", "**{}**", "The answer is {}.", "Answer: {}", "x = {}"]
)


def _written(value: Fraction, form: str) -> str:
    sign = "-" if value < 0 else ""
    top, bottom = abs(value.numerator), value.denominator
    if form == "latex":
        return rf"{sign}\frac{{{top}}}{{{bottom}}}"
    if form == "decimal" and 10**6 % bottom == 0:
        return f"{sign}{top * 10**6 // bottom / 10**6:,.6f}"
    return f"{sign}{top}/{bottom}" if bottom > 1 else f"{sign}{top:,}"


_forms = st.sampled_from(["plain", "latex", "decimal"])


@settings(max_examples=100)
@given(_rationals, _forms, _dresses, st.sampled_from(["number", "math", "auto"]))
def test_the_key_of_a_rational_does_not_depend_on_its_form(
    value: Fraction, form: str, dress: str, kind: AnswerKind
) -> None:
    answer = dress.format(_written(value, form))
    assert canonical(answer, kind) == canonical(_written(value, "plain"), "number")


_forms_of_two = st.tuples(_forms, _forms)
_whole_numbers = st.integers(-(10**30), 10**30).map(Fraction)
_short_decimals = st.builds(
    lambda digits, places: Fraction(digits, 10**places),
    st.integers(-(10**9) + 1, 10**9 - 1),
    st.integers(0, 6),
)
_pairs = st.tuples(_whole_numbers, _whole_numbers) | st.tuples(_short_decimals, _short_decimals)


@settings(max_examples=100)
@given(_pairs | _short_decimals.map(lambda value: (value, value)), _forms_of_two)
def test_whole_numbers_and_short_decimals_are_equivalent_exactly_if_they_are_equal(
    pair: tuple[Fraction, Fraction], forms: tuple[str, str]
) -> None:
    a, b = map(_written, pair, forms)
    assert same(a, b, "number") == (pair[0] == pair[1])


@settings(max_examples=100)
@given(_rationals, _rationals)
def test_other_rationals_are_equivalent_exactly_if_nine_digits_agree(
    a: Fraction, b: Fraction
) -> None:
    agree = f"{float(a):.9g}" == f"{float(b):.9g}"
    assert same(_written(a, "latex"), _written(b, "plain"), "number") == agree


@settings(max_examples=100)
@given(_rationals, st.integers(10, 15))
def test_a_rational_is_equivalent_to_its_rounded_decimal(value: Fraction, digits: int) -> None:
    decimal = f"{float(value):.{digits}g}"
    assume(not re.search(r"50*$", decimal))  # a tie could be rounded either way twice
    assert same(_written(value, "latex"), decimal, "number")


@pytest.mark.parametrize(
    ("constant", "decimal"),
    [
        ("1/3", "0.333333333333"),
        (r"\frac{2}{3}", "0.6666666667"),
        (r"\sqrt{2}", "1.41421356237"),
        (r"\pi", "3.14159265359"),
        (r"100 \cdot 1.005^{360}", "602.257521226"),
        (r"10^6\sqrt{2}", "1414213.56237"),
    ],
)
@pytest.mark.parametrize("kind", ["number", "math", "auto"])
def test_a_constant_is_equivalent_to_its_decimal_of_ten_digits_or_more(
    constant: str, decimal: str, kind: AnswerKind
) -> None:
    assert same(constant, decimal, kind)
    assert not same(constant, decimal[:7], kind)


@pytest.mark.parametrize(
    ("a", "b"), [("12345678901", "12345678902"), ("1234567890.5", "1234567890"), ("0.1", "0.10001")]
)
def test_rounding_does_not_reach_whole_numbers_or_short_decimals(a: str, b: str) -> None:
    assert not same(a, b, "number")


_atoms = st.sampled_from(["x", "y", "2", "3", "7"])
_formulas: st.SearchStrategy[str] = st.recursive(
    _atoms,
    lambda inner: st.builds("({}) {} ({})".format, inner, st.sampled_from("+-*"), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(_formulas, _formulas)
def test_laws_of_algebra_do_not_change_the_key(a: str, b: str) -> None:
    assert same(f"({a}) + ({b})", f"({b}) + ({a})", "math")
    assert same(f"({a}) * ({b})", f"({b})({a})", "math")
    assert same(f"({a})^2 - ({b})^2", f"(({a}) - ({b}))(({a}) + ({b}))", "math")
    assert not same(a, f"({a}) + 1", "math")
