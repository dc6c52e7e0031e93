"""How things stand with a provider's model before it is asked anything.

The entries of the apis anthropic, openai and chat only: `is_provided` says which those are.
"""

from __future__ import annotations

from datetime import date
from importlib import import_module
from types import ModuleType

import anyio
import anyio.to_thread

from solvers.access import Options, connect, endpoint
from solvers.endpoint import Endpoint
from solvers.errors import SolverError
from solvers.facts import provider
from solvers.faults import translate
from solvers.registry import SolverSpec, read_options

_CLIENTS = {
    "anthropic": ("anthropic", "AsyncAnthropic"),
    "openai": ("openai", "AsyncOpenAI"),
    "chat": ("openai", "AsyncOpenAI"),
}


def is_provided(spec: SolverSpec) -> bool:
    """Whether a provider serves the model of this entry."""
    return spec.api in _CLIENTS


def where(spec: SolverSpec) -> Endpoint:
    """Where the model is.

    Raises:
        FixSetupError: the entry lacks a model or a key, or its address cannot be one.
    """
    return endpoint(spec, read_options(spec, Options))


def key_name(spec: SolverSpec) -> str | None:
    """The environment variable that holds the key of an entry, if it needs one."""
    return read_options(spec, Options).key_env or provider(spec.api).key_env


def retires(spec: SolverSpec) -> date | None:
    """The day that the provider has announced as the model's last; None where none is known."""
    return read_options(spec, Options).facts(spec).retires


async def served(spec: SolverSpec, *, seconds: float = 15.0) -> frozenset[str]:
    """Ask the provider of an entry for the names of its models. Costs nothing.

    Raises:
        SolverError: it cannot be reached or does not accept the key; the message says which.
        TimeoutError: it did not answer in time.
    """
    at = where(spec)
    package, name = _CLIENTS[spec.api]
    sdk: ModuleType = await anyio.to_thread.run_sync(import_module, package)
    client = connect(sdk, name, at, seconds)
    try:
        with anyio.fail_after(seconds):
            return frozenset([one.id async for one in client.models.list()])
    except (TimeoutError, SolverError):
        raise
    except Exception as error:
        raise translate(error, sdk, at)[0] from error
    finally:
        with anyio.CancelScope(shield=True):
            await client.close()
