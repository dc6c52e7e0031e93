"""What the AIME 2024 table of AutoTTS costs to replay: eight controllers, four models, 100 orders.

    python benchmarks/replay.py POOL [--scalar-seeds 10] [--rounds 3]

Processor seconds of this process, on one core: over arrays, and one episode at a time. Both are
the median of interleaved rounds, without scoring or sending work to other processes. One at a
time is played on some of the orders and scaled; what is done once, reading the pool and turning
it into values, is not.

The reference is the source's own code, whose 96 jobs over three sets of questions took 564 s of
`user` time, 166 s of them on this set by its share of the tokens. It was measured on another day,
on a busy machine, and does not run here: the ratio to it is rough, the one between the columns
is not.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from atlas_mcp.replay.arrays import Recorded, record
from atlas_mcp.replay.controllers.registry import controller
from atlas_mcp.replay.environment import Rules
from atlas_mcp.replay.part import play_batch, play_each
from atlas_mcp.replay.state import Controller
from solvers.recording import read_pool

CONTROLLERS = (
    "self-consistency@1",
    "self-consistency@64",
    "adaptive-consistency@64",
    "adaptive-consistency@40",
    "early-stopping@64",
    "parallel-probe@64",
    "momentum:0.5",
    "momentum:1",
)
SEEDS = 100
CHUNK = 20
REFERENCE = 564.0 * 0.295
"""Branches are shorter here than in the other two sets, so that it is less than a third."""


def seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def over_arrays(worlds: list[Recorded], chosen: Controller) -> None:
    for world in worlds:
        for first in range(0, SEEDS, CHUNK):
            play_batch(world, chosen, range(first, first + CHUNK), Rules())


def one_by_one(worlds: list[Recorded], chosen: Controller, seeds: int) -> None:
    for world in worlds:
        play_each(world, chosen, range(seeds), Rules())


def as_values(recorded: Recorded) -> None:
    """What playing one by one needs once: a value for each branch and each of its steps."""
    for arm in recorded.arms:
        for draws in arm.branches:
            for draw in draws:
                assert draw.told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--scalar-seeds", type=int, default=10, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    args = parser.parse_args()
    recorded: list[Recorded] = []
    reading = seconds(lambda: recorded.append(record(read_pool(args.pool))))
    values = seconds(lambda: as_values(recorded[0]))
    worlds = [replace(recorded[0], arms=(arm,)) for arm in recorded[0].arms]
    arrays: dict[str, list[float]] = {name: [] for name in CONTROLLERS}
    each: dict[str, list[float]] = {name: [] for name in CONTROLLERS}
    for _ in range(args.rounds):
        for name in CONTROLLERS:
            chosen = controller(name)
            took = seconds(lambda chosen=chosen: over_arrays(worlds, chosen))
            arrays[name].append(took)
            took = seconds(lambda chosen=chosen: one_by_one(worlds, chosen, args.scalar_seeds))
            each[name].append(took * SEEDS / args.scalar_seeds)
    rows = [(name, median(arrays[name]), median(each[name])) for name in CONTROLLERS]
    rows.append(("reading the pool", reading, reading + values))
    rows.append(("all", sum(one for _, one, _ in rows), sum(one for _, _, one in rows)))
    print(f"{'controller':26}{'arrays, s':>12}{'one by one, s':>16}")
    for name, batch, scalar in rows:
        print(f"{name:26}{batch:12.2f}{scalar:16.2f}")
    _, batch, scalar = rows[-1]
    fast = f"times as fast as {REFERENCE:.0f} s"
    print(f"{fast:26}{REFERENCE / batch:12.0f}{REFERENCE / scalar:16.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of both {peak:.0f} MB")


if __name__ == "__main__":
    main()
