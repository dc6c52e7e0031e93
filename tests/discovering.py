"""A made-up pool whose texts carry marks, and controllers of all characters for it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from textwrap import dedent, indent

from atlas_mcp.discovery.lab import Lab, Terms, opened
from atlas_mcp.replay.arrays import record
from solvers.recording import Pool, Question, Recording, write_pool

GOLD = "goldmark"
WRONG = "wrongmark"
QUESTION = "questionmark"

TERMS = Terms(seeds=2, dials=(0.0, 1.0))


def pool(questions: int = 8, draws: int = 12, *, probes: bool = True) -> Pool:
    """Short branches are right more often; questions differ in how often."""
    chance = Random(7)
    rows = []
    for number in range(questions):
        for draw in range(draws):
            right = chance.random() < (0.3, 0.55, 0.8)[number % 3]
            length = chance.randint(2, 5) if right else chance.randint(4, 9)
            answer = f"{GOLD}{number}" if right else f"{WRONG}{chance.randint(1, 3)}"
            read = tuple(answer if chance.random() < 0.6 else "ERR" for _ in range(length))
            rows.append(
                Recording(
                    question_id=f"{QUESTION}{number}",
                    model="m",
                    sample_idx=draw,
                    answer=answer,
                    correct=right,
                    output_tokens=100 * length + 40,
                    probes=read if probes else None,
                )
            )
    asked = [
        Question(
            question_id=f"{QUESTION}{number}",
            question="?",
            gold=f"{GOLD}{number}",
            meta={"probe_freq": 100} if probes else {},
        )
        for number in range(questions)
    ]
    return Pool(questions=tuple(asked), recordings=tuple(rows))


def written(folder: Path) -> Path:
    made = pool()
    write_pool(folder, made.questions, made.recordings)
    return folder


def lab(seconds: float = 10.0) -> Lab:
    return opened(record(pool()), TERMS, jobs=1, seconds=seconds)


def controller(ask: str, above: str = "") -> str:
    """A controller that does this when it is asked."""
    head = """\
        from __future__ import annotations
        from atlas_mcp.replay.state import *
        from atlas_mcp.replay.controllers.votes import count
    """
    body = """\
        class Controller:
            @classmethod
            def at(cls, dial):
                found = cls()
                found.dial = dial
                return found

            def ask(self, state, memory):
    """
    parts = [dedent(head), dedent(above), dedent(body), indent(dedent(ask), " " * 8)]
    return "\n".join(parts)


SHORTEST = controller(
    """
    if not state.branches:
        return Decision((Open(min(2 + round(8 * self.dial), state.left[0]), 1),))
    ended = [one for one in state.branches if one.ended]
    if ended:
        return Decision((Answer(count(one.answer for one in ended).leader),))
    return Decision((Continue(active(state.branches)),))
    """
)
"""A good one for this pool: whoever ends first."""

THRIFTY = """\
from atlas_mcp.replay.controllers.votes import count
from atlas_mcp.replay.state import Answer, Decision, Open


class Controller:
    @classmethod
    def at(cls, dial):
        found = cls()
        found.tokens = 200 * dial
        return found

    def ask(self, state, memory):
        if state.spent.tokens < self.tokens and state.left[0]:
            return Decision((Open(1),))
        return Decision((Answer(count(one.answer for one in state.branches).leader),))
"""
"""Draws until so many tokens are written, and votes."""

OUT = """
def out():
    for one in ().__class__.__base__.__subclasses__():
        known = getattr(getattr(one, "__init__", None), "__globals__", {})
        if "sys" in known and hasattr(known["sys"], "modules"):
            return known["sys"].modules["builtins"].__import__
"""
"""The way around the builtins that a controller is given: the interpreter's own import."""


def escaping(lines: str) -> str:
    """A controller that does this with `get`, the interpreter's own import."""
    return controller(f"get = out()\n{dedent(lines)}\nreturn Decision((Open(1),))", OUT)
