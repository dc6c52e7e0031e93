"""Slots bound how many calls work at once, and a call that sleeps gives its own up."""

from __future__ import annotations

import anyio
import pytest
from support import WAIT

from solvers.types import Slots

pytestmark = pytest.mark.anyio


async def test_a_call_that_sleeps_lets_another_one_work() -> None:
    slots = Slots(1)
    asleep, worked = anyio.Event(), anyio.Event()

    async def sleeper() -> None:
        async with slots.held(), slots.put_down():
            asleep.set()
            await worked.wait()

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper)
            await asleep.wait()
            async with slots.held():
                worked.set()


async def test_a_call_cancelled_in_its_sleep_does_not_wait_for_a_slot() -> None:
    slots = Slots(1)
    asleep, ended = anyio.Event(), anyio.Event()

    async def sleeper(scope: anyio.CancelScope) -> None:
        with scope:
            async with slots.held(), slots.put_down():
                asleep.set()
                await anyio.sleep_forever()
        ended.set()

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(sleeper, scope)
            await asleep.wait()
            async with slots.held():
                scope.cancel()
                await ended.wait()
        async with slots.held():  # and the slot it gave up is still one slot
            with anyio.move_on_after(0) as second:
                async with slots.held():
                    pass
            assert second.cancelled_caught


async def test_a_call_without_a_slot_has_none_to_put_down() -> None:
    async with Slots(1).put_down():
        pass
