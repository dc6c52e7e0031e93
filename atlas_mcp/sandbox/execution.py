"""One program, once, behind a given fence. Blocks."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from atlas_mcp.core.errors import SetupError
from atlas_mcp.sandbox.fence import PROGRAM, Fence
from atlas_mcp.sandbox.program import Ended, Limits, Program, Why

Heard = Callable[[bytes], bool]
"""Is given what a program wrote to standard output since last time; False stops the program."""

_CHUNK = 2**16


def execute(
    program: Program, limits: Limits, fence: Fence, heard: Heard = lambda chunk: True
) -> Ended:
    """Run a program to its end, and leave nothing of it.

    Raises:
        SetupError: it could not be locked in, so it was not run.
    """
    with laid_out(program) as folder, tempfile.TemporaryFile() as stdin:
        stdin.write(program.stdin)
        stdin.seek(0)
        return _watched(program, limits, fence, heard, folder, stdin)


@contextmanager
def laid_out(program: Program) -> Iterator[Path]:
    """A folder that holds the program and its files, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="atlas-sandbox-") as name:
        folder = Path(name).resolve()
        for file, content in {**program.files, PROGRAM: program.source.encode()}.items():
            (folder / file).write_bytes(content)
        yield folder


@dataclass(slots=True)
class _Watch:
    """What was heard of a process so far, and why we stopped it, if we did."""

    heard: Heard
    most: int
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    stopped: Why | None = None

    def take(self, stream: str, chunk: bytes) -> None:
        kept = self.out if stream == "out" else self.err
        kept += chunk
        if len(kept) > self.most:
            del kept[self.most :]
            self.stopped = "output"
        elif stream == "out" and not self.heard(chunk):
            self.stopped = "stopped"


def _watched(
    program: Program, limits: Limits, fence: Fence, heard: Heard, folder: Path, stdin: BinaryIO
) -> Ended:
    watch = _Watch(heard=heard, most=limits.output)
    with started(program, folder, limits, fence, stdin) as (process, locked):
        _listen(process, watch, time.monotonic() + limits.seconds)
        os.set_blocking(locked.fileno(), False)  # it may hang before it is locked in
        if not locked.read(1) and watch.stopped is None:
            raise SetupError(
                "a program could not be locked in, so it was not run: "
                + watch.err.decode(errors="replace").strip()[-500:]
            )
    return _ended(process.returncode, watch)


@contextmanager
def started(
    program: Program, folder: Path, limits: Limits, fence: Fence, stdin: BinaryIO | int
) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """The process of a program behind a fence, and what gives a byte once it is locked in.

    The process is killed when the block ends.
    """
    told, ready = os.pipe()
    with open(told, "rb", buffering=0) as locked:
        try:
            process = _process(fence.command(program, folder, limits, ready), folder, stdin, ready)
        finally:
            os.close(ready)
        with process:
            try:
                yield process, locked
            finally:
                kill(process)


def _process(
    command: list[str], folder: Path, stdin: BinaryIO | int, ready: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=_environment(folder),
            pass_fds=(ready,),
            start_new_session=True,
        )
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be started: {error}") from error


def _environment(folder: Path) -> Mapping[str, str]:
    """Nothing of ours. One thread for linear algebra: each takes address space."""
    here = str(folder)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": here,
        "TMPDIR": here,
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _listen(process: subprocess.Popen[bytes], watch: _Watch, deadline: float) -> None:
    """Until both streams have ended, or the program is to be stopped."""
    assert process.stdout is not None
    assert process.stderr is not None
    with selectors.DefaultSelector() as open_streams:
        open_streams.register(process.stdout, selectors.EVENT_READ, "out")
        open_streams.register(process.stderr, selectors.EVENT_READ, "err")
        while open_streams.get_map() and watch.stopped is None:
            left = deadline - time.monotonic()
            if left <= 0:
                watch.stopped = "time"
            for key, _ in open_streams.select(max(left, 0)):
                if chunk := os.read(key.fd, _CHUNK):
                    watch.take(key.data, chunk)
                else:
                    open_streams.unregister(key.fileobj)
    if watch.stopped is None:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            watch.stopped = "time"


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that was `started`, with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left; macOS says so by refusing
    process.wait()


def _ended(status: int, watch: _Watch) -> Ended:
    number = -status if status < 0 else status - 128  # what bubblewrap makes of a signal
    why: Why = "exited"
    if number == signal.SIGXCPU:
        why = "processor"
    elif 0 < number <= signal.NSIG:
        why = "signalled"
    return Ended(
        why=watch.stopped or why,
        status=None if watch.stopped else status if why == "exited" else number,
        out=bytes(watch.out),
        err=bytes(watch.err),
    )
