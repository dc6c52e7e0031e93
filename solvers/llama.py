"""llama.cpp in this process: one loaded model that completes turns, many draws at a time.

Draws of the same turn that are asked for at the same time are joined into one engine
request, so that their prompt is read once; each is answered as soon as its own text is
complete.

The engine can stop a request only as a whole. So a draw whose waiter has left is written on
beside the others, and what that takes is on the meters of the waiters that stay. What it does
between the leaving of the last one and its stop, one step, is on the meter of the next call.
So all meters together show what the engine read and wrote.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
from anyio import from_thread, to_thread
from anyio.lowlevel import EventLoopToken, checkpoint, current_token

from solvers.errors import (
    BrokenReplyError,
    ContextOverflowError,
    FixSetupError,
    GiveUpError,
    MissingPackageError,
    SolverError,
)
from solvers.model import Message, ModelReply
from solvers.types import Meter, Usage
from solvers.weights import checked_path

INSTALL = "the engine of the embedded models is missing: pip install 'atlas-mcp[embedded]'"

_TEMPLATE_TOKENS = 256
"""More than a chat template writes around a short exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the engine is asked to complete. Equal turns may share a request."""

    messages: tuple[Message, ...]
    grammar: str
    max_tokens: int
    sampling: tuple[tuple[str, float], ...]
    system: str = ""
    joinable: bool = True

    def room(self, context: int, slots: int) -> int:
        """How many answers fit into the context behind the one prompt they share."""
        prompt = prompt_bound(self.system, *(message.text for message in self.messages))
        return max(1, min(slots, (context - prompt) // self.max_tokens)) if self.joinable else 1

    def request(self, count: int) -> dict[str, Any]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        talk = [{"role": one.role, "content": one.text} for one in self.messages]
        return {
            "messages": system + talk,
            "n": count,
            "max_tokens": self.max_tokens,
            "grammar": self.grammar,
            "stream": True,
            "stream_options": {"include_usage": True},
            "timings_per_token": True,  # so that a call that is cut off knows its tokens
            "return_progress": True,  # so that reading a long prompt can be stopped
            "chat_template_kwargs": {"enable_thinking": False},
            **dict(self.sampling),
        }


@dataclass(slots=True, eq=False)
class _Draw:
    """One waiter's share of a request. The engine's thread writes, the waiter reads."""

    token: EventLoopToken
    done: anyio.Event = field(default_factory=anyio.Event)
    left: bool = False
    spent: Usage = field(default_factory=Usage)
    booked: Usage = field(default_factory=Usage)
    pieces: list[str] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None
    fault: SolverError | None = None

    @property
    def started(self) -> bool:
        return self.spent.requests > 0

    def spend(self, *, prompt: int = 0, cached: int = 0, written: int = 0) -> None:
        # Replaced as a whole, since a waiter may read it meanwhile.
        self.spent = Usage(
            requests=1, input_tokens=prompt, output_tokens=written, cached_tokens=cached
        )

    def take(self) -> Usage:
        """What has been spent since this was called last."""
        before, self.booked = self.booked, self.spent
        return _minus(self.booked, before)

    def wake(self) -> None:
        if self.left:
            return
        try:
            from_thread.run_sync(self.done.set, token=self.token)
        except RuntimeError:
            return  # The waiter's event loop has ended, and the waiter with it.


@dataclass(slots=True, eq=False)
class _Group:
    """Draws that share one request: open to more until the engine takes it up."""

    turn: Turn
    draws: list[_Draw] = field(default_factory=list)
    queued: bool = False


class Engine:
    """One loaded model. It does one request at a time, in the order they came.

    Its thread loads the model at first use, works, and frees it. So a waiter can always
    leave at once; when the last one of a request has left, the engine stops working on it.
    """

    gather_seconds = 0.02
    """How long a turn waits for equal ones; nothing beside the seconds that it takes."""

    def __init__(
        self, *, model: str, folder: Path, context: int = 8_192, slots: int = 8, threads: int = 2
    ) -> None:
        self.model = model
        self.context = context
        self._folder = folder
        self._slots = slots
        self._threads = threads
        self._state = threading.Condition()
        self._open: dict[Turn, _Group] = {}
        self._queue: deque[_Group] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._owed = Usage()
        """What was read and written after the last waiter had left; the next one books it."""
        self.busy = False
        """Whether a request is being worked on."""

    async def complete(self, turn: Turn, meter: Meter) -> ModelReply:
        """Complete one turn. Its true cost is on the meter, also when it is cancelled."""
        draw = _Draw(token=current_token())
        group = self._join(turn, draw)
        try:
            await checkpoint()
            if not self._is_full(group):
                await anyio.sleep(self.gather_seconds)
            self._enqueue(group)
            await draw.done.wait()
        finally:
            usage = self._leave(group, draw)
            if usage.requests:
                meter.spend(usage, 0.0)
        if draw.fault is not None:
            raise draw.fault
        return ModelReply(
            text="".join(draw.pieces), model=self.model, finish=draw.finish or "length"
        )

    async def aclose(self) -> None:
        """Stop what is running, free the model, and end the thread."""
        thread = self._stop()
        if thread is not None:
            with anyio.move_on_after(30, shield=True):
                await to_thread.run_sync(thread.join, abandon_on_cancel=True)

    # --- the waiters' side

    def _join(self, turn: Turn, draw: _Draw) -> _Group:
        with self._state:
            if self._closed:
                raise GiveUpError(f"{self.model} was shut down")
            group = self._open.get(turn)
            if group is None or self._has_no_room(group):
                group = self._open[turn] = _Group(turn=turn)
            group.draws.append(draw)
            return group

    def _has_no_room(self, group: _Group) -> bool:
        return len(group.draws) >= group.turn.room(self.context, self._slots)

    def _is_full(self, group: _Group) -> bool:
        with self._state:
            return self._has_no_room(group)

    def _enqueue(self, group: _Group) -> None:
        with self._state:
            if not group.queued:
                group.queued = True
                self._queue.append(group)
                self._state.notify()
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._work, name=f"engine {self.model}", daemon=True
                )
                self._thread.start()
                atexit.register(self._stop_and_wait)

    def _leave(self, group: _Group, draw: _Draw) -> Usage:
        """Take a waiter out of its group; returns what it has to book."""
        with self._state:
            draw.left = True
            if draw.started:
                owed, self._owed = self._owed, Usage()
                return sum((one.take() for one in group.draws if one.left), owed)
            if draw in group.draws:
                group.draws.remove(draw)
            if not group.draws and self._open.get(group.turn) is group:
                del self._open[group.turn]
            return Usage()

    def _stop(self) -> threading.Thread | None:
        with self._state:
            self._closed = True
            self._state.notify()
            return self._thread

    def _stop_and_wait(self) -> None:
        thread = self._stop()
        if thread is not None:
            thread.join(10)

    # --- the engine's side

    def _work(self) -> None:
        server: Any = None
        while self._wait():
            fault: SolverError | None = None
            if server is None:
                # Groups stay open meanwhile, so that more draws can join the first request.
                server, fault = self._try_load()
            group = self._take()
            if group is None:
                continue
            try:
                if fault is not None:
                    raise fault
                self._serve(server, group)
            except SolverError as error:
                self._fail(group, error)
            except Exception as error:
                self._fail(group, BrokenReplyError(f"{self.model}: the engine failed: {error}"))
        del server
        atexit.unregister(self._stop_and_wait)
        with self._state:
            waiting = [draw for group in self._queue for draw in group.draws]
        for draw in waiting:
            self._fail_draw(draw, GiveUpError(f"{self.model} was shut down"))

    def _wait(self) -> bool:
        """Wait for something to do; False when there will be nothing more."""
        with self._state:
            while not self._queue and not self._closed:
                self._state.wait()
            return not self._closed

    def _take(self) -> _Group | None:
        """Take the first group and close it to newcomers; None if everybody has left it."""
        with self._state:
            group = self._queue.popleft()
            if self._open.get(group.turn) is group:
                del self._open[group.turn]
            return group if group.draws else None

    def _try_load(self) -> tuple[Any, SolverError | None]:
        try:
            return self._load(), None
        except SolverError as fault:
            return None, fault
        except Exception as error:
            return None, FixSetupError(f"{self.model} cannot be loaded: {error}")

    def _load(self) -> Any:
        path = checked_path(self.model, self._folder)
        # Threads that spin while they wait starve everything else on a small machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import xllamacpp
        except ModuleNotFoundError as error:
            raise MissingPackageError(INSTALL) from error
        except ImportError as error:
            raise FixSetupError(
                f"the engine of the embedded models cannot be loaded here: {error}"
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = self.context
        params.n_parallel = self._slots
        params.kv_unified = True  # the draws of one request keep their prompt once
        params.n_batch = 64  # the prompt is read in pieces of this size; a stop waits for one
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.cache_ram_mib = 0
        params.verbosity = -1
        # The engine opens a listener on the loopback that nobody shall use.
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [secrets.token_hex(32)]
        params.ui = False
        params.endpoint_slots = False
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise FixSetupError(
                f"the engine cannot load {path}: it is no GGUF model that it knows, or there is "
                "too little memory"
            ) from error

    def _serve(self, server: Any, group: _Group) -> None:
        with self._state:
            draws = [draw for draw in group.draws if not draw.left]
            for draw in draws:
                draw.spend()
        if draws:
            reading = _Reading(self, draws)
            self.busy = True
            try:
                server.handle_chat_completions(group.turn.request(len(draws)), reading)
            finally:
                self.busy = False
                with self._state:
                    self._owed = sum((draw.take() for draw in draws if draw.left), self._owed)
            if reading.fault is not None:
                raise reading.fault
            self._fail(group, BrokenReplyError(f"{self.model}: the engine ended its reply early"))

    def _fail(self, group: _Group, fault: SolverError) -> None:
        for draw in group.draws:
            if draw.finish is None:
                self._fail_draw(draw, fault)

    def _fail_draw(self, draw: _Draw, fault: SolverError) -> None:
        # A fault of its own for each, since raising one adds to its traceback.
        draw.fault = type(fault)(*fault.args)
        draw.fault.__cause__ = fault.__cause__
        draw.wake()

    def stopped(self) -> bool:
        return self._closed


class _Reading:
    """Takes the engine's stream apart, chunk by chunk; says True to make it stop."""

    def __init__(self, engine: Engine, draws: list[_Draw]) -> None:
        self.fault: SolverError | None = None
        self._engine = engine
        self._draws = draws
        self._ended: tuple[_Draw, Literal["stop", "length"]] | None = None

    def __call__(self, chunk: dict[str, Any]) -> bool:
        try:
            self._take(chunk)
        except Exception as error:
            self.fault = BrokenReplyError(f"{self._engine.model}: unknown reply: {error!r}")
        if self.fault is None and self._engine.stopped():
            self.fault = GiveUpError(f"{self._engine.model} was shut down")
        return self.fault is not None or all(draw.left or draw.finish for draw in self._draws)

    def _take(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            self.fault = _as_fault(self._engine.model, chunk["error"])
            return
        for choice in chunk["choices"]:
            draw = self._draws[choice["index"]]
            self._count(draw, chunk)
            draw.pieces.append(choice["delta"].get("content") or "")
            if choice["finish_reason"]:
                self._ended = draw, "stop" if choice["finish_reason"] == "stop" else "length"
        # The usage of a choice follows right behind its end.
        if (usage := chunk.get("usage")) and self._ended:
            draw, finish = self._ended
            self._ended = None
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            self._spend(draw, usage["prompt_tokens"], cached, usage["completion_tokens"])
            draw.finish = finish
            draw.wake()

    def _count(self, draw: _Draw, chunk: dict[str, Any]) -> None:
        if progress := chunk.get("prompt_progress"):
            self._spend(draw, progress["processed"], progress["cache"])
        elif timings := chunk.get("timings"):
            prompt = timings["cache_n"] + timings["prompt_n"]
            self._spend(draw, prompt, timings["cache_n"], timings["predicted_n"])

    def _spend(self, draw: _Draw, prompt: int, cached: int, written: int = 0) -> None:
        """Note what a draw has cost; only the first had the prompt read, for all of them."""
        cached = min(prompt, cached) if draw is self._draws[0] else prompt
        draw.spend(prompt=prompt, cached=cached, written=written)


def _minus(usage: Usage, before: Usage) -> Usage:
    return Usage(**{name: now - getattr(before, name) for name, now in asdict(usage).items()})


def _as_fault(model: str, error: Mapping[str, Any]) -> SolverError:
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return ContextOverflowError(
            f"the problem takes {error.get('n_prompt_tokens')} tokens, and the context of {model} "
            f"holds {error.get('n_ctx')}; shorten it or use a solver with a larger context"
        )
    if "context size" in message.lower():
        return ContextOverflowError(f"{model}: {message}")
    return BrokenReplyError(f"{model}: the engine refused: {message}")


def prompt_bound(*texts: str) -> int:
    """An upper bound of the tokens of a prompt: no token is shorter than a byte."""
    return sum(len(text.encode()) for text in texts) + _TEMPLATE_TOKENS
