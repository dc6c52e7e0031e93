"""Where episodes are replayed: the cores of this machine, or another backend of joblib."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, cast

from atlas_mcp.core.errors import SetupError

Context = AbstractContextManager[Any]


def on_cores(jobs: int) -> Any:
    """A joblib configuration with so many processes, -1 for one a core.

    They leave Ctrl-C to the process that they work for, which ends them.
    """
    import joblib

    return joblib.parallel_config(backend="loky", n_jobs=jobs, initializer=_deaf)


def _deaf() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def on_backend(name: str, jobs: int) -> Iterator[None]:
    """A joblib configuration with a backend of that name.

    Ray and Dask say themselves which cluster that is: the one of RAY_ADDRESS or of
    DASK_SCHEDULER_ADDRESS, or else one on this machine for as long as the block lasts.

    Raises:
        SetupError: joblib has no such backend, or what it needs is not installed or not there.
    """
    import joblib

    with ExitStack() as stack:
        try:
            stack.enter_context(_cluster(name))
            stack.enter_context(joblib.parallel_config(backend=name, n_jobs=jobs))
        except (ImportError, KeyError, ValueError, OSError) as error:
            raise SetupError(
                f"joblib cannot use the backend {name!r} here ({error}): for ray or dask, "
                "pip install 'ray' or 'dask[distributed]'; name none to work on the cores of this "
                "machine"
            ) from error
        yield


def _cluster(name: str) -> Context:
    """What must be there while a backend of joblib works: a client of the cluster, if any."""
    if name == "dask":
        from dask import config
        from distributed import Client

        there = config.get("scheduler-address", None)
        return cast(Context, Client() if there else Client(dashboard_address=None))
    if name == "ray":
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        return cast(Context, ray.init(log_to_driver=False))
    return nullcontext()
