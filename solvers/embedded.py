"""A small model in this process, by llama.cpp: free, offline, no key.

Draws of the same turn that are asked for at the same time are joined into one engine
request, so that their prompt is read once; each is answered as soon as its own text is
complete. One `Engine` serves all solvers that use the same weights file.

Options of a roster entry: temperature (0 is greedy), top_p, top_k, seed, threads, slots,
context (tokens), models_folder. Without a seed every draw is random afresh; with one, each
draw is sent alone with a seed of its own, which *usually* repeats the same text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from solvers.answer import conversation
from solvers.embedded_model import EmbeddedModel
from solvers.errors import FixRequestError, FixSetupError, MissingWeightsError
from solvers.llama import INSTALL, Engine, Turn, prompt_bound
from solvers.model import Message
from solvers.offer import FREE, Offer
from solvers.registry import SolverSpec, read_options
from solvers.types import (
    EFFORTS,
    AnswerForm,
    AnswerKind,
    Effort,
    Meter,
    Shared,
    SolveRequest,
    SolveResult,
    WorstCase,
)
from solvers.weights import WEIGHTS, find, path_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an effort allows: answer tokens by form, and characters of written reasoning.

    The reasoning comes before the answer, so it must end well before the tokens do.
    """

    structured: int
    expression: int
    reasoning: int

    def answer_tokens(self, form: AnswerForm) -> int:
        return self.expression if form == "expression" else self.structured


LIMITS: Mapping[Effort, Limits] = {
    "low": Limits(structured=192, expression=48, reasoning=240),
    "medium": Limits(structured=384, expression=64, reasoning=600),
    "high": Limits(structured=768, expression=96, reasoning=1_200),
    "max": Limits(structured=1_536, expression=128, reasoning=1_900),
}

_REPAIR_BYTES = 1_024
"""More than the words of a repair turn."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    temperature: float = Field(default=0.7, ge=0, le=5)
    top_p: float = Field(default=0.95, gt=0, le=1)
    top_k: int = Field(default=40, ge=0)
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    threads: int | None = Field(default=None, ge=1, le=256)
    slots: int = Field(default=8, ge=1, le=64)
    context: int = Field(default=8_192, ge=512)
    models_folder: Path = Path("~/.cache/atlas-mcp/models")


def build(spec: SolverSpec, shared: Shared) -> EmbeddedSolver:
    """Make the solver of a roster entry; nothing is loaded before its first use."""
    options = read_options(spec, _Options)
    return EmbeddedSolver(
        _engine(spec, options, shared),
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        seed=options.seed,
        max_seconds=spec.max_seconds,
    )


def build_model(spec: SolverSpec, shared: Shared) -> EmbeddedModel:
    """Make the model of a roster entry, to converse with."""
    options = read_options(spec, _Options)
    sampling = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        **({} if options.seed is None else {"seed": options.seed}),
    }
    engine = _engine(spec, options, shared)
    return EmbeddedModel(engine, sampling=sampling, max_seconds=spec.max_seconds)


def missing(spec: SolverSpec) -> str | None:
    """Say what is not there: the engine or the weights. Imports neither."""
    folder = read_options(spec, _Options).models_folder.expanduser()
    if find_spec("xllamacpp") is None:
        return INSTALL
    try:
        path_of(_name(spec), folder)
    except MissingWeightsError as error:
        return str(error)
    return None


def offer(spec: SolverSpec) -> Offer:
    """It costs nothing, reads text only, and effort sets only the length of a reply."""
    return Offer(price=FREE, images=False, efforts=dict.fromkeys(EFFORTS))


class EmbeddedSolver:
    """Solves with a model in this process. It reads text only."""

    def __init__(
        self,
        engine: Engine,
        *,
        temperature: float = 0.7,
        top_p: float = 0.95,
        top_k: int = 40,
        seed: int | None = None,
        max_seconds: float = 300.0,
    ) -> None:
        self.engine = engine
        self._sampling: dict[str, Any] = {
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
        }
        self._seed = seed
        self._max_seconds = max_seconds

    def worst_case(self, request: SolveRequest) -> WorstCase:
        """A prompt has at most as many tokens as bytes, and no turn exceeds the context.

        A call that was joined with others may book what a cancelled one still took; together
        they stay within the sum of their bounds.
        """
        answer = LIMITS[request.effort].answer_tokens(request.form)
        first = prompt_bound(request.system, request.prompt) + answer
        # An answer that is read again may be cut into other tokens than it was written in.
        second = first + 2 * answer + _REPAIR_BYTES + answer
        context = self.engine.context
        tokens = min(first, context) + min(second, context)
        return WorstCase(tokens=tokens, usd=0.0, seconds=self._max_seconds)

    async def solve(self, request: SolveRequest, meter: Meter) -> SolveResult:
        """Attempt the problem once, with one repair turn if the answer cannot be read.

        Raises:
            FixRequestError: there are attachments, or the problem exceeds the context.
            FixSetupError: the engine or the weights are missing or cannot be loaded.
        """
        if request.attachments:
            raise FixRequestError(
                f"{self.engine.model} reads text only; this problem has attachments"
            )
        talk = conversation(request)
        messages = next(talk)
        while True:
            reply = await self.engine.complete(self._turn(request, messages), meter)
            try:
                messages = talk.send(reply)
            except StopIteration as end:
                result: SolveResult = end.value
                return result

    def _turn(self, request: SolveRequest, messages: tuple[Message, ...]) -> Turn:
        limits = LIMITS[request.effort]
        seed = None if self._seed is None else (self._seed + request.draw) % 2**31
        return Turn(
            system=request.system,
            messages=messages,
            grammar=_grammar(request, limits),
            max_tokens=limits.answer_tokens(request.form),
            sampling=tuple((self._sampling | ({} if seed is None else {"seed": seed})).items()),
            joinable=seed is None,
        )


def _engine(spec: SolverSpec, options: _Options, shared: Shared) -> Engine:
    """The engine of these weights, which all solvers and models of a process share."""
    name, folder = _name(spec), options.models_folder.expanduser()
    threads = options.threads or _default_threads()
    return shared.once(
        ("embedded", name, folder, options.context, options.slots, threads),
        lambda: Engine(
            model=name, folder=folder, context=options.context, slots=options.slots, threads=threads
        ),
    )


def _name(spec: SolverSpec) -> str:
    if not spec.model:
        raise FixSetupError(
            f"solver {spec.name!r} needs a model: {', '.join(WEIGHTS)}, or the path of a .gguf file"
        )
    is_path = spec.model.endswith(".gguf") or "/" in spec.model
    return spec.model if is_path else find(spec.model).name


def _default_threads() -> int:
    """The cores that this process may use, hyper-threads not counted twice, at most eight."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(8, count if count <= 4 else count // 2)


# --- grammars (GBNF)


_STRUCTURED = r"""
root ::= "{\"approach\": \"" c{1,160} "\", \"reasoning\": \"" c{0,LENGTH} rest
rest ::= "\", \"answer\": \"" answer "\", \"confidence\": " ("0." [0-9]{1,2} | "1.0") "}"
answer ::= ANSWER
c ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
"""

_ANSWERS: Mapping[AnswerKind, str] = {
    "number": '"-"? [0-9]{1,15} ("." [0-9]{1,10} | "/" [0-9]{1,15} | "e" "-"? [0-9]{1,3})?',
    "choice": "[A-Z]",
}


def _grammar(request: SolveRequest, limits: Limits) -> str:
    """One line of JSON, with an end to each text but a free answer's own; or arithmetic."""
    if request.form == "expression":
        return EXPRESSION
    answer = _ANSWERS.get(request.answer_kind, "c+")
    return _STRUCTURED.replace("LENGTH", str(limits.reasoning)).replace("ANSWER", answer)


def _expression() -> str:
    """Arithmetic that `solvers.tools.arithmetic` reads: finite, parentheses three deep."""
    rules = [
        "root ::= sum3",
        'number ::= [0-9]{1,12} ("." [0-9]{1,8})? | "." [0-9]{1,8}',
        'power ::= [0-9] | [1-5] [0-9] | "6" [0-4] | "0.5"',
        'ws ::= " "?',
    ]
    for depth in range(4):
        inner = f' | "(" ws sum{depth - 1} ws ")"' if depth else ""
        rules += [
            f'sum{depth} ::= "-"? product{depth} (ws [+-] ws product{depth}){{0,15}}',
            f'product{depth} ::= factor{depth} (ws ("*" | "/" | "//") ws factor{depth}){{0,15}}',
            f'factor{depth} ::= atom{depth} (ws "**" ws power)?',
            f"atom{depth} ::= number{inner}",
        ]
    return "\n".join(rules)


EXPRESSION = _expression()
