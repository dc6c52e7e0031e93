"""A shell of one's own, and a store with something in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def asked(shell: Shell) -> dict[str, Any]:
    """A run that is in the store."""
    found: dict[str, Any] = shell.json("ask", "What is 6 × 7?", "--orchestrator", "vote:3")
    return found
