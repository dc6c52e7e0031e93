"""What `explore` costs beside the provider call that it makes, on a fake provider.

    python benchmarks/overhead.py [--rounds 40] [--many 200 1000]

The fake runs in a process of its own. All ways of asking are taken in turn within a round,
so that all meet the same noise; processor seconds are this process's own: for `explore`
the client, the server, the store and the solver together. With its-hub installed
(`pip install 'its-hub[lm]'`) its self-consistency is timed beside ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
from mcp.client import Client

from atlas_mcp.core.types import Choice, Problem
from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from atlas_mcp.strategies import render
from solvers import registry
from solvers.registry import SolverSpec
from solvers.roster import Roster
from solvers.types import Meter, Shared, SolveRequest

PROBLEM = "What is 17 + 25? " + "Think of it as apples and pears. " * 100
LATENCY = 0.1
KEY_ENV = "BENCHMARK_KEY"
DRAWS = 8

Ask = Callable[[], Awaitable[object]]


@contextmanager
def provider() -> Iterator[str]:
    """The fake in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "atlas_mcp", "fake-provider", "--json"]
    with subprocess.Popen(
        [*command, "--latency", str(LATENCY)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def spec_of(url: str) -> SolverSpec:
    options = {"base_url": f"{url}/v1", "key_env": KEY_ENV, "parallel": 1_000}
    return SolverSpec(name="fake", api="chat", model="fake", options=options)


def request_of(problem: str) -> SolveRequest:
    return render(Problem(text=problem), Choice(solver="fake"), 1)


def bare(client: Any, problem: str) -> Ask:
    """The provider's SDK alone: the same prompt, the reply read as JSON, nothing kept."""
    request = request_of(problem)

    async def ask() -> None:
        reply = await client.chat.completions.create(
            model="fake",
            max_tokens=16_000,
            messages=[
                {"role": "system", "content": request.system},
                {"role": "user", "content": request.prompt},
            ],
        )
        json.loads(reply.choices[0].message.content)

    return ask


def hub(url: str) -> tuple[Any, Callable[[int], Ask]]:
    """its-hub's self-consistency on the same server, by number of draws."""
    from its_hub.core.algorithms.self_consistency import SelfConsistency
    from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel

    request = request_of(PROBLEM)
    model = OpenAICompatibleLanguageModel(
        f"{url}/v1", "fake-key", "fake", system_prompt=request.system
    )

    def asking(draws: int) -> Ask:
        return lambda: SelfConsistency().ainfer(model, request.prompt, draws)

    return model, asking


class Explorer:
    """A connected client that explores, each time a problem of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked = 0

    async def explore(self, draws: int = 1) -> dict[str, Any]:
        self._asked += 1
        arguments = {"problem": f"{PROBLEM}({self._asked})", "draws": draws}
        result = await self._client.call_tool("explore", arguments)
        assert result.structured_content is not None, result.content
        return dict(result.structured_content)


async def timed(ask: Ask) -> tuple[float, float]:
    """Processor and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    await ask()
    return time.process_time() - cpu, time.perf_counter() - wall


async def compare(ways: dict[str, Ask], rounds: int) -> dict[str, tuple[float, float]]:
    """The medians of each way over so many rounds, after one that does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for counted in [False] + [True] * rounds:
        for name, ask in ways.items():
            taken = await timed(ask)
            if counted:
                times[name].append(taken)
    return {
        name: (statistics.median(c for c, _ in took), statistics.median(w for _, w in took))
        for name, took in times.items()
    }


async def many(explorer: Explorer, count: int) -> None:
    """So many explores at once: are all answered, and what does each cost?"""
    answered = 0

    async def ask() -> None:
        nonlocal answered
        found = await explorer.explore()
        answered += found["ledger"]["ok"]

    cpu, wall = time.process_time(), time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(ask)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{count:>5} at once: {answered} answered, {count - answered} lost; "
        f"{1e3 * cpu / count:.1f} ms of processor each, {wall:.1f} s in all"
    )


async def run(url: str, rounds: int, counts: list[int], folder: Path) -> None:
    import openai

    os.environ[KEY_ENV] = "fake-key"
    spec, shared = spec_of(url), Shared()
    solver = await anyio.to_thread.run_sync(registry.build, spec, shared)
    settings = Settings(
        store=folder / "evidence.db",
        models_folder=folder,
        max_calls_per_problem=None,
        parallel=1_000,
    )
    server = create_server(settings, roster=Roster(default="fake", specs={"fake": spec}))
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="fake-key", max_retries=0)
    async with client, Client(server) as connected:
        explorer = Explorer(connected)
        ways: dict[str, Ask] = {
            "bare SDK call": bare(client, PROBLEM),
            "our solver": lambda: solver.solve(request_of(PROBLEM), Meter()),
            "explore": explorer.explore,
            f"explore, {DRAWS} draws": lambda: explorer.explore(DRAWS),
        }
        theirs = None
        if find_spec("its_hub"):
            theirs, asking = hub(url)
            ways["its-hub"] = asking(1)
            ways[f"its-hub, {DRAWS} draws"] = asking(DRAWS)
        medians = await compare(ways, rounds)
        report(medians, rounds)
        for count in counts:
            await many(explorer, count)
        if theirs is not None:
            await theirs.close()
    await shared.aclose()


def report(medians: dict[str, tuple[float, float]], rounds: int) -> None:
    base = medians["bare SDK call"][0]
    print(f"medians of {rounds} rounds, latency {LATENCY:g} s")
    print(f"{'':<20}{'processor':>12}{'over bare':>12}{'wall':>10}")
    for name, (cpu, wall) in medians.items():
        calls = DRAWS if name.endswith("draws") else 1
        over = 1e3 * (cpu / calls - base)
        print(f"{name:<20}{1e3 * cpu:>9.1f} ms{over:>+9.1f} ms{1e3 * wall:>7.0f} ms")
    one, eight = medians["explore"], medians[f"explore, {DRAWS} draws"]
    solver = medians["our solver"]
    print(f"explore over our solver alone: {1e3 * (one[0] - solver[0]):+.1f} ms of processor")
    print(f"{DRAWS} parallel draws take {eight[1] / one[1]:.2f} times the wall time of one")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--many", type=int, nargs="*", default=[200, 1_000])
    args = parser.parse_args()
    with provider() as url, tempfile.TemporaryDirectory() as folder:
        anyio.run(run, url, args.rounds, args.many, Path(folder))


if __name__ == "__main__":
    main()
