"""A command-line agent as a language model: each turn is one run that remembers nothing."""

from __future__ import annotations

import mimetypes
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import anyio
import anyio.to_thread

from solvers.agent_output import Reading, fault, read
from solvers.agents import Agent
from solvers.errors import BrokenReplyError, FixRequestError, TimedOutError
from solvers.model import Message, ModelReply, ModelRequest
from solvers.process import MAX_OUTPUT, Ended, run_program
from solvers.types import UNKNOWN_USAGE, Attachment, Meter, Shared, WorstCase

_MESSAGE_CHARACTERS = 600

_KEPT = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TERM TMPDIR
    XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME XDG_RUNTIME_DIR
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
    SYSTEMROOT SYSTEMDRIVE COMSPEC PATHEXT TEMP TMP WINDIR
    USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES
""".split()
"""Variables that any program may need to run, find its user's files and reach the network."""


class CommandModel:
    """Takes each turn by one run of a program that remembers nothing."""

    def __init__(
        self,
        agent: Agent,
        *,
        name: str = "",
        max_seconds: float = 300.0,
        parallel: int = 4,
        max_output: int = MAX_OUTPUT,
        shared: Shared | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._agent = agent
        self._model = name
        self._max_seconds = max_seconds
        self._max_output = max_output
        self._slots = (shared or Shared()).slots
        self._free = anyio.Semaphore(parallel)
        self._env = environment(agent, os.environ if environ is None else environ)

    @property
    def name(self) -> str:
        """The model asked for, or the program where the entry leaves the model to it."""
        return self._model or Path(self._agent.command[0]).stem

    def worst_case(self, request: ModelRequest) -> WorstCase:
        """Only the time is bounded."""
        return WorstCase(tokens=None, usd=None, seconds=self._max_seconds)

    async def reply(self, request: ModelRequest, meter: Meter) -> ModelReply:
        """Run the program once.

        Raises:
            FixRequestError: there are tools, or files that the program does not read.
            FixSetupError: the program cannot be started, or has no login.
            TimedOutError: it was still at work after `max_seconds`.
            SolverError: it failed, or what it wrote could not be read.
        """
        self._check(request)
        reading, usage, usd = None, UNKNOWN_USAGE, None
        async with self._turn(), _workplace() as place:
            call = await anyio.to_thread.run_sync(self._prepare, request, place)
            try:
                ended = await self._run(call)
                reading = self._read(ended)
                usage, usd = reading.usage, reading.usd
            finally:
                meter.spend(usage, usd)
        text = self._text(reading, ended)
        return ModelReply(text=text, model=reading.model or self.name, finish=reading.finish)

    def _check(self, request: ModelRequest) -> None:
        if request.tools:
            raise FixRequestError(f"{self.name} is a command-line agent and takes no tools of ours")
        for one in _attachments(request):
            if not any(fnmatch(one.media_type, kind) for kind in self._agent.reads):
                reads = ", ".join(self._agent.reads) or "text only"
                raise FixRequestError(
                    f"{self.name} cannot read an attachment of type {one.media_type}; "
                    f"it reads {reads}"
                )

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of this entry's turns, without keeping other solvers from working."""
        mine = False
        try:
            async with self._slots.put_down():
                await self._free.acquire()
                mine = True
            yield
        finally:
            if mine:
                self._free.release()

    def _prepare(self, request: ModelRequest, place: _Place) -> _Call:
        """Write the files of a run and put its command line together."""
        agent, system = self._agent, place.root / "system.txt"
        paths = [place.folder / _file_name(n, one) for n, one in enumerate(_attachments(request))]
        for path, one in zip(paths, _attachments(request), strict=True):
            path.write_bytes(one.data)
        parts = [
            agent.model_args if self._model else (),
            agent.effort_args.get(request.effort, ()),
            agent.with_files if paths else agent.without_files,
            *(_filled(agent.file_args, file=str(path)) for path in paths),
            agent.args,
        ]
        options = [arg for part in parts for arg in part]
        program = shutil.which(agent.command[0], path=self._env.get("PATH")) or agent.command[0]
        command = _filled(
            (program, *agent.command[1:], *options), model=self._model, system_file=str(system)
        )
        places = (*agent.command, *options, *agent.variables.values())
        prompt = _written(request.messages)
        if any("{system_file}" in one for one in places):
            system.write_text(request.system, encoding="utf-8", errors="replace")
        elif request.system:
            prompt = f"{request.system}\n\n{prompt}"
        if paths:
            listed = "\n".join(str(path) for path in paths)
            prompt = f"{prompt}\n\nThe files that belong to the problem:\n{listed}"
        variables = {
            name: value.replace("{system_file}", str(system))
            for name, value in agent.variables.items()
        }
        return _Call(command=command, prompt=prompt, env=self._env | variables, folder=place.folder)

    async def _run(self, call: _Call) -> Ended:
        try:
            with anyio.fail_after(self._max_seconds):
                return await run_program(
                    call.command,
                    given=call.prompt,
                    env=call.env,
                    folder=call.folder,
                    max_output=self._max_output,
                )
        except TimeoutError:
            raise TimedOutError(f"{self.name}: no answer within {self._max_seconds:g} s") from None

    def _read(self, ended: Ended) -> Reading:
        try:
            return read(self._agent, ended.out)
        except BrokenReplyError as error:
            if ended.status:
                raise self._fault(ended, None) from None
            raise BrokenReplyError(f"{self.name}: {error}{_said(ended.err)}") from None

    def _text(self, reading: Reading, ended: Ended) -> str:
        if ended.status or reading.error is not None:
            raise self._fault(ended, reading.error)
        if reading.text is None:
            raise BrokenReplyError(f"{self.name}: the output holds no reply{_said(ended.err)}")
        return reading.text

    def _fault(self, ended: Ended, error: str | None) -> Exception:
        if error is not None:
            return fault(self._agent, f"{self.name}: {error[:_MESSAGE_CHARACTERS]}")
        how = f"status {ended.status}" if ended.status > 0 else f"signal {-ended.status}"
        said = ended.err if ended.err.strip() else ended.out
        return fault(self._agent, f"{self.name} ended with {how}{_said(said)}")


def environment(agent: Agent, environ: Mapping[str, str]) -> dict[str, str]:
    """What an agent is given of an environment; its own variables are not among it yet."""
    names = {*_KEPT, *agent.environment}
    return {
        name: value
        for name, value in environ.items()
        if name in names or name.upper() in _KEPT or name.startswith("LC_")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one run happens: `folder` is the agent's, `root` around it is ours."""

    root: Path
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    command: Sequence[str]
    prompt: str
    env: Mapping[str, str]
    folder: Path


@asynccontextmanager
async def _workplace() -> AsyncIterator[_Place]:
    with anyio.CancelScope(shield=True):
        place = await anyio.to_thread.run_sync(_make_place)
    try:
        yield place
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, place.root, True)


def _make_place() -> _Place:
    root = Path(tempfile.mkdtemp(prefix="atlas-agent-"))
    (root / "work").mkdir()
    return _Place(root=root, folder=root / "work")


def _attachments(request: ModelRequest) -> list[Attachment]:
    return [one for message in request.messages for one in message.attachments]


def _file_name(number: int, attachment: Attachment) -> str:
    # Not the name that came with it: that is a stranger's text.
    return f"file-{number + 1}{mimetypes.guess_extension(attachment.media_type) or ''}"


def _filled(parts: Sequence[str], **values: str) -> list[str]:
    filled = list(parts)
    for name, value in values.items():
        filled = [part.replace(f"{{{name}}}", value) for part in filled]
    return filled


def _written(messages: Sequence[Message]) -> str:
    """A conversation as one prompt, for a program that remembers nothing."""
    first, *later = messages
    turns = [f"[{'You' if one.role == 'assistant' else 'User'}]\n{one.text}" for one in later]
    return "\n\n".join([first.text, *turns])


def _said(text: str) -> str:
    bounded = " ".join(text.split())[-_MESSAGE_CHARACTERS:]
    return f": {bounded}" if bounded else ""
