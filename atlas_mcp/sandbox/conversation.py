"""A program that is spoken with: a line goes in, a line comes out, for as long as one likes."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from atlas_mcp.core.errors import SetupError
from atlas_mcp.sandbox.execution import kill, laid_out, started
from atlas_mcp.sandbox.isolation import Isolation, fence_of
from atlas_mcp.sandbox.program import Limits, Program, Why

_CHUNK = 2**16
_WORDS = 2_000
"""So much of what a program says on standard error is told."""


class SilentError(Exception):
    """A program gave no whole line back. `why` is as of `Ended`, `words` its last ones."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(f"the program gave no reply ({why}){f': {words}' if words else ''}")
        self.why = why
        self.words = words


class Conversation:
    """A program that runs behind its fence. Threads that speak with it take turns."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._limits = limits
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        os.set_blocking(self._in.fileno(), False)
        self._words = b""
        self._speaking = Lock()

    def ask(self, line: bytes) -> bytes:
        """Say a line and return the one that the program answers with, both without its end.

        Raises:
            SilentError: it ended, or took longer or said more than its limits allow.
        """
        with self._speaking:
            return self._ask(line)

    def end(self) -> None:
        """End the program, and wait until nobody listens to it any more."""
        kill(self._process)
        with self._speaking:
            pass

    def _ask(self, line: bytes) -> bytes:
        unsaid, heard = line + b"\n", bytearray()
        deadline = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as streams:
            streams.register(self._in, selectors.EVENT_WRITE)
            streams.register(self._out, selectors.EVENT_READ)
            streams.register(self._err, selectors.EVENT_READ)
            while not heard.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise SilentError("time", self._said())
                for key, _ in streams.select(left):
                    if key.fileobj is self._in:
                        unsaid = self._say(unsaid)
                        if not unsaid:
                            streams.unregister(self._in)
                    elif not self._hear(key.fileobj is self._out, key.fd, heard):
                        streams.unregister(key.fileobj)
        return bytes(heard[:-1])

    def _say(self, unsaid: bytes) -> bytes:
        try:
            return unsaid[os.write(self._in.fileno(), unsaid[:_CHUNK]) :]
        except BlockingIOError:
            return unsaid
        except BrokenPipeError:
            return b""  # it has ended, which its output will tell

    def _hear(self, answer: bool, stream: int, heard: bytearray) -> bool:
        """Whether the stream is still open."""
        chunk = os.read(stream, _CHUNK)
        if not answer:
            self._words = (self._words + chunk)[-_WORDS:]
        elif chunk:
            heard += chunk
            if len(heard) > self._limits.output:
                raise SilentError("output", self._said())
        else:
            raise self._ended()
        return bool(chunk)

    def _ended(self) -> SilentError:
        try:
            _, err = self._process.communicate(timeout=1)
            self._words = (self._words + err)[-_WORDS:]
        except (subprocess.TimeoutExpired, ValueError):
            pass
        signalled = (self._process.returncode or 0) < 0 or (self._process.returncode or 0) > 128
        return SilentError("signalled" if signalled else "exited", self._said())

    def _said(self) -> str:
        return self._words.decode(errors="replace").strip()


@contextmanager
def conversing(
    program: Program, limits: Limits | None = None, *, isolation: Isolation = "strict"
) -> Iterator[Conversation]:
    """Run a program until the block ends; `limits.seconds` is what each reply may take. Blocks.

    Raises:
        SetupError: there is no fence on this machine, or the program could not be locked in.
    """
    limits = limits or Limits()
    with (
        laid_out(program) as folder,
        started(program, folder, limits, fence_of(isolation), subprocess.PIPE) as (process, locked),
    ):
        if not locked.read(1):
            raise SetupError("a program could not be locked in, so it was not run")
        talk = Conversation(process, limits)
        try:
            yield talk
        finally:
            talk.end()
