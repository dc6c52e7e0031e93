"""The fake provider as a running server on loopback."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

import anyio
from anyio.abc import SocketAttribute, SocketStream

from solvers.fake.accuracy import Accurate
from solvers.fake.delivery import as_json, deliver
from solvers.fake.exchange import Said, Script
from solvers.fake.faults import BEFORE_HEADERS
from solvers.fake.journal import Journal, Outcome, Seen
from solvers.fake.latency import Latency
from solvers.fake.models import Model
from solvers.fake.quota import Quota
from solvers.fake.script import as_script
from solvers.fake.service import Plan, Service
from solvers.fake.wire import BadRequest, ClientLeft, Request, Wire

KEY = "fake-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A running fake: where it is, and what it has seen."""

    url: str
    journal: Journal

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that send both SDKs here."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": KEY,
        }


@asynccontextmanager
async def fake_provider(
    script: Script | Sequence[Said] | Said | None = None,
    *,
    latency: float | Latency = 0.0,
    seed: int = 0,
    models: Mapping[str, Model] | None = None,
    quota: Quota | None = None,
    needs_key: bool = True,
    keep: int | None = None,
    port: int = 0,
) -> AsyncIterator[Provider]:
    """Serve the APIs of Anthropic and OpenAI on loopback while the block runs.

    `script` is what models say: one thing, a list that is said in turn, again and again,
    or a callable, plain or async, which is given each request; without one, every answer is
    right. A script that is awaited may wait for events of the same loop, so a test can hold
    a reply back; what a script raises ends the block. `latency` is in seconds. `models` are
    those that there are, None for any; the `quota` is one model's. The journal holds the
    bodies of the newest `keep` requests, or of all. The port 0 stands for any free one.

    A program without a loop uses `anyio.from_thread.start_blocking_portal()` and its
    `wrap_async_context_manager`.
    """
    service = Service(
        as_script(Accurate(seed=seed) if script is None else script),
        Journal(keep=keep),
        models=models,
        quota=quota or Quota(),
        needs_key=needs_key,
        now=anyio.current_time,
    )
    pace = latency if isinstance(latency, Latency) else Latency(median=latency)
    server = _Server(service, pace, seed)
    failure: BaseException | None = None
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.serve)
            try:
                yield Provider(url=f"http://127.0.0.1:{port}", journal=service.journal)
            except (anyio.get_cancelled_exc_class(), GeneratorExit):
                raise
            except BaseException as error:  # leaves as it came, not in the group of the tasks
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def nobody() -> str:
    """A URL on loopback where connections are refused, since nobody listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


class _Server:
    """Holds the conversations of HTTP, one task for each connection."""

    def __init__(self, service: Service, latency: Latency, seed: int) -> None:
        self._service = service
        self._latency = latency
        self._seed = seed
        self._begun = anyio.current_time()

    async def serve(self, stream: SocketStream) -> None:
        """Answer the requests of one connection until either side ends it."""
        wire = Wire(stream)
        async with stream:
            with suppress(ClientLeft):
                try:
                    while (request := await wire.request()) is not None:
                        if not await self._answer(wire, request):
                            break
                except BadRequest as error:
                    await deliver(wire, as_json({"error": str(error)}, 400))
                await wire.close()

    async def _answer(self, wire: Wire, request: Request) -> bool:
        """Answer one request; whether the connection can take another one."""
        journal = self._service.journal
        seen = journal.begin(request.method, request.path, request.headers, self._now())
        try:
            plan = await self._service.answer(request, seen, wire.attending)
            if seen.api:
                await wire.pause(self._latency.first(Random(f"{self._seed}:{seen.number}")))
            await self._deliver(wire, plan, seen)
        except ClientLeft:
            journal.end(seen, "client left", self._now())
            raise
        finally:
            journal.end(seen, "stopped", self._now())
        return plan.breaks is None and request.headers.get("connection") != "close"

    async def _deliver(self, wire: Wire, plan: Plan, seen: Seen) -> None:
        def finishing() -> None:
            if plan.breaks is None:
                seen.usage = plan.usage
            outcome: Outcome = "broken" if plan.breaks else "answered"
            self._service.journal.end(seen, outcome, self._now())

        if plan.breaks not in BEFORE_HEADERS:
            seen.status, seen.usage = plan.response.status, plan.early
        await deliver(
            wire,
            plan.response,
            plan.breaks,
            between=self._latency.between,
            finishing=finishing,
        )

    def _now(self) -> float:
        return anyio.current_time() - self._begun
