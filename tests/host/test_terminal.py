"""What a person sees of a run: nothing that matters is cut, and it fits the terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from atlas_mcp.host.orchestrator import Explore
from atlas_mcp.host.replies import Amounts, AnswerGroup, Capsule, Ledger
from atlas_mcp.host.terminal import Terminal, amount_words
from atlas_mcp.settings import Look, terminal_look


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def capsule(*, answer: str | None = "42", error: str | None = None, solver: str = "s") -> Capsule:
    status = "failed" if error else "ok"
    return Capsule(
        id="e_1",
        solver=solver,
        effort="medium",
        strategy="direct",
        status=status,
        answer=answer,
        error=error,
    )


def test_the_error_of_a_failed_call_is_shown_whole() -> None:
    error = "missing_weights: the weights are not here: " + "very " * 40 + "\nrun models pull"
    out = io.StringIO()
    Terminal(out).found(capsule(answer=None, error=error))
    assert out.getvalue().splitlines()[1].strip() == " ".join(error.split())


@pytest.mark.parametrize("columns", [60, 80, 120])
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.text(max_size=60), min_size=1, max_size=9), count=st.integers(1, 99))
def test_lines_fit_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, answers: list[str], count: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen()
    terminal = Terminal(screen, look="mono")
    for answer in answers:
        terminal.found(capsule(answer=answer, solver="solver-1"))
    terminal.counted(
        Ledger(
            asked=len(answers),
            ok=len(answers),
            answers=tuple(AnswerGroup(answer=one, count=count) for one in answers),
            leader_probability=0.5,
        )
    )
    assert max(len(line) for line in screen.getvalue().splitlines()) <= columns


def test_leaving_takes_away_the_line_that_moves() -> None:
    screen = Screen()
    with Terminal(screen) as terminal:
        terminal.dispatched(Explore())
    assert screen.getvalue().endswith("dispatched\r\x1b[2K")


@pytest.mark.parametrize(
    ("look", "moves", "colors"),
    [("color", True, True), ("mono", True, False), ("plain", False, False)],
)
def test_a_terminal_is_written_to_as_the_environment_asks(
    look: Look, moves: bool, colors: bool
) -> None:
    screen = Screen()
    with Terminal(screen, look=look) as terminal:
        terminal.progress("1 of 3 done")
        terminal.found(capsule())
    assert ("1 of 3" in screen.getvalue()) is moves
    assert bool(re.search(r"\x1b\[\d+m", screen.getvalue())) is colors


@pytest.mark.parametrize(
    ("environ", "look"),
    [
        ({}, "color"),
        ({"NO_COLOR": ""}, "color"),
        ({"NO_COLOR": "1"}, "mono"),
        ({"NO_COLOR": "1", "TERM": "dumb"}, "plain"),
    ],
)
def test_no_color_and_dumb_terminals_are_respected(environ: dict[str, str], look: Look) -> None:
    assert terminal_look(environ) == look


def test_amounts_say_what_is_unknown() -> None:
    unknown = "unknown calls, unknown tokens, unknown cost, unknown solver seconds"
    assert amount_words(Amounts()) == unknown
    assert amount_words(Amounts(calls=1, tokens=9, usd=0.5, seconds=2.0)) == (
        "1 call, 9 tokens, $0.5000, 2.0 solver seconds"
    )
    assert "$0.000023," in amount_words(Amounts(calls=1, tokens=9, usd=0.0000234, seconds=2.0))
    assert "$0.0000," in amount_words(Amounts(calls=1, tokens=9, usd=0.0, seconds=2.0))
