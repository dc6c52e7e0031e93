"""Controllers by name: those of the registry, and files, written `FILE.py` or `FILE.py:DIAL`.

Whoever names a file for later writes it out in full, as `Loaded.pinned` does: `FILE.py:DIAL@DIGEST`
is that file as long as it holds the same code.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.fenced import Code, fenced
from atlas_mcp.discovery.source import check, digest, read
from atlas_mcp.replay.controllers.registry import controller
from atlas_mcp.replay.state import Controller, Decision, State
from atlas_mcp.sandbox.isolation import Isolation

_NAMED = re.compile(r"(.+\.py)(?::([^:/@]*))?(?:@([0-9a-f]+))?")
_DIGITS = 12
"""So much of a digest tells the versions of one file apart."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The code of a file at a place of its dial, how it is called, and where it was found."""

    name: str
    code: Code
    path: Path

    @property
    def pinned(self) -> str:
        """This code and no other, however the file is named from elsewhere."""
        return f"{self.path.absolute()}:{self.code.dial!r}@{digest(self.code.source)[:_DIGITS]}"


@dataclass(frozen=True, slots=True)
class Trusted:
    """A `Controller` of a source, run in this process."""

    name: str
    source: str
    dial: float

    def ask(self, state: State, memory: Any) -> Decision:
        decision: Decision = _made(self.source, self.dial).ask(state, memory)
        return decision


def named(text: str, *, isolation: Isolation = "strict") -> Controller | Loaded:
    """The controller that a text names, or the code of the file that it names.

    Raises:
        BadRequestError: as `load` and `registry.controller`.
        SetupError: as `registry.controller`.
    """
    return load(text, isolation=isolation) if is_file(text) else controller(text)


def is_file(text: str) -> bool:
    """Whether a controller is written as a file."""
    return _NAMED.fullmatch(text) is not None


def load(text: str, *, isolation: Isolation = "strict") -> Loaded:
    """Read a controller file. Its code is not run; the dial is 1 where none is given.

    Raises:
        BadRequestError: it cannot be read, is no controller, or was changed after it was saved
            or pinned.
    """
    found = _NAMED.fullmatch(text)
    if found is None:
        raise BadRequestError(f"controller {text!r}: write FILE.py or FILE.py:DIAL")
    path, dial = Path(found[1]).expanduser(), _dial(text, found[2])
    try:
        saved = read(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(f"controller file {path} cannot be read: {error}") from error
    with _blaming(f"controller file {path}"):
        check(saved.source)
    if found[3] is not None and not digest(saved.source).startswith(found[3]):
        raise BadRequestError(
            f"controller file {path} has changed since it was chosen: its digest is "
            f"{digest(saved.source)[:_DIGITS]}, not {found[3]}. Restore it to go on, or start anew "
            "with the file as it is now"
        )
    code = Code(source=saved.source, dial=dial, isolation=isolation)
    return Loaded(f"{path.stem}:{dial:g}", code, path)


def trusted(loaded: Loaded) -> Controller:
    """The same, run in this process with all that it may do."""
    return Trusted(loaded.name, loaded.code.source, loaded.code.dial)


@asynccontextmanager
async def opened(found: Controller | Loaded) -> AsyncIterator[Controller]:
    """A controller to ask live; the code of a file runs in the sandbox until the block ends.

    It may be asked in any thread, one at a time, and what it is asked may take its time.

    Raises:
        BadRequestError: the code is no controller.
        SetupError: nothing keeps programs in on this machine.
    """
    if not isinstance(found, Loaded):
        yield found
        return
    # A fenced process is killed with the thread that started it, and anyio's threads come and go.
    running, thread = ExitStack(), ThreadPoolExecutor(max_workers=1)
    try:
        entering = thread.submit(running.enter_context, fenced(found.code, found.name))
        with _blaming(f"controller file {found.path}"):
            made = await anyio.to_thread.run_sync(entering.result)
        yield made
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(thread.submit(running.close).result)
        thread.shutdown()


@contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Say of which controller an error is."""
    try:
        yield
    except BadRequestError as error:
        raise type(error)(f"{what}: {error}") from error


def _dial(text: str, written: str | None) -> float:
    try:
        dial = 1.0 if written is None else float(written)
    except ValueError:
        dial = -1.0
    if not 0 <= dial <= 1:
        raise BadRequestError(f"controller {text!r}: the dial is a number from 0 to 1")
    return dial


@cache
def _made(source: str, dial: float) -> Any:
    import sys

    module = ModuleType(f"atlas_controller_{abs(hash(source)):x}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source, "controller", "exec"), module.__dict__)
    return module.__dict__["Controller"].at(dial)
