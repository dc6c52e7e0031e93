"""Programs that are spoken with, among them some that do not speak."""

from __future__ import annotations

import sys
from threading import Event, Thread

import pytest
from support import WAIT

from atlas_mcp.sandbox.conversation import SilentError, conversing
from atlas_mcp.sandbox.program import Limits, Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")

ECHO = """
import sys
for line in sys.stdin:
    print(line.strip()[::-1], flush=True)
"""


def test_each_line_is_answered_by_one() -> None:
    with conversing(Program(source=ECHO)) as talk:
        assert [talk.ask(one) for one in (b"abc", b"", b"xy")] == [b"cba", b"", b"yx"]


def test_a_line_may_be_longer_than_any_pipe_holds() -> None:
    with conversing(Program(source=ECHO)) as talk:
        assert talk.ask(b"ab" * 500_000) == b"ba" * 500_000


@pytest.mark.parametrize(
    ("source", "why", "words"),
    [
        ("import sys; sys.exit('no more')", "exited", "no more"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signalled", ""),
        ("while True: pass", "time", ""),
        ("print('x' * 10_000_000, end='', flush=True)", "output", ""),
        ("import sys; sys.stdout.close(); sys.stderr.write('later')", "exited", "later"),
    ],
)
def test_a_program_without_an_answer_is_told_apart(source: str, why: str, words: str) -> None:
    limits = Limits(seconds=2, output=1_000_000)
    with conversing(Program(source=source), limits) as talk:
        with pytest.raises(SilentError) as caught:
            talk.ask(b"well?")
        assert caught.value.why == why
        assert words in caught.value.words


def test_whoever_still_listens_when_it_ends_is_told() -> None:
    asking, caught = Event(), list[SilentError]()

    def ask() -> None:
        asking.set()
        with pytest.raises(SilentError) as silent:
            talk.ask(b"well?")
        caught.append(silent.value)

    listener = Thread(target=ask)
    with conversing(Program(source="while True: pass")) as talk:
        listener.start()
        asking.wait()
    listener.join(WAIT)
    assert [one.why for one in caught] == ["signalled"]
