"""The same replay on a cluster: one that is there already, and one that is started for it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from discovering import written
from shell import Shell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the clusters are tried on Linux alone"),
]

PACKAGES = {"dask": "distributed", "ray": "ray"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    written(tmp_path / "pool")
    return Shell(tmp_path)


def scores(shell: Shell, *more: str) -> Any:
    how = ("--seeds", "45", "--controller", "momentum:0.5", "--controller", "short:0.5")
    return shell.json("replay", "evaluate", "--pool", str(shell.folder / "pool"), *how, *more)


@pytest.mark.parametrize("backend", PACKAGES)
def test_a_cluster_that_is_started_for_it_gives_the_same(shell: Shell, backend: str) -> None:
    pytest.importorskip(PACKAGES[backend])
    assert scores(shell, "--backend", backend, "--jobs", "2") == scores(shell, "--jobs", "1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dask_cluster_that_is_there_does_the_work(shell: Shell) -> None:
    pytest.importorskip("distributed")
    cluster = import_module("distributed").LocalCluster
    with cluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
        shell.env["DASK_SCHEDULER_ADDRESS"] = found.scheduler_address
        assert scores(shell, "--backend", "dask") == scores(shell, "--jobs", "1")
        assert found.scheduler.transition_counter > 0
