"""The reference host: its rules, its loop, and what it leaves behind. All through MCP."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import anyio
import pytest
from support import WAIT, Connect, Host, Mode

from atlas_mcp.core.errors import BadRequestError, BudgetError
from atlas_mcp.host import transcript
from atlas_mcp.host.orchestrator import (
    Abstain,
    Answer,
    Explore,
    Outcome,
    Step,
    Task,
    View,
)
from atlas_mcp.host.replies import RefusedError
from atlas_mcp.host.rules import (
    FixedVote,
    Greedy,
    StopAtAgreement,
    StopWhenConfident,
    rule,
)
from atlas_mcp.host.running import run
from atlas_mcp.host.terminal import Terminal
from solvers.errors import (
    BrokenReplyError,
    ContextOverflowError,
    FixRequestError,
    FixSetupError,
    MissingPackageError,
    MissingWeightsError,
    OverloadedError,
    SolverError,
    UnknownModelError,
)
from solvers.scripted import ScriptedSolver
from solvers.types import SolveRequest, SolveResult, WorstCase

pytestmark = pytest.mark.anyio

EXPLORE = Explore(strategy="program", effort="low")


async def work(host: Host, orchestrator: object, **more: object) -> Outcome:
    task = Task(text="What is 6 × 7?", answer_kind="number", **more)  # type: ignore[arg-type]
    with anyio.fail_after(WAIT):
        return await run(host.client, task, orchestrator)  # type: ignore[arg-type]


async def test_greedy_asks_once_and_takes_the_answer(connect: Connect, mode: Mode) -> None:
    solver = ScriptedSolver(["41", "42"])
    async with connect(solver, mode=mode) as host:
        outcome = await work(host, Greedy(explore=EXPLORE))
        assert (outcome.answer, len(solver.requests)) == ("41", 1)
        shown = json.loads(await host.read(f"atlas://problems/{outcome.problem_id}"))
        assert shown["conclusions"][0]["answer"] == "41"


async def test_a_fixed_vote_asks_for_all_its_calls_and_takes_the_majority(
    connect: Connect, mode: Mode
) -> None:
    solver = ScriptedSolver(["41", "42", "40", "42.0", "42"])
    async with connect(solver, mode=mode) as host:
        outcome = await work(host, FixedVote(explore=EXPLORE, calls=5))
        assert (outcome.answer, outcome.confidence) == ("42", 0.6)
        assert len(solver.requests) == 5


async def test_a_long_answer_is_concluded_whole_whoever_found_it(connect: Connect) -> None:
    long = "a, " * 500
    async with connect([f"{long}b", f"{long}c"]) as host:
        await work(host, Greedy(explore=EXPLORE))
        again = await work(host, Greedy(explore=EXPLORE))
        shown = json.loads(await host.read(f"atlas://problems/{again.problem_id}"))
    assert [one.answer for one in again.evidence] == [f"{long}c"]
    assert again.answer == f"{long}b"
    assert shown["conclusions"][-1]["answer"] == f"{long}b"
    assert again.confidence == 0.5


async def test_a_vote_larger_than_one_call_allows_goes_on(connect: Connect) -> None:
    solver = ScriptedSolver(["42"])
    async with connect(solver) as host:
        await work(host, FixedVote(explore=EXPLORE, calls=20))
    assert len(solver.requests) == 20


async def test_agreement_stops_as_soon_as_it_is_there(connect: Connect) -> None:
    solver = ScriptedSolver(["42", "41", "42", "42", "42", "42", "42", "42"])
    async with connect(solver) as host:
        outcome = await work(host, StopAtAgreement(explore=EXPLORE, agreeing=3))
        assert (outcome.answer, len(solver.requests)) == ("42", 4)


async def test_without_agreement_the_plurality_stands_at_the_cap(connect: Connect) -> None:
    solver = ScriptedSolver([str(n) for n in (1, 2, 3, 4, 5, 5, 6, 7)])
    async with connect(solver) as host:
        outcome = await work(host, StopAtAgreement(explore=EXPLORE, agreeing=3, calls=8))
        assert (outcome.answer, len(solver.requests)) == ("5", 8)


async def test_confidence_stops_when_the_lead_is_sure_enough(connect: Connect) -> None:
    solver = ScriptedSolver(["42"])
    async with connect(solver) as host:
        outcome = await work(host, StopWhenConfident(explore=EXPLORE, probability=0.9))
        # Beta(n + 1, 1) passes one half with probability 1 - 2^-(n + 1): 0.9375 at n = 3.
        assert (outcome.answer, len(solver.requests)) == ("42", 3)


async def test_no_readable_answer_ends_in_an_abstention(connect: Connect) -> None:
    mumble = SolveResult(status="unparsed", model="m", text="mumble")
    async with connect([mumble]) as host:
        outcome = await work(host, FixedVote(explore=EXPLORE, calls=3))
        assert outcome.abstained
        assert outcome.answer is None
        shown = json.loads(await host.read(f"atlas://problems/{outcome.problem_id}"))
        assert shown["conclusions"][0]["abstain"] is True


CURE = "the weights of m are not here: " + "look again; " * 30 + "run: atlas-mcp models pull m"


@pytest.mark.parametrize("written", ["greedy", "vote:8", "agree:3", "confident:0.95"])
@pytest.mark.parametrize(
    "fault",
    [
        FixSetupError,
        MissingPackageError,
        MissingWeightsError,
        UnknownModelError,
        FixRequestError,
        ContextOverflowError,
    ],
)
async def test_a_fault_that_no_draw_can_escape_ends_the_run_with_its_cure(
    connect: Connect, written: str, fault: type[SolverError]
) -> None:
    def broken(request: SolveRequest) -> str:
        raise fault(CURE)

    solver = ScriptedSolver(broken)
    async with connect(solver) as host:
        outcome = await work(host, rule(written, EXPLORE))
    calls = [step for step in outcome.steps if step.get("tool") == "explore"]
    assert (len(calls), outcome.abstained, outcome.forced) == (1, True, False)
    assert CURE in outcome.because


async def test_a_vote_of_many_calls_stops_at_a_fault_of_the_set_up(connect: Connect) -> None:
    def broken(request: SolveRequest) -> str:
        raise MissingWeightsError(CURE)

    solver = ScriptedSolver(broken)
    async with connect(solver) as host:
        await work(host, FixedVote(explore=EXPLORE, calls=100))
    assert len(solver.requests) == 8


@pytest.mark.parametrize("fault", [OverloadedError, BrokenReplyError])
async def test_a_fault_that_may_pass_does_not_end_the_run(
    connect: Connect, fault: type[SolverError]
) -> None:
    def broken(request: SolveRequest) -> str:
        if request.draw <= 2:
            raise fault("not now")
        return "42"

    solver = ScriptedSolver(broken)
    async with connect(solver) as host:
        outcome = await work(host, StopAtAgreement(explore=EXPLORE, agreeing=2))
    assert (outcome.answer, len(solver.requests)) == ("42", 4)


async def test_one_draw_that_did_answer_keeps_the_run_going(connect: Connect) -> None:
    def narrow(request: SolveRequest) -> str:
        if request.draw == 1:
            raise ContextOverflowError("the repair did not fit")
        return "42"

    async with connect(narrow) as host:
        outcome = await work(host, StopAtAgreement(explore=EXPLORE, agreeing=2))
    assert outcome.answer == "42"


class Dithering:
    """An orchestrator that never stops."""

    name = "dithering"

    async def decide(self, view: View) -> Step:
        return Explore(draws=2)


async def test_an_orchestrator_that_never_stops_is_concluded_at_the_hosts_cap(
    connect: Connect,
) -> None:
    solver = ScriptedSolver(["42", "42", "41"])
    async with connect(solver) as host:
        outcome = await work(host, Dithering(), max_calls=5)
        assert len(solver.requests) == 5
        assert outcome.forced
        assert outcome.answer == "42"


async def test_an_orchestrator_that_never_stops_is_concluded_at_the_servers_cap(
    connect: Connect,
) -> None:
    solver = ScriptedSolver(["42"])
    async with connect(solver, max_calls_per_problem=3) as host:
        outcome = await work(host, Dithering())
        assert len(solver.requests) == 3
        assert outcome.forced
        assert outcome.answer == "42"


@pytest.mark.parametrize("cap", [1, 4, 7])
async def test_a_vote_that_does_not_fit_asks_for_what_does(
    connect: Connect, mode: Mode, cap: int
) -> None:
    solver = ScriptedSolver(["42"])
    async with connect(solver, mode=mode, max_calls_per_problem=cap) as host:
        outcome = await work(host, FixedVote(explore=EXPLORE, calls=8))
        assert (outcome.answer, outcome.ledger.ok, len(solver.requests)) == ("42", cap, cap)


@pytest.mark.parametrize("fitting", [1, 5])
async def test_draws_that_a_cap_on_tokens_forbids_are_left_out(
    connect: Connect, fitting: int
) -> None:
    solver = ScriptedSolver(["42"])  # 15 tokens a call, also at its worst
    async with connect(solver, max_tokens_per_problem=15 * fitting + 14) as host:
        outcome = await work(host, FixedVote(explore=EXPLORE, calls=8))
        assert outcome.forced
        assert (outcome.answer, len(solver.requests)) == ("42", fitting)


class Thrifty:
    """Asks for the dear solver, and for the other one once the budget has refused it."""

    name = "thrifty"

    def __init__(self) -> None:
        self.told: list[str | None] = []

    async def decide(self, view: View) -> Step:
        self.told.append(view.refused)
        if view.ledger.asked == 2:
            return Answer(answer="42", because="two calls")
        return Explore(solver="s0" if any(self.told) else "dear", draws=2)


async def test_a_refused_solver_leaves_the_others_to_be_asked(connect: Connect) -> None:
    cheap = ScriptedSolver(["42"])
    dear = ScriptedSolver(["42"], worst=WorstCase(tokens=1_000, usd=0.0, seconds=60.0))
    orchestrator = Thrifty()
    async with connect(cheap, named={"dear": dear}, max_tokens_per_problem=100) as host:
        outcome = await work(host, orchestrator, max_calls=3)
    assert (outcome.answer, outcome.forced) == ("42", False)
    assert (len(cheap.requests), len(dear.requests)) == (2, 0)
    assert [told and told.split(":")[0] for told in orchestrator.told] == [None, "budget", None]


async def test_a_server_without_any_budget_is_reported(connect: Connect) -> None:
    async with connect(["42"], max_calls_per_problem=0) as host:
        with pytest.raises(BudgetError, match="cap of 0 calls"):
            await work(host, Dithering())


async def test_an_unknown_solver_is_reported_in_the_servers_words(connect: Connect) -> None:
    async with connect(["42"]) as host:
        with pytest.raises(RefusedError, match="unknown solver 'none'; known: auto, s0"):
            await work(host, Greedy(explore=Explore(solver="none")))


async def test_calls_that_outlast_the_wait_are_collected(connect: Connect) -> None:
    async def slow(request: SolveRequest) -> str:
        await anyio.sleep(0.05)
        return "42"

    async with connect(slow) as host:
        outcome = await work(host, FixedVote(explore=EXPLORE, calls=3), wait_seconds=0.01)
        assert outcome.ledger.ok == 3
        assert len(outcome.evidence) == 3


async def test_the_terminal_shows_a_line_for_each_call_the_ledger_and_the_conclusion(
    connect: Connect,
) -> None:
    out = StringIO()
    async with connect(["42", "\x1b[2J41", "42"]) as host:
        task = Task(text="What is 6 × 7?", answer_kind="number")
        await run(host.client, task, FixedVote(explore=EXPLORE, calls=3), Terminal(out))
    shown = out.getvalue()
    lines = shown.splitlines()
    calls = [line for line in lines if line.strip().startswith("#")]
    assert len(calls) == 3
    assert all("s0/low/program" in line and "ok" in line and "15 tok" in line for line in calls)
    assert "ledger  42 ■■ 2" in shown
    assert "vote: 42  2 of 3 answers agree; confidence 0.67" in lines[-1]
    assert "\x1b" not in shown


async def test_the_transcript_holds_every_step(connect: Connect, tmp_path: Path) -> None:
    async with connect(["42"]) as host:
        task = Task(text="What is 6 × 7?", answer_kind="number")
        outcome = await run(host.client, task, StopAtAgreement(explore=EXPLORE, agreeing=2))
    file = transcript.Transcript(tmp_path / "run.json", task)
    await file.finish(outcome)
    saved = json.loads(file.path.read_text("utf-8"))
    tools = [step["tool"] for step in saved["steps"] if "tool" in step]
    assert tools == ["explore", "conclude"]
    assert saved["answer"] == "42"
    assert saved["problem"] == "What is 6 × 7?"
    assert len(saved["evidence"]) == 2


@pytest.mark.parametrize(
    ("written", "name"),
    [("greedy", "greedy"), ("vote:4", "vote"), ("agree", "agree"), ("confident:0.9", "confident")],
)
def test_rules_are_named_on_the_command_line(written: str, name: str) -> None:
    assert rule(written, EXPLORE).name == name


@pytest.mark.parametrize(
    "written", ["magic", "vote:0", "vote:x", "vote:1.5", "confident:2", "greedy:3", "agree:"]
)
def test_a_wrong_rule_is_refused_with_examples(written: str) -> None:
    with pytest.raises(BadRequestError, match=r"vote:8|known: greedy, vote"):
        rule(written, EXPLORE)


async def test_a_rule_decides_the_same_on_the_same_view() -> None:
    view = View(problem="P")
    for one in ("greedy", "vote:8", "agree:3", "confident:0.9"):
        decide = rule(one, EXPLORE).decide
        assert await decide(view) == await decide(view)
    assert isinstance(await rule("vote", EXPLORE).decide(View(problem="P", calls_left=0)), Abstain)
