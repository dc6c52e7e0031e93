"""Controllers as methods: through MCP they do what they do in replay, draw by draw."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from random import Random

import anyio
import numpy as np
import pytest
from discovering import THRIFTY
from mcp.client import Client
from shell import Shell
from support import PATIENCE, Host

from atlas_mcp.bench.answering import Answered, Question, answer
from atlas_mcp.bench.methods.method import Method, Setup
from atlas_mcp.bench.methods.registry import method
from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.loading import Loaded, trusted
from atlas_mcp.discovery.loading import named as named_controller
from atlas_mcp.host.orchestrator import Explore
from atlas_mcp.pools.equating import equated
from atlas_mcp.replay.arrays import record
from atlas_mcp.replay.engine import Plan, Replayed, replay
from atlas_mcp.replay.state import Controller
from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers import recording
from solvers.recording import Pool, Recording, read_pool, write_pool
from solvers.registry import SolverSpec
from solvers.roster import Roster

DRAWS = 10
PROMPT = 100
FENCED = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")
EVERY = (
    "self-consistency@7",
    "adaptive-consistency@8",
    "early-stopping@8:3",
    "first-3-of-8",
    "short-3-of-6",
    "momentum:0.5",
    "parallel-probe@6",
    "self-consistency@64",  # more than there are
    "early-stopping@64:4",
    pytest.param("thrifty.py:0.5", marks=FENCED),
)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Ten draws or fewer of one arm for each of eight questions; the right answer is 7."""
    random = Random(11)
    questions = [
        recording.Question(
            question_id=f"q{n}", question=f"Problem {n}: what is it?", gold="7", meta=NUMBERS
        )
        for n in range(8)
    ]
    rows = [
        Recording(
            question_id=one.question_id,
            model="made-up",
            sample_idx=draw,
            answer=random.choice(["7", "7.0", "8", "9", None]),
            input_tokens=PROMPT,
            output_tokens=random.randrange(5, 50),
            cost_usd=0.25,
        )
        for place, one in enumerate(questions)
        for draw in range(DRAWS - place % 3)
    ]
    write_pool(tmp_path / "pool", questions, rows)
    return tmp_path / "pool"


NUMBERS = {"answer_kind": "number"}


@pytest.mark.anyio
@pytest.mark.parametrize("named", EVERY)
async def test_a_method_on_a_pool_is_its_controller_in_replay(
    settings: Settings, pool: Path, named: str
) -> None:
    named = named.replace("thrifty.py", str(_thrifty(pool.parent)))
    found = method(f"controller:{named}")
    assert str(found.calls) in found.budget
    read = read_pool(pool)
    for seed, wanted in enumerate(_replayed(read, named)):
        async with _replaying(settings, pool, seed) as host:
            answered = [await _answered(host, found, one) for one in read.questions]
        columns = wanted.columns
        assert [one.answer in ("7", "7.0") for one in answered] == columns.right[0].tolist()
        assert [one.answer is None for one in answered] == columns.abstained[0].tolist()
        assert [one.solvers.calls for one in answered] == columns.calls[0].tolist()
        assert [one.solvers.output_tokens for one in answered] == columns.tokens[0].tolist()
        assert [one.solvers.usd for one in answered] == columns.usd[0].tolist()
        assert np.isfinite(columns.tokens).all()


@asynccontextmanager
async def _replaying(settings: Settings, pool: Path, seed: int) -> AsyncIterator[Host]:
    options = {"pool": str(pool), "seed": seed}
    solver = SolverSpec(name="made-up", api="replay", options=options)
    uncapped = settings.model_copy(
        update={
            "store": settings.store.with_name(f"{seed}.db"),
            "max_calls_per_problem": None,
            "max_calls_per_day": None,
        }
    )
    server = create_server(uncapped, roster=Roster(default="made-up", specs={"made-up": solver}))
    async with Client(server) as client:
        yield Host(client, server)


def _replayed(pool: Pool, named: str) -> list[Replayed]:
    recorded = record(equated(pool))
    return [
        replay(recorded, Plan(controllers=(_trusted(named),), seeds=(seed,), jobs=1))[0]
        for seed in range(2)
    ]


def _trusted(text: str) -> Controller:
    found = named_controller(text)
    return trusted(found) if isinstance(found, Loaded) else found


async def _answered(host: Host, by: Method, one: recording.Question) -> Answered:
    question = Question(text=one.question, answer_kind="number", scope=one.question_id)
    setup = Setup(explore=Explore(solver="made-up"))
    with anyio.fail_after(PATIENCE):
        return await answer(host.client, question, by, setup, None, replays=True)


def _thrifty(folder: Path) -> Path:
    file = folder / "thrifty.py"
    file.write_text(THRIFTY, "utf-8")
    return file


@FENCED
@pytest.mark.skipif(find_spec("inspect_ai") is None, reason="needs Inspect AI")
def test_bench_and_replay_print_the_same_figures(shell: Shell, pool: Path) -> None:
    names = ("self-consistency@5", "adaptive-consistency@8:0.95", f"{_thrifty(pool.parent)}:0.5")
    methods = [part for name in names for part in ("--method", f"controller:{name}")]
    controllers = [part for name in names for part in ("--controller", name)]
    out = ("--out", str(shell.folder / "out"))
    shuffled = ("--seed", "0", "--epochs", "3")
    live = shell.json("bench", "run", f"pool:{pool}", *methods, *shuffled, *out)["standings"]
    evaluated = ("evaluate", "--pool", str(pool), "--seeds", "3", "--jobs", "1")
    replayed = shell.json("replay", *evaluated, *controllers)["scores"]
    for name, wanted in zip(names, replayed, strict=True):
        (one,) = (found for found in live if found["method"].startswith(f"controller:{name}"))
        assert one["accuracy"]["value"] == pytest.approx(wanted["accuracy"]["value"])
        assert one["calls"] == pytest.approx(wanted["calls"])
        prompts = PROMPT * one["calls"]
        assert one["tokens"] == pytest.approx(prompts + wanted["tokens"]["value"])
        assert one["usd"] == pytest.approx(wanted["usd"])


@pytest.mark.parametrize(
    ("named", "calls"),
    [("rolling@4:100:0.9:12:20:42", 100), ("quorum@5:0.5:3", 5), ("first-2-of-7", 7)],
)
def test_the_cap_of_a_method_is_what_its_controller_opens_at_most(named: str, calls: int) -> None:
    assert method(f"controller:{named}").calls == calls


def test_a_method_has_one_name_however_its_controller_is_written() -> None:
    assert method("controller:short:0.1").name == method("controller:short-2-of-7").name
    with pytest.raises(BadRequestError, match="unknown controller"):
        method("controller:none")


def test_a_file_is_a_method_of_its_own_as_soon_as_it_is_changed(tmp_path: Path) -> None:
    file = _thrifty(tmp_path)
    before = method(f"controller:{file}:0.5").name
    assert before.startswith(f"controller:{file}:0.5@")
    assert method(before).name == before
    file.write_text(THRIFTY.replace("200", "100"), "utf-8")
    assert method(f"controller:{file}:0.5").name != before
    with pytest.raises(BadRequestError, match="has changed since it was chosen"):
        method(before)
