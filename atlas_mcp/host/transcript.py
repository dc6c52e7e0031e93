"""Runs on disk: one JSON file each, complete enough to see what was decided and why."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from atlas_mcp.host.orchestrator import Outcome, Task


def as_dict(task: Task, outcome: Outcome) -> dict[str, Any]:
    """A run as plain data."""
    return {
        "problem_id": outcome.problem_id,
        "problem": task.text,
        "orchestrator": outcome.orchestrator,
        "answer": outcome.answer,
        "because": outcome.because,
        "abstained": outcome.abstained,
        "forced": outcome.forced,
        "confidence": outcome.confidence,
        "seconds": round(outcome.seconds, 3),
        "ledger": outcome.ledger.model_dump(mode="json"),
        "evidence": [one.model_dump(mode="json") for one in outcome.evidence],
        "steps": list(outcome.steps),
    }


def check(folder: Path) -> None:
    """Make `folder` and try to write into it, so that a run need not end to learn that it cannot.

    Raises:
        OSError: it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder):
        pass


def save(folder: Path, task: Task, outcome: Outcome) -> Path:
    """Write a run under `folder` and return the file.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = folder / f"{stamp}-{outcome.problem_id or 'nothing'}.json"
    staged = path.with_suffix(".tmp")
    text = json.dumps(as_dict(task, outcome), ensure_ascii=False, indent=1)
    # A lone surrogate becomes the escape that JSON has for it.
    staged.write_bytes(text.encode("utf-8", "backslashreplace"))
    os.replace(staged, path)
    return path
