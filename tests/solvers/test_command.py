"""Command-line agents as solvers: small Python programs that behave and misbehave."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from support import WAIT

from solvers.agent_model import environment
from solvers.agent_output import find
from solvers.agents import Agent, merged, presets
from solvers.command import build, build_model, missing
from solvers.contract import check_solver
from solvers.errors import (
    BrokenReplyError,
    FixRequestError,
    FixSetupError,
    GiveUpError,
    RateLimitedError,
    SolverError,
    TimedOutError,
)
from solvers.model import Message, ModelRequest, ToolSpec
from solvers.prompted import PromptedSolver
from solvers.registry import SolverSpec
from solvers.types import Attachment, Meter, Shared, Slots, SolveRequest, SolveResult

pytestmark = pytest.mark.anyio

ANSWER = json.dumps({"approach": "a", "reasoning": "r", "answer": "42", "confidence": 0.9})
REQUEST = SolveRequest(problem="6 × 7?", system="Be brief.", prompt="6 × 7?")
ANSWERS = f"import sys; sys.stdin.read(); print({ANSWER!r})"


def solver(code: str, *, max_seconds: float = WAIT, **options: Any) -> PromptedSolver:
    """A solver whose agent is a Python program."""
    return build(spec(code, max_seconds=max_seconds, **options), Shared())


def spec(code: str, *, max_seconds: float = WAIT, **options: Any) -> SolverSpec:
    command = [sys.executable, "-c", code]
    given = {"command": command, **options}
    return SolverSpec(name="mine", api="command", max_seconds=max_seconds, options=given)


async def solved(
    code: str, meter: Meter | None = None, request: SolveRequest = REQUEST, **options: Any
) -> SolveResult:
    with anyio.fail_after(WAIT):
        return await solver(code, **options).solve(request, meter or Meter())


async def failed(code: str, kind: type[SolverError], **options: Any) -> str:
    """The message of the error that an agent's failure becomes."""
    with pytest.raises(kind) as caught:
        await solved(code, **options)
    assert type(caught.value) is kind
    return str(caught.value)


async def gone(process: int) -> bool:
    """Wait until a process is no more than a zombie that its new parent has yet to reap."""
    with anyio.move_on_after(WAIT):
        while await anyio.to_thread.run_sync(_alive, process):  # noqa: ASYNC110 (a process)
            await anyio.sleep(0.02)
        return True
    return False


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not state.parents[1].exists()  # without /proc, whoever can be signalled is alive


async def written(path: Path) -> str:
    """Wait until a program has written a file."""
    with anyio.fail_after(WAIT):
        while not await anyio.Path(path).exists():  # noqa: ASYNC110 (another process writes it)
            await anyio.sleep(0.02)
        return await anyio.Path(path).read_text()


# --- a run that goes well


async def test_an_agent_keeps_the_contract_of_solvers() -> None:
    with anyio.fail_after(2 * WAIT):
        await check_solver(lambda: solver(ANSWERS), REQUEST)


async def test_the_agent_reads_the_system_text_and_the_prompt_and_then_the_end() -> None:
    result = await solved("import sys; print(repr(sys.stdin.read()))", request=REQUEST)
    assert result.text.startswith("'Be brief.\\n\\n6 × 7?'")


async def test_what_the_agent_does_not_say_is_unknown_and_not_zero() -> None:
    meter = Meter()
    result = await solved(ANSWERS, meter)
    assert (result.status, result.answer, result.confidence) == ("ok", "42", 0.9)
    assert meter.usage.requests == 1
    assert meter.usage.total_tokens is None
    assert meter.usd is None


async def test_text_usage_and_cost_are_read_along_paths() -> None:
    said = {
        "reply": {"text": ANSWER},
        "used": {"a": {"in": 5, "out": 2}, "b": {"in": 6, "out": 1}},
        "dollars": 0.25,
    }
    meter = Meter()
    result = await solved(
        f"print({json.dumps(said)!r})",
        meter,
        output="json",
        text="reply.text",
        input=["used.*.in"],
        output_tokens=["used.*.out"],
        cached=["used.*.cached"],
        cost="dollars",
        model_name="used.~",
    )
    assert (result.answer, result.model) == ("42", "b")
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (11, 3)
    assert meter.usage.cached_tokens is None
    assert meter.usd == 0.25


async def test_the_last_text_among_lines_of_json_counts() -> None:
    lines = [
        '{"type": "note", "text": "no"}',
        "a remark",
        json.dumps({"type": "t", "text": ANSWER}),
    ]
    code = f"print({chr(10).join(lines)!r})"
    assert (await solved(code, output="jsonl", text="*[type=t].text")).answer == "42"


async def test_a_repair_is_a_second_run_that_is_told_the_whole_exchange(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; said = sys.stdin.read(); "
        f"pathlib.Path({str(tmp_path)!r}, str(len(said))).write_text(said); "
        f"print({ANSWER!r} if 'could not be read' in said else 'Forty-two!')"
    )
    meter = Meter()
    result = await solved(code, meter)
    assert (result.status, result.answer, meter.usage.requests) == ("ok", "42", 2)
    repair = max(_texts(tmp_path), key=len)
    assert "6 × 7?\n\n[You]\nForty-two!\n\n[User]\nThat could not be read" in repair


def _texts(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.iterdir()]


async def test_each_run_has_an_empty_folder_that_is_gone_afterwards() -> None:
    code = (
        "import os; print(repr(os.getcwd()), os.listdir(), flush=True); open('left', 'w').close()"
    )
    result = await solved(code)
    (first, listed), (second, _) = (line.rsplit(" ", 1) for line in result.text.split("\n\n"))
    assert listed == "[]"
    assert first != second
    assert not Path(first.strip("'")).parent.exists()


async def test_bytes_that_are_no_text_are_tolerated() -> None:
    code = f"import sys; sys.stdout.buffer.write(b'\\xff\\xfe' + {ANSWER.encode()!r})"
    assert (await solved(code)).answer == "42"


async def test_a_program_that_does_not_read_its_prompt_can_answer() -> None:
    large = SolveRequest(problem="P", system="", prompt="x" * 2**20)
    assert (await solved(f"print({ANSWER!r})", request=large)).answer == "42"


async def test_half_a_character_in_a_problem_does_no_harm() -> None:
    half = SolveRequest(problem="P", system="\ud800", prompt="\udfff?")
    assert (await solved(ANSWERS, request=half)).answer == "42"
    told = await solved(ANSWERS, request=half, variables={"SYSTEM": "{system_file}"})
    assert told.answer == "42"


async def test_an_agent_reads_files_where_its_entry_says_so() -> None:
    picture = Attachment(media_type="image/png", data=b"\x89PNG", name="../../evil.png")
    request = SolveRequest(problem="P", system="", prompt="P", attachments=(picture,))
    code = "import sys; print(open(sys.argv[1], 'rb').read(), sys.argv[1] in sys.stdin.read())"
    result = await solved(code, request=request, reads=["image/*"], file_args=["{file}"])
    assert "b'\\x89PNG' True" in result.text
    said = await failed(ANSWERS, FixRequestError, request=request)
    assert "cannot read an attachment of type image/png; it reads text only" in said


async def test_the_system_text_goes_into_a_file_where_an_argument_names_it() -> None:
    code = "import sys; print(open(sys.argv[1]).read(), '|', sys.stdin.read())"
    result = await solved(code, args=["{system_file}"])
    assert result.text.startswith("Be brief. | 6 × 7?\n")


# --- what an agent is not given


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ATLAS_STORE", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CLAUDECODE", "MINE"):
        monkeypatch.setenv(name, "given")


async def test_an_agent_sees_only_what_it_needs_of_the_environment(secrets: None) -> None:
    code = "import os; print(*os.environ)"
    result = await solved(code, environment=["MINE"], variables={"SET": "x"})
    seen = set(result.text.split())
    assert {"PATH", "HOME", "MINE", "SET"} <= seen
    assert not {"ATLAS_STORE", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CLAUDECODE"} & seen


@pytest.mark.parametrize("name", presets())
def test_no_preset_hands_on_a_key(name: str) -> None:
    environ = {f"{who}_API_KEY": "k" for who in ("ANTHROPIC", "OPENAI", "GEMINI", "CODEX")}
    agent = Agent.model_validate(presets()[name])
    assert environment(agent, {"PATH": "/bin", "ATLAS_STORE": "s", **environ}) == {"PATH": "/bin"}


def test_our_settings_cannot_be_handed_on() -> None:
    with pytest.raises(FixSetupError, match=r"mine.*settings of atlas-mcp are not handed"):
        build(spec(ANSWERS, environment=["ATLAS_STORE"]), Shared())


# --- programs that misbehave


async def test_a_crash_is_told_with_its_status_and_last_words() -> None:
    code = "import sys; sys.stderr.write('x' * 100_000 + ' the disk is full'); sys.exit(3)"
    said = await failed(code, GiveUpError)
    assert "ended with status 3: " in said
    assert said.endswith("the disk is full")
    assert len(said) < 1_000


async def test_a_signal_is_told() -> None:
    assert "signal 9" in await failed("import os; os.kill(os.getpid(), 9)", GiveUpError)


async def test_junk_instead_of_json_is_a_broken_reply() -> None:
    said = await failed("print('oops')", BrokenReplyError, output="json", text="t")
    assert "the output is not JSON: 'oops'" in said
    said = await failed("print('oops')", BrokenReplyError, output="jsonl", text="t")
    assert "no line of JSON" in said
    said = await failed("print('{}')", BrokenReplyError, output="json", text="t")
    assert "holds no reply" in said
    nested = "print('[' * 100_000)"
    assert "not JSON" in await failed(nested, BrokenReplyError, output="json", text="t")


async def test_a_reported_error_is_sorted_by_its_words_and_its_cost_is_booked() -> None:
    said = json.dumps({"error": "API Error: 429 rate limit", "n": 7, "usd": 0.5})
    meter = Meter()
    options = {"output": "json", "error": "error", "input": ["n"], "output_tokens": ["n"]}
    await failed(f"print({said!r})", RateLimitedError, meter=meter, cost="usd", **options)
    assert (meter.usage.input_tokens, meter.usd) == (7, 0.5)


async def test_words_of_an_entry_name_the_cure() -> None:
    rule = {"pattern": "who are you", "kind": "setup", "cure": "run my-agent login"}
    code = "import sys; sys.exit('Who are you?')"
    said = await failed(code, FixSetupError, faults=[rule])
    assert said.endswith("Who are you?; run my-agent login")


async def test_an_option_that_an_older_agent_lacks_is_a_matter_of_set_up() -> None:
    said = await failed(
        "import sys; sys.exit(\"error: unknown option '--safe-mode'\")", FixSetupError
    )
    assert "update it" in said


async def test_a_program_that_writes_for_ever_is_stopped() -> None:
    code = "while True: print('x' * 1000)"
    assert "wrote more than 10,000 bytes" in await failed(code, BrokenReplyError, max_output=10_000)


async def test_endless_words_on_standard_error_are_not_kept() -> None:
    code = f"import sys; [sys.stderr.write('x' * 100_000) for _ in range(100)]; print({ANSWER!r})"
    assert (await solved(code)).answer == "42"


HANGS = """
import os, pathlib, signal, subprocess, sys, time
if {stubborn}: signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code])
path = pathlib.Path({path!r})
path.with_suffix(".new").write_text(f"{{os.getpid()}} {{child.pid}}")
path.with_suffix(".new").rename(path)
{then}
"""


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_cancelled_run_ends_with_all_that_it_started(
    tmp_path: Path, stubborn: bool
) -> None:
    path, meter = tmp_path / "pids", Meter()
    code = HANGS.format(path=str(path), stubborn=stubborn, then="time.sleep(600)")
    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(solver(code).solve, REQUEST, meter)
            pids = [int(one) for one in (await written(path)).split()]
            tasks.cancel_scope.cancel()
    assert all([await gone(one) for one in pids])
    assert meter.usage.requests == 1
    assert meter.usage.total_tokens is None


async def test_children_that_outlive_their_parent_are_ended_with_it(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    code = HANGS.format(path=str(path), stubborn=False, then=f"print({ANSWER!r})")
    assert (await solved(code)).answer == "42"
    assert all([await gone(int(one)) for one in path.read_text().split()])


async def test_a_child_that_left_the_group_does_not_keep_the_answer_waiting(
    tmp_path: Path,
) -> None:
    code = HANGS.replace('"-c", code]', '"-c", code], start_new_session=True')
    path = tmp_path / "pids"
    code = code.format(path=str(path), stubborn=False, then=f"print({ANSWER!r})")
    assert (await solved(code)).answer == "42"
    os.kill(int(path.read_text().split()[1]), 9)


async def test_a_run_that_takes_too_long_is_a_time_out() -> None:
    said = await failed("import time; time.sleep(600)", TimedOutError, max_seconds=0.3)
    assert "no answer within 0.3 s" in said


# --- how many run at the same time

COUNTS = f"""
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
mine = folder / str(time.monotonic_ns())
mine.touch()
most = 0
for _ in range(20):
    most = max(most, len(list(folder.iterdir())))
    time.sleep(0.01)
mine.unlink()
print({ANSWER!r}.replace("42", str(most)))
"""


async def test_no_more_runs_than_allowed_are_at_work_at_the_same_time(tmp_path: Path) -> None:
    one, answers = solver(COUNTS, args=[str(tmp_path)], parallel=2), list[str | None]()

    async def ask() -> None:
        answers.append((await one.solve(REQUEST, Meter())).answer)

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
    assert max(int(answer or 0) for answer in answers) <= 2


async def test_a_call_that_waits_for_its_turn_lets_another_solver_work(tmp_path: Path) -> None:
    shared = Shared(Slots(2))
    code = HANGS.format(path=str(tmp_path / "pids"), stubborn=False, then="time.sleep(600)")
    slow = build(spec(code, parallel=1), shared)

    async def hold(one: PromptedSolver) -> None:
        async with shared.slots.held():
            await one.solve(REQUEST, Meter())

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold, slow)
            tasks.start_soon(hold, slow)
            await written(tmp_path / "pids")
            async with shared.slots.held():
                tasks.cancel_scope.cancel()


# --- set-up


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "solver 'x' needs a preset or a command"),
        ({"preset": "none"}, "unknown preset 'none'; known: claude, codex, gemini"),
        ({"command": []}, "option command"),
        ({"command": ["/no/such/agent"]}, "'/no/such/agent' is not on the PATH"),
        (
            {"preset": "claude", "command": ["no-claude"]},
            "npm install -g @anthropic-ai/claude-code",
        ),
        ({"command": ["x"], "speed": 1}, "option speed"),
        ({"command": ["x"], "text": "a..[b"}, "is no path"),
        ({"command": ["x"], "faults": [{"pattern": "(", "kind": "setup"}]}, "faults.0.pattern"),
        ({"command": [sys.executable], "parallel": 0}, "option parallel"),
        ({"preset": ["claude"]}, "unknown preset ['claude']"),
        ({"preset": "claude", "args": 1}, "option args"),
    ],
)
def test_a_wrong_set_up_names_the_cure(options: Mapping[str, Any], said: str) -> None:
    one = SolverSpec(name="x", api="command", options=options)
    with pytest.raises(FixSetupError) as caught:
        build(one, Shared())
    assert said in str(caught.value)


def test_an_entry_adds_to_its_preset() -> None:
    given = {"args": ["-x"], "environment": ["MINE"], "variables": {"SET": "1"}, "output": "text"}
    agent, known = Agent.model_validate(merged("gemini", given)), presets()["gemini"]
    assert agent.args == ("-x",)
    assert agent.environment == (*known["environment"], "MINE")
    assert agent.variables == {**known["variables"], "SET": "1"}
    assert (agent.output, agent.text) == ("text", known["text"])


def test_a_missing_program_is_told_without_running_anything() -> None:
    lack = missing(SolverSpec(name="x", api="command", options={"command": ["/no/such/agent"]}))
    assert lack is not None
    assert "'/no/such/agent' is not on the PATH" in lack
    assert missing(spec("raise SystemExit(1)")) is None


def test_an_agent_that_is_not_logged_in_is_told_before_it_runs() -> None:
    command = [sys.executable, "-c", "raise SystemExit(1)"]
    with pytest.raises(FixSetupError, match=r"is not logged in: run it once"):
        build(spec(ANSWERS, login=command, install="run it once"), Shared())


async def test_tools_of_ours_are_refused() -> None:
    model = build_model(spec(ANSWERS), Shared())
    tool = ToolSpec(name="t", description="", schema={})
    with pytest.raises(FixRequestError, match="takes no tools"):
        await model.reply(ModelRequest(messages=(Message(role="user"),), tools=(tool,)), Meter())


def test_a_path_finds_every_value() -> None:
    top = [{"type": "a.b", "item": {"n": 1}}, {"type": "c", "item": {"n": 2}}, "junk", None]
    assert find("*.item.n", top) == [1, 2]
    assert find("*[type=a.b].item.n", top) == [1]
    assert find("*.item.~", top) == ["n", "n"]
    assert find("[ok=true].x", {"ok": True, "x": 3}) == [3]
    assert find("item", top) == []
