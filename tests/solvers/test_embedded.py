"""Embedded models, with a real one small enough for tests: SmolLM2-135M."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import pytest
from anyio import from_thread
from anyio.lowlevel import current_token
from providing import MODEL
from support import PATIENCE
from xllamacpp import Server

from solvers.answer import format_instructions
from solvers.contract import check_solver
from solvers.embedded import EXPRESSION, EmbeddedSolver, build, missing
from solvers.errors import (
    BrokenReplyError,
    ContextOverflowError,
    FixRequestError,
    FixSetupError,
    GiveUpError,
    MissingWeightsError,
    SolverError,
    UnknownModelError,
)
from solvers.llama import Engine, Turn
from solvers.model import Message, ModelReply
from solvers.registry import SolverSpec
from solvers.tools.arithmetic import ArithmeticFault, evaluate
from solvers.types import (
    AnswerForm,
    AnswerKind,
    Attachment,
    Meter,
    Shared,
    SolveRequest,
    SolveResult,
    Usage,
)

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    engine = Engine(model=MODEL, folder=folder)
    yield engine
    anyio.run(engine.aclose)


def ask(
    form: AnswerForm = "expression",
    problem: str = "Tom has 12 boxes with 7 pens each and gives away 5. How many are left?",
) -> SolveRequest:
    return SolveRequest(
        problem=problem,
        system=f"You solve problems. {format_instructions(form, 'number')}",
        prompt=problem,
        form=form,
        effort="low",
    )


async def solve_at_once(
    solver: EmbeddedSolver, request: SolveRequest, count: int
) -> list[tuple[SolveResult, Meter]]:
    """Draw `count` times together; in the order in which the draws ended."""
    ended = []

    async def one(draw: int) -> None:
        meter = Meter()
        ended.append((await solver.solve(replace(request, draw=draw), meter), meter))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for draw in range(1, count + 1):
                tasks.start_soon(one, draw)
    return ended


def turn_of(problem: str, temperature: float = 1.0, grammar: str = EXPRESSION) -> Turn:
    return Turn(
        messages=(Message(role="user", text=problem),),
        grammar=grammar,
        max_tokens=48,
        sampling=(("temperature", temperature),),
    )


async def complete_at_once(
    engine: Engine, turn: Turn, count: int
) -> list[tuple[ModelReply, Meter]]:
    """Complete a turn `count` times together; in the order in which the draws ended."""
    ended = []

    async def one() -> None:
        meter = Meter()
        ended.append((await engine.complete(turn, meter), meter))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(one)
    return ended


async def test_draws_asked_for_together_read_their_prompt_once(engine: Engine) -> None:
    drawn = await complete_at_once(engine, turn_of("What do 3 books for 8 dollars cost?"), 8)
    usages = [meter.usage for _, meter in drawn]
    assert {usage.requests for usage in usages} == {1}
    assert len({usage.input_tokens for usage in usages}) == 1
    fresh = [usage for usage in usages if usage.cached_tokens != usage.input_tokens]
    assert len(fresh) == 1
    assert all(usage.output_tokens for usage in usages)
    assert {meter.usd for _, meter in drawn} == {0.0}


async def test_a_draw_is_handed_over_as_soon_as_it_is_complete(engine: Engine) -> None:
    drawn = await complete_at_once(engine, turn_of("Say a number."), 8)
    written = [meter.usage.output_tokens or 0 for _, meter in drawn]
    # Each step writes one token of every draw, so the shortest ends first. The first draw is
    # a few tokens ahead of the others, which wait for the prompt to be read.
    assert all(shorter <= longer + 4 for shorter, longer in pairwise(written))


async def test_draws_are_random_afresh(engine: Engine) -> None:
    drawn = await complete_at_once(engine, turn_of("Say a number."), 8)
    assert len({completion.text for completion, _ in drawn}) > 1


async def test_without_temperature_every_draw_is_the_same(engine: Engine) -> None:
    drawn = await complete_at_once(engine, turn_of("Say a number.", temperature=0.0), 3)
    assert len({completion.text for completion, _ in drawn}) == 1


async def test_more_draws_than_slots_are_all_answered(engine: Engine) -> None:
    assert len(await complete_at_once(engine, turn_of("Say a number."), 11)) == 11


async def test_seeded_draws_are_all_answered(engine: Engine) -> None:
    assert len(await solve_at_once(EmbeddedSolver(engine, seed=5), ask(), 3)) == 3


@pytest.mark.parametrize("form", ["expression", "structured"])
async def test_an_answer_is_read_or_was_cut_off(engine: Engine, form: AnswerForm) -> None:
    for result, _ in await solve_at_once(EmbeddedSolver(engine), ask(form), 4):
        assert result.status in ("ok", "truncated", "unparsed")
        assert result.model == MODEL
        assert (result.answer is None) == (result.status != "ok")
        assert result.text


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [("number", r"-?\d+([./]\d+|e-?\d+)?"), ("choice", "[A-Z]"), ("text", ".+")],
)
async def test_a_structured_answer_is_of_the_kind_asked_for(
    engine: Engine, kind: AnswerKind, pattern: str
) -> None:
    request = replace(ask("structured"), answer_kind=kind)
    drawn = await solve_at_once(EmbeddedSolver(engine), request, 4)
    answers = [result.answer for result, _ in drawn if result.answer is not None]
    assert all(re.fullmatch(pattern, answer, re.DOTALL) for answer in answers)


async def test_the_contract_of_solvers_is_kept(engine: Engine) -> None:
    with anyio.fail_after(PATIENCE):
        await check_solver(lambda: EmbeddedSolver(engine), ask())


async def test_a_call_that_is_cancelled_while_its_prompt_is_read_ends_at_once(
    engine: Engine,
) -> None:
    solver, meter = EmbeddedSolver(engine), Meter()
    with anyio.fail_after(PATIENCE):
        await solver.solve(ask(), Meter())  # takes what calls cancelled before still owe
    long = " ".join(f"Farmer {n} sold {n + 3} apples and bought {n * 7} pears." for n in range(200))
    started = perf_counter()
    with anyio.move_on_after(0.5) as scope:
        await solver.solve(ask(problem=long), meter)
    assert scope.cancelled_caught
    assert perf_counter() - started < 1.5
    assert meter.usage.output_tokens == 0
    with anyio.fail_after(PATIENCE):
        await solver.solve(ask(), Meter())


async def test_one_that_leaves_does_not_disturb_those_beside_it(engine: Engine) -> None:
    solver = EmbeddedSolver(engine)
    gone, stayed, results = Meter(), Meter(), []

    async def stay() -> None:
        results.append(await solver.solve(ask("structured"), stayed))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stay)
            with anyio.move_on_after(0.3):
                await solver.solve(ask("structured"), gone)
    assert len(results) == 1
    assert stayed.usage.output_tokens
    assert (gone.usage.output_tokens or 0) <= 192


class Wire:
    """Stands in for the engine's server class and keeps each piece that the engine sends."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self._on_piece: Callable[[], None] = lambda: None

    def __call__(self, params: Any) -> Wire:
        self._server = Server(params)
        return self

    def handle_chat_completions(self, request: Any, take: Callable[[Any], bool]) -> None:
        pieces: list[dict[str, Any]] = []
        self.requests.append(pieces)

        def keep(piece: dict[str, Any]) -> bool:
            pieces.append(piece)
            self._on_piece()
            return take(piece)

        self._server.handle_chat_completions(request, keep)

    def watch(self, count: int) -> anyio.Event:
        """Start afresh; the event is set when the engine has sent `count` pieces."""
        self.requests, token, reached = [], current_token(), anyio.Event()

        def look() -> None:
            if sum(map(len, self.requests)) == count:
                from_thread.run_sync(reached.set, token=token)

        self._on_piece = look
        return reached

    def counted(self) -> tuple[int, int]:
        """Tokens read and written, by the engine's own last word on each draw."""
        read: dict[int, int] = {}
        written: dict[tuple[int, int], int] = {}
        for place, pieces in enumerate(self.requests):
            for piece in pieces:
                if piece["choices"]:
                    draw = piece["choices"][0]["index"]
                if timings := piece.get("timings"):
                    written[place, draw] = timings["predicted_n"]
                if timings and draw == 0:  # the other draws copy what the first has read
                    read[place] = timings["prompt_n"]
                if usage := piece.get("usage"):  # names no draw: it follows right behind its end
                    written[place, draw] = usage["completion_tokens"]
        return sum(read.values()), sum(written.values())


def booked(meters: Iterable[Meter]) -> tuple[int, int]:
    """Tokens read, those from the cache not counted, and written."""
    usage = sum((meter.usage for meter in meters), Usage())
    return (usage.input_tokens or 0) - (usage.cached_tokens or 0), usage.output_tokens or 0


@pytest.fixture(scope="module")
def wired(folder: Path) -> Iterator[tuple[Engine, Wire]]:
    """An engine, and what it sends."""
    wire = Wire()
    engine = Engine(model=MODEL, folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xllamacpp.Server", wire)
        yield engine, wire
        anyio.run(engine.aclose)


ENDLESS = replace(
    turn_of("Tell a story about a fox. " * 20, grammar="root ::= [a-z ] root"), max_tokens=40
)


@pytest.mark.parametrize(
    ("sent", "leaving"),
    [(2, [0]), (2, [0, 1]), (30, [0]), (30, [2]), (30, [1, 2]), (2, [0, 1, 2]), (30, [0, 1, 2])],
)
async def test_all_that_the_engine_reads_and_writes_is_on_the_meters_whoever_leaves(
    wired: tuple[Engine, Wire], sent: int, leaving: list[int]
) -> None:
    engine, wire = wired
    meters = [Meter() for _ in range(4)]
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def draw(number: int) -> None:
        with scopes[number]:
            await engine.complete(ENDLESS, meters[number])

    with anyio.fail_after(PATIENCE):
        reached = wire.watch(sent)
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(draw, number)
            await reached.wait()
            for number in leaving:
                scopes[number].cancel()
        # Where all left, what the engine did until it noticed is on the next one's meter.
        await engine.complete(turn_of("Say a number."), meters[3])
    assert [scope.cancelled_caught for scope in scopes] == [n in leaving for n in range(3)]
    assert [meter.usage.requests for meter in meters] == [1, 1, 1, 1]
    assert booked(meters) == wire.counted()


async def test_closing_ends_what_is_running_and_lets_nothing_new_in(folder: Path) -> None:
    engine = Engine(model=MODEL, folder=folder)
    solver = EmbeddedSolver(engine)
    faults: list[SolverError] = []
    story = replace(ask("structured", "Write a long story."), effort="max")

    async def one() -> None:
        try:
            await solver.solve(story, Meter())
        except SolverError as fault:
            faults.append(fault)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
            while not engine.busy:
                await anyio.lowlevel.checkpoint()
            await engine.aclose()
        await engine.aclose()
        with pytest.raises(GiveUpError, match="was shut down"):
            await solver.solve(ask(), Meter())
    assert [type(fault) for fault in faults] == [GiveUpError] * 4


async def test_attachments_are_refused(engine: Engine) -> None:
    picture = Attachment(media_type="image/png", data=b"")
    with pytest.raises(FixRequestError, match="reads text only"):
        await EmbeddedSolver(engine).solve(replace(ask(), attachments=(picture,)), Meter())


async def test_a_problem_that_exceeds_the_context_is_told_the_numbers(engine: Engine) -> None:
    with (
        anyio.fail_after(PATIENCE),
        pytest.raises(ContextOverflowError, match=r"takes \d+ tokens, .* holds 8192"),
    ):
        await EmbeddedSolver(engine).solve(ask(problem="1 2 3 4 " * 3_000), Meter())


async def test_a_file_that_is_no_model_is_a_fault_of_the_set_up(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(random.Random(1).randbytes(100_000))
    engine = Engine(model=str(bad), folder=tmp_path)
    with anyio.fail_after(PATIENCE), pytest.raises(FixSetupError, match=r"cannot load .*bad"):
        await EmbeddedSolver(engine).solve(ask(), Meter())
    await engine.aclose()


async def test_the_engine_is_silent_on_standard_output(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = turn_of("Hi", grammar="root ::= ((")
    with anyio.fail_after(PATIENCE):
        await EmbeddedSolver(engine).solve(ask(), Meter())
        with pytest.raises(BrokenReplyError, match="grammar"):
            await engine.complete(broken, Meter())
    assert capfd.readouterr().out == ""


async def test_missing_weights_are_named_before_and_at_use(tmp_path: Path) -> None:
    spec = spec_of(models_folder=str(tmp_path))
    assert f"atlas-mcp models pull {MODEL}" in (missing(spec) or "")
    shared = Shared()
    with anyio.fail_after(PATIENCE), pytest.raises(MissingWeightsError):
        await build(spec, shared).solve(ask(), Meter())
    await shared.aclose()


def spec_of(model: str = MODEL, **options: Any) -> SolverSpec:
    return SolverSpec(name="local", api="embedded", model=model, options=options)


async def test_solvers_of_the_same_weights_share_one_engine(folder: Path) -> None:
    shared, place = Shared(), {"models_folder": str(folder)}
    sampled = build(spec_of(**place), shared)
    greedy = build(spec_of("smollm2", temperature=0.0, **place), shared)
    assert sampled.engine is greedy.engine
    assert missing(spec_of(**place)) is None
    await shared.aclose()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"temperatur": 1.0}, "option temperatur"),
        ({"temperature": -1}, "option temperature"),
        ({"slots": 0}, "option slots"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(FixSetupError, match=fault):
        build(spec_of(**options), Shared())


def test_an_unknown_model_is_a_fault_of_the_set_up() -> None:
    with pytest.raises(UnknownModelError, match="gpt-99"):
        build(spec_of("gpt-99"), Shared())


def test_a_bound_counts_the_prompt_in_bytes_and_a_repair_turn(tmp_path: Path) -> None:
    solver = EmbeddedSolver(Engine(model=MODEL, folder=tmp_path), max_seconds=9)
    worst = solver.worst_case(ask())
    assert worst.tokens is not None
    assert worst.tokens > 2 * (len(ask().system) + len(ask().prompt) + 48)
    assert (worst.usd, worst.seconds) == (0.0, 9)
    assert solver.worst_case(ask(problem="x" * 10**6)).tokens == 2 * 8_192


def test_what_the_grammar_allows_is_what_we_can_evaluate() -> None:
    derive = Derivation(EXPRESSION)
    faults = {text: fault_of(text) for text in (derive(random.Random(n)) for n in range(300))}
    # Some have no value, but all were read.
    unread = {
        text: fault
        for text, fault in faults.items()
        if fault and not re.search("zero|too large|real number|finite", fault)
    }
    assert unread == {}
    assert sum(fault is None for fault in faults.values()) > 200


def fault_of(expression: str) -> str | None:
    try:
        evaluate(expression)
    except ArithmeticFault as fault:
        return str(fault)
    return None


class Derivation:
    """Writes random texts of a GBNF grammar: names, "literals", [classes], groups, ?, {m,n}, |."""

    _TOKEN = re.compile(r'"(?:[^"])*"|\[[^\]]*\]|\{\d+,\d+\}|[a-z]+\d*|[()|?]')

    def __init__(self, grammar: str) -> None:
        self._rules = {
            name.strip(): self._choices(self._TOKEN.findall(body))
            for name, body in (line.split("::=") for line in grammar.splitlines())
        }

    def __call__(self, random: random.Random) -> str:
        return self._write(("name", "root"), random)

    def _choices(self, tokens: list[str]) -> Any:
        choices: list[list[Any]] = [[]]
        while tokens and tokens[0] != ")":
            token = tokens.pop(0)
            if token == "|":
                choices.append([])
            elif token == "?":
                choices[-1][-1] = ("repeat", 0, 1, choices[-1][-1])
            elif token[0] == "{":
                low, high = map(int, token[1:-1].split(","))
                choices[-1][-1] = ("repeat", low, high, choices[-1][-1])
            elif token == "(":
                choices[-1].append(self._choices(tokens))
                tokens.pop(0)
            else:
                kind = {'"': "literal", "[": "class"}.get(token[0], "name")
                choices[-1].append((kind, token if kind == "name" else token[1:-1]))
        return ("choice", choices)

    def _write(self, node: Any, random: random.Random) -> str:
        match node:
            case ("literal", text):
                return str(text)
            case ("class", "0-9"):
                return random.choice("0123456789")
            case ("class", "1-5" | "0-4" as span):
                return str(random.randint(int(span[0]), int(span[2])))
            case ("class", text):
                return str(random.choice(text))
            case ("name", name):
                return self._write(self._rules[name], random)
            case ("repeat", low, high, inner):
                count = min(high, low + int(random.expovariate(1.2)))
                return "".join(self._write(inner, random) for _ in range(count))
            case ("choice", choices):
                return "".join(self._write(one, random) for one in random.choice(choices))
        raise AssertionError(node)
