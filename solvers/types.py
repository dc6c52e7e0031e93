"""What goes into a solver and what comes out of it.

A *solver* attempts one problem once, from scratch. It is given a `SolveRequest`
and a `Meter`, and returns a `SolveResult` or raises a `solvers.errors.SolverError`.
`SolveRequest` has no field through which an earlier attempt could reach a solver:
independence is a property of the type, not of good behaviour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast, get_args

import anyio

from solvers.errors import FixSetupError
from solvers.worktime import WorkTime

Effort = Literal["low", "medium", "high", "max"]
AnswerKind = Literal["auto", "choice", "number", "math", "code", "text"]
AnswerForm = Literal["structured", "expression"]
ResultStatus = Literal["ok", "unparsed", "truncated", "refused"]

EFFORTS: tuple[Effort, ...] = get_args(Effort)
ANSWER_KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that belongs to a problem, such as an image."""

    media_type: str
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveRequest:
    """One fresh attempt at a problem.

    `system` and `prompt` are ready to send: a strategy has rendered them from the
    problem and the instruction alone. The other fields say the same in parts, for
    solvers that look an answer up instead of writing one.
    """

    problem: str
    system: str
    prompt: str
    attachments: tuple[Attachment, ...] = ()
    answer_kind: AnswerKind = "auto"
    form: AnswerForm = "structured"
    effort: Effort = "medium"
    strategy: str = "direct"
    instruction: str | None = None
    draw: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveResult:
    """What one attempt produced.

    `answer` is None unless `status` is "ok". `reasoning` is a summary, `text` is all
    that the model wrote, repairs included. `confidence` is the model's own word, from
    0 to 1; None means that it gave none.
    """

    status: ResultStatus
    model: str
    answer: str | None = None
    approach: str | None = None
    reasoning: str | None = None
    confidence: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and wire requests of one or more attempts. None means unknown, never zero.

    `input_tokens` counts the whole prompt: what was read from a provider's cache
    (`cached_tokens`) and what was written to it (`cache_write_tokens`) are parts of it.
    `output_tokens` includes reasoning tokens.
    """

    requests: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    reasoning_tokens: int | None = 0

    @property
    def total_tokens(self) -> int | None:
        return plus(self.input_tokens, self.output_tokens)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=plus(self.input_tokens, other.input_tokens),
            output_tokens=plus(self.output_tokens, other.output_tokens),
            cached_tokens=plus(self.cached_tokens, other.cached_tokens),
            cache_write_tokens=plus(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens=plus(self.reasoning_tokens, other.reasoning_tokens),
        )


Number = TypeVar("Number", int, float)
T = TypeVar("T")


def plus(a: Number | None, b: Number | None) -> Number | None:
    """Add two amounts of which either may be unknown; the sum is then unknown too."""
    return None if a is None or b is None else a + b


UNKNOWN_USAGE = Usage(
    requests=1,
    input_tokens=None,
    output_tokens=None,
    cached_tokens=None,
    cache_write_tokens=None,
    reasoning_tokens=None,
)


@dataclass(slots=True)
class Meter:
    """Counts what one call spends, at the moment it is spent.

    A solver books every wire request here, also those that failed, were repaired or
    were cut off, and does so in a `finally` when it is cancelled. So the account stays
    right whatever becomes of the result.
    """

    usage: Usage = field(default_factory=Usage)
    usd: float | None = 0.0

    def spend(self, usage: Usage, usd: float | None) -> None:
        """Book one or more wire requests. `usd` is None where the price is unknown."""
        self.usage += usage
        self.usd = plus(self.usd, usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """The most that one call can spend. None means that no bound is known."""

    tokens: int | None
    usd: float | None
    seconds: float


class Solver(Protocol):
    """Attempts problems. Both methods may be called again and concurrently.

    The same request may give another answer each time: `request.draw` numbers the
    independent samples, and a solver must not carry anything from one to the next.
    """

    def worst_case(self, request: SolveRequest) -> WorstCase:
        """Bound the cost of `solve(request)`, repairs included. Pure and quick."""
        ...

    async def solve(self, request: SolveRequest, meter: Meter) -> SolveResult:
        """Attempt the problem once.

        Raises:
            SolverError: the attempt failed; what it spent is on the meter all the same.
        """
        ...


_ANY = 2**31


@dataclass(slots=True)
class _Slot:
    time: WorkTime = field(default_factory=WorkTime)
    held: bool = True


class Slots:
    """How many calls may work at the same time; None is any number."""

    def __init__(self, total: int | None) -> None:
        self._free = anyio.Semaphore(_ANY if total is None else total)
        self._mine: ContextVar[_Slot | None] = ContextVar("slot", default=None)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[WorkTime]:
        """Hold a slot, waiting for one if need be, and time the work."""
        await self._free.acquire()
        slot = _Slot()
        before = self._mine.set(slot)
        try:
            yield slot.time
        finally:
            self._mine.reset(before)
            if slot.held:
                self._free.release()

    @asynccontextmanager
    async def put_down(self) -> AsyncIterator[None]:
        """Give up the slot that this call holds, and take one again at the end.

        Until then the call is not at work: its time stands still. A call that holds no slot
        is not affected. One that fails or is cancelled here does not wait for a slot again.
        """
        slot = self._mine.get()
        if slot is None or not slot.held:
            yield
            return
        slot.held = False
        self._free.release()
        with slot.time.paused():
            yield
            await self._free.acquire()
        slot.held = True


class Shared:
    """What the solvers of one process share: loaded engines, clients, cool-downs, slots.

    Objects are made at first use and closed together, newest first. A call holds one of the
    `slots` while it works; a solver that sleeps before it tries again does so under
    `slots.put_down()`, so that another call can work meanwhile. Where `live` is False, no
    solver may be made that would call out of this machine and may cost money.
    """

    def __init__(self, slots: Slots | None = None, *, live: bool = True) -> None:
        self.slots = slots or Slots(None)
        self.live = live
        self._made: dict[Hashable, object] = {}

    def require_live(self, what: str) -> None:
        """Let a solver be made that calls out.

        Raises:
            FixSetupError: such calls are switched off.
        """
        if not self.live:
            raise FixSetupError(
                f"{what}, and live calls are switched off: ATLAS_ALLOW_LIVE_CALLS=true allows them"
            )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object under `key`, making it with `make` if it is not there yet."""
        if key not in self._made:
            self._made[key] = make()
        return cast(T, self._made[key])

    async def aclose(self) -> None:
        """Close everything that has an `aclose` method."""
        while self._made:
            _, made = self._made.popitem()
            aclose: Any = getattr(made, "aclose", None)
            if aclose is not None:
                await aclose()
