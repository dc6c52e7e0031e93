"""Waiting and trying again: who waits, how long, and when it is given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from providing import Time, lane
from support import WAIT

from solvers.errors import (
    ConnectionLostError,
    FixRequestError,
    OverloadedError,
    RateLimitedError,
    RetryLaterError,
    SolverError,
)
from solvers.retry import ABSURD_SECONDS, LONGEST_COOL_DOWN, Backoff, read_retry_after
from solvers.types import Slots

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def failing(*errors: SolverError) -> Callable[[], Awaitable[str]]:
    """An attempt that raises these in turn, and then succeeds."""
    left = list(errors)

    async def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


def limited(seconds: float | None = None) -> RateLimitedError:
    return RateLimitedError("slow down", retry_after=seconds)


async def test_what_may_pass_is_tried_again() -> None:
    time = Time()
    attempt = failing(limited(), OverloadedError("busy"), ConnectionLostError("broke"))
    assert await lane(time).run(attempt, Backoff()) == "done"
    assert len(time.slept) >= 3


async def test_what_cannot_pass_is_not_tried_again() -> None:
    time = Time()
    with pytest.raises(FixRequestError):
        await lane(time).run(failing(FixRequestError("wrong")), Backoff())
    assert time.slept == []


async def test_the_last_attempt_is_not_waited_after() -> None:
    time = Time()
    with pytest.raises(OverloadedError):
        await lane(time).run(
            failing(OverloadedError("1"), OverloadedError("2")), Backoff(attempts=2)
        )
    assert len(time.slept) == 1


async def test_a_caller_can_forbid_another_attempt() -> None:
    time = Time()
    with pytest.raises(OverloadedError):
        await lane(time).run(failing(OverloadedError("1")), Backoff(), repeatable=lambda: False)
    assert time.slept == []


async def test_a_wait_past_the_deadline_is_not_begun() -> None:
    time = Time()
    with pytest.raises(RateLimitedError):
        await lane(time).run(failing(limited(30)), Backoff(), deadline=30)
    assert time.slept == []


async def test_one_rate_limit_holds_all_calls_of_its_provider_back() -> None:
    time = Time()
    shared = lane(time)
    with pytest.raises(RateLimitedError):
        await shared.run(failing(limited(20)), Backoff(attempts=1))
    assert await shared.run(failing(), Backoff()) == "done"
    assert time.now >= 20


async def test_a_call_that_is_held_back_past_its_deadline_fails_at_once() -> None:
    time = Time()
    shared = lane(time)
    with pytest.raises(RateLimitedError):
        await shared.run(failing(limited(20)), Backoff(attempts=1))
    with pytest.raises(RateLimitedError, match="past the time limit"):
        await shared.run(failing(), Backoff(), deadline=10)
    assert time.slept == []


async def test_a_call_that_is_held_back_is_not_held_past_its_deadline() -> None:
    time = Time()
    shared = lane(time)
    with pytest.raises(RateLimitedError):
        await shared.run(failing(limited(20)), Backoff(attempts=1))
    assert await shared.run(failing(), Backoff(), deadline=20.3) == "done"
    assert 20 <= time.now <= 20.3


async def test_a_call_in_line_is_held_back_by_what_befalls_those_before_it() -> None:
    time = Time()
    shared = lane(time, parallel=1)
    on_wire, leave = anyio.Event(), anyio.Event()

    async def limit() -> None:
        on_wire.set()
        await leave.wait()
        raise limited(20)

    async def first() -> None:
        with pytest.raises(RateLimitedError):
            await shared.run(limit, Backoff(attempts=1))

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await on_wire.wait()
            tasks.start_soon(shared.run, failing(), Backoff())
            await anyio.wait_all_tasks_blocked()
            leave.set()
    assert time.now >= 20


async def test_a_broken_connection_holds_no_other_call_back() -> None:
    time = Time()
    shared = lane(time)
    with pytest.raises(ConnectionLostError):
        await shared.run(failing(ConnectionLostError("broke")), Backoff(attempts=1))
    assert await shared.run(failing(), Backoff()) == "done"
    assert time.slept == []


async def test_a_very_long_pause_is_tried_by_others_after_a_while() -> None:
    time = Time()
    shared = lane(time)
    with pytest.raises(RateLimitedError):
        await shared.run(failing(limited(80_000)), Backoff(attempts=1))
    await shared.run(failing(), Backoff())
    assert LONGEST_COOL_DOWN <= time.now < LONGEST_COOL_DOWN + 1


async def test_only_so_many_calls_are_on_the_wire() -> None:
    shared = lane(Time(), parallel=2)
    working, most = 0, 0

    async def attempt() -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        working -= 1

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(shared.run, attempt, Backoff())
    assert most == 2


async def test_a_call_that_waits_holds_neither_its_slot_nor_its_place() -> None:
    slots = Slots(1)
    asleep, worked = anyio.Event(), anyio.Event()
    time = Time()
    shared = lane(time, parallel=1, slots=slots)

    async def rest(seconds: float) -> None:
        asleep.set()
        await worked.wait()

    time.sleep = rest  # type: ignore[method-assign]
    shared = lane(time, parallel=1, slots=slots)

    async def sleeper() -> None:
        async with slots.held():
            await shared.run(failing(OverloadedError("busy")), Backoff())

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper)
            await asleep.wait()
            async with slots.held():
                assert await shared.run(failing(), Backoff()) == "done"
            worked.set()


async def test_a_call_in_line_for_the_wire_lets_other_providers_work() -> None:
    slots = Slots(2)
    on_wire, leave = anyio.Event(), anyio.Event()
    busy, free = lane(Time(), parallel=1, slots=slots), lane(Time(), slots=slots)

    async def stay() -> None:
        on_wire.set()
        await leave.wait()

    async def call(attempt: Callable[[], Awaitable[object]]) -> None:
        async with slots.held():
            await busy.run(attempt, Backoff())

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, stay)
            await on_wire.wait()
            tasks.start_soon(call, failing())
            async with slots.held():
                assert await free.run(failing(), Backoff()) == "done"
            leave.set()


async def test_a_call_cancelled_in_line_leaves_its_place_to_others() -> None:
    slots = Slots(1)
    on_wire, leave = anyio.Event(), anyio.Event()
    shared = lane(Time(), parallel=1, slots=slots)

    async def stay() -> None:
        on_wire.set()
        await leave.wait()

    async def cancelled(scope: anyio.CancelScope) -> None:
        with scope:
            async with slots.held():
                await shared.run(failing(), Backoff())

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shared.run, stay, Backoff())
            await on_wire.wait()
            scope = anyio.CancelScope()
            tasks.start_soon(cancelled, scope)
            await anyio.wait_all_tasks_blocked()
            async with slots.held():  # so that it gets its place, but no slot to go on with
                leave.set()
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert await shared.run(failing(), Backoff()) == "done"


errors = st.one_of(
    st.builds(limited, st.none() | st.floats(0, 100)),
    st.builds(lambda s: OverloadedError("busy", retry_after=s), st.none() | st.floats(0, 100)),
)


@given(st.lists(errors, max_size=8), st.floats(0, 200), st.integers(1, 6))
async def test_no_wait_goes_past_the_deadline_and_none_is_shorter_than_asked(
    faults: list[RetryLaterError], deadline: float, attempts: int
) -> None:
    time = Time()
    began: list[float] = []
    left = list(faults)

    async def attempt() -> None:
        began.append(time.now)
        if left:
            raise left.pop(0)

    try:
        await lane(time).run(attempt, Backoff(attempts=attempts), deadline=deadline)
    except RetryLaterError:
        pass
    assert time.now <= deadline
    assert len(began) <= attempts
    for fault, first, second in zip(faults, began, began[1:], strict=False):
        assert second - first >= (fault.retry_after or 0) - 1e-9


@given(st.integers(1, 20), st.none() | st.floats(0, 1_000), st.integers())
def test_a_wait_is_bounded_on_both_sides(failed: int, asked: float | None, seed: int) -> None:
    backoff = Backoff()
    wait = backoff.wait(failed, asked, Random(seed))
    assert (asked or 0) <= wait <= (asked or 0) + backoff.most


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0.5", 0.5),
        (str(ABSURD_SECONDS), ABSURD_SECONDS),
        ("999999999", None),
        ("1e400", None),
        ("nan", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7.0),
        (format_datetime(NOW - timedelta(seconds=7), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=700), usegmt=True), None),
        ("Sat, 21 Nov 2026 12:00:05 -0000", 5.0),
    ],
)
def test_a_header_is_believed_where_it_makes_sense(
    header: str | None, seconds: float | None
) -> None:
    assert read_retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_can_break_us(header: str) -> None:
    seconds = read_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= ABSURD_SECONDS
