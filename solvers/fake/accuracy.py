"""Models that are right as often as they are told to be.

Whether a call is right, and which wrong answer it gives otherwise, is decided by the seed,
the model, the problem and how often that model was asked it, so a run repeats itself
however its calls are interleaved.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from solvers.answer import format_instructions
from solvers.fake.exchange import Asked, Reply
from solvers.fake.script import structured
from solvers.tools.arithmetic import ArithmeticFault, evaluate, written

_TERM = r"\({0,9}\d[\d.,]*\){0,9}"
_SUM = re.compile(rf"{_TERM}(?: ?(?:\*\*|[-+*/^×÷·−]) ?{_TERM})+")
_EXPRESSION = format_instructions("expression", "auto").splitlines()[0]
_THOUGHT = {"low": 64, "medium": 256, "high": 1_024, "xhigh": 2_048, "max": 4_096}
_WEIGHTS = (5, 3, 2)  # wrong answers agree more often than chance would have it


class Accurate:
    """A script with set accuracy.

    `answers` are the right answers by the text of the problem, which a prompt may have
    words around; of several that it holds the longest counts. Of other problems an
    arithmetic expression in the text is evaluated; where there is none, there is still one
    answer that counts as right. `accuracy` is one number, or one for each model with
    `otherwise` for the rest.
    """

    def __init__(
        self,
        answers: Mapping[str, str] | None = None,
        *,
        accuracy: float | Mapping[str, float] = 1.0,
        otherwise: float = 1.0,
        seed: int = 0,
    ) -> None:
        known = answers or {}
        self._answers = {problem: known[problem] for problem in sorted(known, key=len)[::-1]}
        self._accuracy = accuracy
        self._otherwise = otherwise
        self._seed = seed
        self._draws: Counter[tuple[str, str]] = Counter()

    def __call__(self, asked: Asked) -> Reply:
        self._draws[asked.model, asked.problem] += 1
        draw = self._draws[asked.model, asked.problem]
        random = Random(f"{self._seed}:{asked.model}:{draw}:{asked.problem}")
        right = random.random() < self._of(asked.model)
        gold = self._gold(asked.problem)
        answer = gold if right else random.choices(wrong_answers(gold), _WEIGHTS)[0]
        thought = _THOUGHT.get(asked.effort or "none", 0)
        if _EXPRESSION in asked.problem or _EXPRESSION in asked.system:
            return Reply(text=answer, reasoning_tokens=thought)
        confidence = round(random.uniform(0.6, 0.99) if right else random.uniform(0.3, 0.9), 2)
        return Reply(text=structured(answer, confidence=confidence), reasoning_tokens=thought)

    def _of(self, model: str) -> float:
        if isinstance(self._accuracy, Mapping):
            return self._accuracy.get(model, self._otherwise)
        return self._accuracy

    def _gold(self, prompt: str) -> str:
        known = next((a for problem, a in self._answers.items() if problem in prompt), None)
        return known or _value(prompt) or str(Random(prompt).randrange(100))


def wrong_answers(gold: str) -> list[str]:
    """Three plausible answers other than this one, the most tempting first."""
    if re.fullmatch(r"[A-Z]", gold):
        letters = "ABCD" if gold in "ABCD" else "EFGHIJKLMNOPQRSTUVWXYZ"
        at = letters.index(gold)
        return [letters[(at + step) % len(letters)] for step in (1, 2, 3)]
    try:
        number = Fraction(gold)
    except (ValueError, ZeroDivisionError):
        return [f"not {gold}", f"{gold} or none", f"all but {gold}"]
    return [written(number + 1), written(number - 1), written(number + 10)]


def read_answers(file: Path) -> dict[str, str]:
    """Right answers by problem, from JSON or TOML: a table, or `problems` in a list.

    The entries of a list have the keys `problem` and `answer`.

    Raises:
        ValueError: the file holds something else.
        OSError: it cannot be read.
    """
    text = file.read_text(encoding="utf-8")
    found: Any = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    if isinstance(found, dict) and isinstance(found.get("problems"), list):
        found = found["problems"]
    try:
        if isinstance(found, list):
            found = {one["problem"]: one["answer"] for one in found}
        return {str(problem).strip(): str(answer) for problem, answer in found.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("expected a table of problem = answer, or a list of such") from error


def _value(prompt: str) -> str | None:
    """The value of the longest arithmetic expression in the text."""
    for found in sorted(_SUM.findall(prompt), key=len, reverse=True):
        try:
            return written(evaluate(found.strip(" .,")))
        except ArithmeticFault:
            continue
    return None
