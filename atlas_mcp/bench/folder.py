"""The folder of a benchmark run: what lies where, and what the run is of."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from atlas_mcp.core.errors import BadRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What all results in one folder have in common; `run` is part of every problem's scope."""

    run: str
    suite: str
    grading: str | None


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths in a folder of results."""

    path: Path

    @property
    def logs(self) -> Path:
        """Inspect's logs, for `inspect view`."""
        return self.path / "logs"

    @property
    def store(self) -> Path:
        return self.path / "evidence.db"

    @property
    def runs(self) -> Path:
        """Where each question stands; a run that was cut off goes on from here."""
        return self.path / "runs"

    @property
    def replay(self) -> Path:
        return self.path / "replay"

    def info(self, suite: str, grading: str | None) -> RunInfo:
        """What this folder is of, which is written into it the first time.

        Raises:
            BadRequestError: it holds results of another suite.
        """
        file = self.path / "run.json"
        if not file.exists():
            self.runs.mkdir(parents=True, exist_ok=True)
            made = RunInfo(run=secrets.token_hex(4), suite=suite, grading=grading)
            file.write_text(json.dumps(asdict(made)), "utf-8")
            return made
        found = self.known()
        if (found.suite, found.grading) != (suite, grading):
            raise BadRequestError(
                f"{self.path} holds results of suite {found.suite!r} (grading: "
                f"{found.grading or 'default'}): choose another folder with --out"
            )
        return found

    def known(self) -> RunInfo:
        """What this folder is of.

        Raises:
            BadRequestError: it is no folder of results.
        """
        try:
            return RunInfo(**json.loads((self.path / "run.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise BadRequestError(
                f"{self.path} is no folder of benchmark results: `atlas-mcp bench run` makes one"
            ) from error
