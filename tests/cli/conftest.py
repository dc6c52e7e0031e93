"""A shell of one's own, and a store with something in it."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from shell import QuickShell, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return QuickShell(tmp_path)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run, and the folder with its store."""
    shell = QuickShell(tmp_path_factory.mktemp("recorded"))
    voting = ("--in-process", "--orchestrator", "vote:3")
    return shell.folder, shell.json("ask", "What is 6 × 7?", *voting)


@pytest.fixture
def asked(shell: Shell, recorded: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """A run that is in the store."""
    folder, found = recorded
    copytree(folder, shell.folder, dirs_exist_ok=True)
    return found
