"""What tests of providers share: time that passes without waiting, and entries for a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from random import Random
from typing import Any, TypeVar

import anyio
from anyio.from_thread import start_blocking_portal
from anyio.lowlevel import checkpoint

from solvers import registry
from solvers.fake import Provider
from solvers.model import LanguageModel
from solvers.registry import SolverSpec
from solvers.retry import Lane
from solvers.types import Shared, Slots, Solver, SolveRequest

APIS = ("anthropic", "openai", "chat")
KEY_ENV = "TEST_PROVIDER_KEY"
KEY = "test-key-0123456789"
MODEL = "smollm2-135m"
"""The smallest of the embedded models."""
PRICE = {"input": 1.0, "output": 10.0}


class Time:
    """A clock that only sleeping moves, so that waits are known and take no time."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        await checkpoint()
        self.now = max(self.now, until)


def lane(time: Time, *, parallel: int = 32, slots: Slots | None = None) -> Lane:
    return Lane(
        parallel, slots or Slots(None), clock=time.clock, sleep=time.sleep, random=Random(1)
    )


def spec_of(api: str, url: str, model: str = "m", **options: Any) -> SolverSpec:
    """A roster entry for a fake at this address."""
    base_url = url if api == "anthropic" else f"{url}/v1"
    given = {"base_url": base_url, "key_env": KEY_ENV, "price": PRICE, "timeout": 0.5, **options}
    return SolverSpec(name=api, api=api, model=model, options=given)


def pass_time(time: Time, spec: SolverSpec, shared: Shared) -> None:
    """Let the calls of an entry's provider wait by this clock."""
    key = ("lane", spec.api, spec.options["base_url"], KEY)
    shared.once(key, lambda: lane(time, slots=shared.slots))


class Access:
    """Solvers and models of one fake, which wait without taking time."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.shared = Shared()
        self.time = Time()

    def solver(self, api: str, model: str = "m", **options: Any) -> Solver:
        return registry.build(self._spec(api, model, options), self.shared)

    def model(self, api: str, model: str = "m", **options: Any) -> LanguageModel:
        return registry.build_model(self._spec(api, model, options), self.shared)

    def _spec(self, api: str, model: str, options: dict[str, Any]) -> SolverSpec:
        spec = spec_of(api, self.provider.url, model, **options)
        pass_time(self.time, spec, self.shared)
        return spec


Serve = Callable[..., AbstractAsyncContextManager[Access]]


@asynccontextmanager
async def access_to(provider: Provider) -> AsyncIterator[Access]:
    """Open access to a fake, and close its clients."""
    access = Access(provider)
    try:
        yield access
    finally:
        with anyio.CancelScope(shield=True):
            await access.shared.aclose()


T = TypeVar("T")


@contextmanager
def beside(opened: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Open it in a thread with a loop of its own, for tests and commands that are not async."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened) as made:
        yield made


def ask(prompt: str = "What is 6 × 7?", **more: Any) -> SolveRequest:
    return SolveRequest(problem=prompt, system="Solve it.", prompt=prompt, **more)
