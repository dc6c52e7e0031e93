"""A run of discovery put together: its pool, its folder and its lab. Blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.core.types import Caps
from atlas_mcp.discovery.folder import Folder, RunInfo
from atlas_mcp.discovery.lab import Told, opened
from atlas_mcp.discovery.rounds import Run
from atlas_mcp.discovery.splits import digest
from atlas_mcp.pools.equating import equated
from atlas_mcp.replay.arrays import record
from solvers.recording import read_pool

HOST = "host"
"""The proposer of a run that is left to MCP hosts."""


def begin(out: Path, info: RunInfo, caps: Caps, told: Told = lambda line: None, **how: Any) -> Run:
    """Begin a run in a folder, or go on with it. `info.world` is found out; `how` is as of `Lab`.

    Raises:
        BadRequestError: the folder is of something else, or the pool does not allow this.
        FixSetupError: the pool cannot be read.
    """
    recorded = record(equated(read_pool(Path(info.pool))))
    folder = Folder(out)
    info = replace(info, world=digest(recorded))
    folder.check(info)
    known = folder.baselines()
    lab = opened(recorded, info.terms, known, told, **how)
    folder.begin(info)
    if known is None:
        folder.keep_baselines(lab.baselines)
    run = Run(lab=lab, folder=folder, without=info.without, caps=caps, told=told)
    run.begin()
    return run


def reopen(out: Path, **how: Any) -> Run:
    """Open the run of a folder that is left to MCP hosts.

    Raises:
        BadRequestError: it is none.
    """
    info = Folder(out).info()
    if info.proposer != HOST:
        raise BadRequestError(
            f"{out} holds a run of proposer {info.proposer}: make one for hosts with `atlas-mcp "
            f"discover --proposer {HOST}`"
        )
    return begin(out, info, Caps(), **how)
