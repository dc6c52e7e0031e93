"""A controller whose code runs in a sandbox, asked like any other."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.source import IMPORTS, check
from atlas_mcp.replay.state import (
    Action,
    Answer,
    Continue,
    Decision,
    IllegalActionError,
    Open,
    Probe,
    Prune,
    State,
)
from atlas_mcp.sandbox.conversation import Conversation, SilentError, conversing
from atlas_mcp.sandbox.isolation import Isolation
from atlas_mcp.sandbox.program import MIB, Limits, Program

LIMITS = Limits(seconds=10.0, processor_seconds=120, memory=512 * MIB, output=8 * MIB)
"""A controller has so many seconds for each reply, and so many in all, of the processor or not."""

MOST = 20_000
"""So many actions and branches a decision may name."""

_LARGEST = 10**9

_WORDS = (
    "__init__.py",
    "core/__init__.py",
    "core/errors.py",
    "replay/__init__.py",
    "replay/state.py",
    "replay/controllers/__init__.py",
    "replay/controllers/dial.py",
    "replay/controllers/votes.py",
)

_FAULTS = {
    "time": "it gave no decision within {seconds:g} seconds",
    "processor": "it used more than {processor_seconds} seconds of the processor",
    "output": "it said more than {output:,} bytes",
}


class BrokenControllerError(BadRequestError):
    """A controller gave no decision; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A source at a place of its dial, and how it is kept in."""

    source: str
    dial: float
    limits: Limits = LIMITS
    isolation: Isolation = "strict"


class Memory(NamedTuple):
    """The answers that an episode has met, by the numbers that stand for them, and a text."""

    answers: tuple[Hashable, ...] = ()
    text: str | None = None


class Fenced:
    """A `Controller` behind a fence. It may be asked of many episodes at once."""

    def __init__(self, talk: Conversation, code: Code, name: str = "fenced") -> None:
        self._talk = talk
        self._code = code
        self.name = name

    def ask(self, state: State, memory: Memory | None) -> Decision:
        return self.ask_all([(state, memory)])[0]

    def ask_all(self, asked: Sequence[tuple[State, Memory | None]]) -> list[Decision]:
        """Decide on the next round of each.

        Raises:
            BrokenControllerError: it gave no decisions.
            IllegalActionError: it answers with what it has not met.
        """
        known = [_answers(state, memory) for state, memory in asked]
        told = self.say(
            [
                [_state(state, numbers), None if memory is None else memory.text]
                for (state, memory), numbers in zip(asked, known, strict=True)
            ]
        )
        if len(told) != len(asked):
            raise BrokenControllerError("it gave another number of decisions than it was asked for")
        return [_decision(one, numbers) for one, numbers in zip(told, known, strict=True)]

    def say(self, what: Any) -> list[tuple[list[list[Any]], str | None]]:
        """Say a line to the player and read what it decides."""
        try:
            line = self._talk.ask(json.dumps(what).encode())
            reply = _REPLY.validate_json(line)
        except SilentError as error:
            raise BrokenControllerError(self._silence(error)) from error
        except ValidationError as error:
            raise BrokenControllerError("what it said is no decision") from error
        if reply.fault is not None:
            raise BrokenControllerError(f"it failed: {reply.fault[:400]}")
        return reply.decisions

    def _silence(self, error: SilentError) -> str:
        if error.why in _FAULTS:
            limits = self._code.limits
            return _FAULTS[error.why].format(
                seconds=limits.seconds,
                processor_seconds=limits.processor_seconds,
                output=limits.output,
            )
        last = error.words.splitlines()[-1:] or ["without a word"]
        return f"its process ended: {last[0][:300]}"


@contextmanager
def fenced(code: Code, name: str = "fenced") -> Iterator[Fenced]:
    """Run a controller in the sandbox until the block ends. Blocks.

    Raises:
        RefusedError, BrokenControllerError: it is no controller.
        SetupError: nothing keeps programs in on this machine.
    """
    check(code.source)
    player = files("atlas_mcp.discovery").joinpath("player.py").read_text("utf-8")
    program = Program(source=player, files={"words.zip": _words()})
    with conversing(program, code.limits, isolation=code.isolation) as talk:
        found = Fenced(talk, code, name)
        found.say({"source": code.source, "dial": code.dial, "imports": IMPORTS})
        yield found


@cache
def _words() -> bytes:
    """Our modules that controllers may import, with what these import."""
    package, packed = files("atlas_mcp"), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in _WORDS:
            archive.writestr(f"atlas_mcp/{name}", package.joinpath(name).read_bytes())
    return packed.getvalue()


# --- what is said


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    decisions: list[tuple[list[list[Any]], str | None]] = []
    fault: str | None = None


_REPLY = TypeAdapter(_Reply)


def _answers(state: State, memory: Memory | None) -> tuple[Hashable, ...]:
    """All answers met so far; a number given once stays."""
    met = () if memory is None else memory.answers
    read = (one.answer for one in state.branches if one.answer is not None)
    return tuple(dict.fromkeys((*met, *read)))


def _state(state: State, answers: Sequence[Hashable]) -> list[Any]:
    numbers = {answer: number for number, answer in enumerate(answers)}
    spent = state.spent
    return [
        state.left,
        [(*one[:3], numbers.get(one.answer), *one[4:]) for one in state.branches],
        state.rounds,
        [spent.tokens, spent.latency, spent.usd, spent.calls, spent.probes],
    ]


def _decision(told: tuple[list[list[Any]], str | None], answers: tuple[Hashable, ...]) -> Decision:
    actions, text = told
    if sum(map(_size, actions)) > MOST:
        raise IllegalActionError(f"a decision of more than {MOST:,} actions and branches")
    return Decision([_action(one, answers) for one in actions], Memory(answers, text))


def _action(told: list[Any], answers: Sequence[Hashable]) -> Action:
    if not _bounded(told):
        raise IllegalActionError("a number in an action is too large")
    match told:
        case ["open", int(count), int() | None as intervals, int(arm)]:
            return Open(count, intervals, arm)
        case ["continue", list(branches), int() | None as intervals] if _whole(branches):
            return Continue(branches, intervals)
        case ["probe", list(branches)] if _whole(branches):
            return Probe(branches)
        case ["prune", list(branches)] if _whole(branches):
            return Prune(branches)
        case ["answer", None]:
            return Answer(None)
        case ["answer", int(number)] if 0 <= number < len(answers):
            return Answer(answers[number])
        case ["answer", *_]:
            raise IllegalActionError("it answered with what no branch had said")
    raise IllegalActionError(f"{str(told)[:100]} is no action")


def _size(action: list[Any]) -> int:
    return 1 + sum(len(part) for part in action if isinstance(part, list))


def _whole(numbers: list[Any]) -> bool:
    return all(isinstance(one, int) for one in numbers)


def _bounded(part: Any) -> bool:
    """Whether arithmetic with it, and its text, stay short."""
    if isinstance(part, list):
        return all(map(_bounded, part))
    return not isinstance(part, int) or abs(part) <= _LARGEST
