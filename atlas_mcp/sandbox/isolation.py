"""Run a program behind the strongest fence that holds on this machine."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterable
from functools import cache
from typing import Literal

from atlas_mcp.core.errors import SetupError
from atlas_mcp.sandbox.execution import Heard, execute
from atlas_mcp.sandbox.fence import Fence, Locks, bubblewrap
from atlas_mcp.sandbox.program import Ended, Limits, Program

Isolation = Literal["strict", "limits"]
"""Behind a fence, or with rlimits alone: these keep a clumsy program in bounds, no hostile one."""


def run(
    program: Program,
    limits: Limits | None = None,
    *,
    isolation: Isolation = "strict",
    heard: Heard = lambda chunk: True,
) -> Ended:
    """Run a program to its end, and leave nothing of it. Blocks; any thread may call it.

    Raises:
        SetupError: there is no fence on this machine; the message names the cure.
    """
    return execute(program, limits or Limits(), fence_of(isolation), heard)


def fence_of(isolation: Isolation) -> Fence:
    """The fence that keeps programs in. Blocks.

    Raises:
        SetupError: there is none on this machine; the message names the cure.
    """
    return strongest() if isolation == "strict" else Locks(needed=())


@cache
def strongest() -> Fence:
    """The strongest fence that holds here, found once. Blocks.

    Raises:
        SetupError: none holds; the message names the cure.
    """
    wrapped = bubblewrap()
    return first_that_holds([wrapped, Locks()] if wrapped else [Locks()])


def first_that_holds(fences: Iterable[Fence]) -> Fence:
    """The first of these that keeps in a program that wants out. Blocks.

    Raises:
        SetupError: none does; the message names the cure.
    """
    faults = []
    for fence in fences:
        fault = climbed(fence)
        if fault is None:
            return fence
        faults.append(f"{type(fence).__name__.lower()}: {fault}")
    raise SetupError(
        "programs that nobody vouches for are not run here, since nothing keeps them from files "
        f"and network ({'; '.join(faults)}). Cure: a Linux that has Landlock (5.13 or newer) with "
        "libseccomp, or bubblewrap with user namespaces (`apt install bubblewrap libseccomp2`). "
        "ATLAS_SANDBOX=limits runs them all the same, unfenced"
    )


def climbed(fence: Fence) -> str | None:
    """How a program got over this fence, or why it could not be put up; None if it holds."""
    with tempfile.NamedTemporaryFile() as outside, socket.create_server(("127.0.0.1", 0)) as door:
        argv = (outside.name, str(door.getsockname()[1]))
        try:
            ended = execute(Program(source=_CLIMBER, argv=argv), Limits(), fence)
            reached = json.loads(ended.out)
        except SetupError as error:
            return str(error)
        except ValueError:
            return f"the trial ended without a word ({ended.why} {ended.status})"
    return f"it reached {' and '.join(reached)}" if reached else None


_CLIMBER = """
import json, os, socket, sys

def read():
    open(sys.argv[1]).close()

def write():
    open(sys.argv[1], "w").close()

def connect():
    socket.create_connection(("127.0.0.1", int(sys.argv[2])), 2).close()

reached = []
for attempt in (read, write, connect):
    try:
        attempt()
        reached.append(attempt.__name__)
    except OSError:
        pass
print(json.dumps(reached))
"""
