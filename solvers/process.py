"""Run a program once, within bounds, and leave nothing of it behind.

The program leads a process group of its own. When it ends, is cancelled or writes too much,
the whole group is stopped, so that what it started does not outlive it. A process that left
the group on purpose is beyond our reach on POSIX; it is no longer listened to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from solvers.errors import BrokenReplyError, FixSetupError

MAX_OUTPUT = 4 * 2**20
"""The most bytes of standard output that are read."""

_TAIL = 4_000
"""Bytes that are kept of the end of standard error."""

_GRACE_SECONDS = 0.5
"""How long a program may tidy up after it was asked to stop."""

_DRAIN_SECONDS = 1.0
"""How long output may keep coming after the program's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that ended. `status` is negative where a signal ended it."""

    status: int
    out: str
    err: str


@dataclass(slots=True)
class _Heard:
    """What a program has written so far."""

    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    too_much: bool = False


async def run_program(
    command: Sequence[str],
    *,
    given: str,
    env: Mapping[str, str],
    folder: Path,
    max_output: int = MAX_OUTPUT,
) -> Ended:
    """Run a program in `folder` with `given` on its standard input, to its end.

    What is no UTF-8 is replaced, on the way in as on the way out. Of standard error only the
    end is kept.

    Raises:
        FixSetupError: the program cannot be started.
        BrokenReplyError: it wrote more than `max_output` bytes, and was stopped.
    """
    heard = _Heard()
    process = await _start(command, env, folder)
    try:
        async with anyio.create_task_group() as tasks:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            tasks.start_soon(_feed, process.stdin, given.encode(errors="replace"))
            tasks.start_soon(_keep_all, process.stdout, heard, max_output, tasks.cancel_scope)
            tasks.start_soon(_keep_tail, process.stderr, heard)
            await process.wait()
            _signal_group(process, force=True)
            tasks.cancel_scope.deadline = anyio.current_time() + _DRAIN_SECONDS
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process)
    if heard.too_much:
        raise BrokenReplyError(f"{_name(command)} wrote more than {max_output:,} bytes: stopped")
    assert process.returncode is not None
    return Ended(
        status=process.returncode,
        out=heard.out.decode(errors="replace"),
        err=heard.err.decode(errors="replace"),
    )


async def _start(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Process:
    try:
        return await anyio.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise FixSetupError(f"{_name(command)} cannot be started: {error}") from error


async def _feed(stream: ByteSendStream, data: bytes) -> None:
    try:
        async with stream:
            await stream.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass  # a program need not read all that it is told


async def _keep_all(
    stream: ByteReceiveStream, heard: _Heard, most: int, scope: anyio.CancelScope
) -> None:
    async for chunk in stream:
        heard.out += chunk
        if len(heard.out) > most:
            heard.too_much = True
            scope.cancel()
            return


async def _keep_tail(stream: ByteReceiveStream, heard: _Heard) -> None:
    async for chunk in stream:
        heard.err = (heard.err + chunk)[-_TAIL:]


async def _stop(process: Process) -> None:
    """End what still runs of the group and wait for it; gently first."""
    if process.returncode is None:
        _signal_group(process, force=False)
        with anyio.move_on_after(_GRACE_SECONDS):
            await process.wait()
    _signal_group(process, force=True)
    await process.aclose()


def _signal_group(process: Process, *, force: bool) -> None:
    if sys.platform == "win32":
        if process.returncode is None:  # there are no groups; a tree is known by its living root
            tree = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
            subprocess.run(tree, capture_output=True, check=False)
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left; macOS says so by refusing


def _name(command: Sequence[str]) -> str:
    return Path(command[0]).name
