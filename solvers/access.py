"""How a roster entry reaches a provider: its options, the address, the key, what is shared.

Options of the apis anthropic, openai and chat:

    key_env      the environment variable that holds the key (chat: none unless given)
    base_url     the address, if not the maker's own
    parallel     calls on the wire at once, for all entries of this provider (32)
    attempts     how often a call is tried that fails with what may pass (5), but no more
                 than twice where a failed attempt may have been billed
    timeout      seconds without a byte after which a reply is given up (600)
    price        dollars per million tokens: {input, output, cached, cache_write}
    max_tokens   the most tokens of a reply, thought included, by effort
    context, output, efforts, images      what the model can do, over what we know of it
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from types import ModuleType
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from solvers.endpoint import Endpoint
from solvers.errors import AuthenticationError, FixSetupError
from solvers.facts import Facts, Level, facts_of, provider
from solvers.offer import Offer
from solvers.pricing import Price, list_price, pricer
from solvers.prompted import PromptedSolver
from solvers.provided import ProvidedModel, Wire
from solvers.registry import SolverSpec, read_options
from solvers.retry import Backoff, Lane
from solvers.roster import is_set
from solvers.types import EFFORTS, Effort, Shared

log = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
"""Long enough for a burst of new connections on a busy machine."""

Tokens = Annotated[int, Field(ge=16, le=10_000_000)]


class Options(BaseModel):
    """What a roster entry can say beside its model."""

    model_config = ConfigDict(extra="forbid")

    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    base_url: str | None = None
    parallel: int = Field(default=32, ge=1, le=1_000)
    attempts: int = Field(default=5, ge=1, le=20)
    timeout: float = Field(default=600.0, gt=0, le=86_400)
    price: Price | None = None
    max_tokens: dict[Effort, Tokens] | None = None
    context: Tokens | None = None
    output: Tokens | None = None
    efforts: tuple[Level, ...] | None = None
    images: bool | None = None

    def facts(self, spec: SolverSpec) -> Facts:
        overrides = self.model_dump(
            include={"max_tokens", "context", "output", "efforts", "images"}, exclude_none=True
        )
        return facts_of(spec.api, spec.model, overrides)


@dataclass(slots=True)
class _Client:
    """An SDK's client, closed with what is shared."""

    client: Any

    async def aclose(self) -> None:
        await self.client.close()


def missing(spec: SolverSpec) -> str | None:
    """Say what the set-up lacks: a key, a model, a sensible address. Imports no SDK."""
    options = read_options(spec, Options)
    try:
        endpoint(spec, options)
    except FixSetupError as error:
        return str(error)
    return None


def notices(spec: SolverSpec, today: date) -> tuple[str, ...]:
    """What the user should know of the model of this entry, in sentences."""
    return read_options(spec, Options).facts(spec).notices(today)


def offer(spec: SolverSpec) -> Offer:
    """The list price and the abilities of the model of this entry. Loads the price list."""
    options = read_options(spec, Options)
    facts = options.facts(spec)
    address = options.base_url or provider(spec.api).base_url or ""
    price = pricer(spec.model, own=options.price, api=spec.api, base_url=address)
    return Offer(
        price=list_price(price),
        images=facts.images,
        efforts={effort: facts.effort(effort) for effort in EFFORTS},
    )


def build_model(
    spec: SolverSpec,
    shared: Shared,
    sdk: Callable[[], ModuleType],
    client_class: str,
    wire: Callable[[Any, Endpoint], Wire],
) -> ProvidedModel:
    """Make the model of a roster entry. Imports the SDK, so call it off the loop; no network.

    Raises:
        FixSetupError: the entry lacks a model or a key, its address cannot be one, or live
            calls are switched off.
    """
    options = read_options(spec, Options)
    at = endpoint(spec, options)
    if not at.is_local:
        shared.require_live(f"solver {spec.name!r} calls {at.base_url}")
    facts = options.facts(spec)
    client = shared.once(
        ("client", at.api, at.base_url, at.key, options.timeout),
        lambda: _Client(connect(sdk(), client_class, at, options.timeout)),
    ).client
    lane = shared.once(
        ("lane", at.api, at.base_url, at.key), lambda: Lane(options.parallel, shared.slots)
    )
    for notice in notices(spec, datetime.now(UTC).date()):
        log.info("solver %s: %s", spec.name, notice)
    return ProvidedModel(
        wire(client, at),
        facts=facts,
        price=pricer(spec.model, own=options.price, api=at.api, base_url=at.base_url),
        lane=lane,
        backoff=Backoff(attempts=options.attempts),
        max_seconds=spec.max_seconds,
    )


def solver_of(model: ProvidedModel, spec: SolverSpec) -> PromptedSolver:
    """The solver that asks this model."""
    limits = {effort: model.facts.limit(effort) for effort in model.facts.max_tokens}
    return PromptedSolver(model, limits=limits, max_seconds=spec.max_seconds)


def connect(sdk: ModuleType, client_class: str, at: Endpoint, timeout: float) -> Any:
    """Make an SDK's client; nothing is sent."""
    import httpx2

    # The transport of aiohttp takes half the processor time, where it is installed.
    quick = find_spec("aiohttp") is not None
    return getattr(sdk, client_class)(
        api_key=at.key or "none",
        base_url=at.base_url,
        max_retries=0,
        timeout=httpx2.Timeout(timeout, connect=CONNECT_SECONDS),
        http_client=sdk.DefaultAioHttpClient() if quick else None,
    )


def endpoint(spec: SolverSpec, options: Options) -> Endpoint:
    """Where an entry's model is.

    Raises:
        FixSetupError: the entry lacks a model or a key, or its address cannot be one.
    """
    known = provider(spec.api)
    if not spec.model:
        raise FixSetupError(f"solver {spec.name!r} needs a model: the id that the provider uses")
    key_env = options.key_env or known.key_env
    key = (os.environ.get(key_env, "") if key_env else "").strip()
    if key_env and not is_set(key):
        raise AuthenticationError(
            f"solver {spec.name!r} needs a key: set the environment variable {key_env}"
        )
    return Endpoint(
        api=spec.api,
        model=spec.model,
        base_url=_address(spec, options.base_url or known.base_url),
        key_env=key_env,
        key=key,
    )


def _address(spec: SolverSpec, given: str | None) -> str:
    if not given:
        raise FixSetupError(
            f"solver {spec.name!r} needs the option base_url, such as http://localhost:11434/v1"
        )
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise FixSetupError(
            f"solver {spec.name!r}: base_url {given!r} is no address; "
            "it starts with http:// or https://"
        )
    path = parts.path.rstrip("/")
    if spec.api == "anthropic" and path.endswith("/v1"):
        raise FixSetupError(
            f"solver {spec.name!r}: base_url {given!r} must not end in /v1; it is added"
        )
    if spec.api != "anthropic" and not path:
        raise FixSetupError(
            f"solver {spec.name!r}: base_url {given!r} lacks a path; "
            f"did you mean {given.rstrip('/')}/v1?"
        )
    return given.rstrip("/")
