"""Right answers by the text of their question, from a file of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from atlas_mcp.core.cleaning import one_line
from atlas_mcp.core.errors import BadRequestError

Gold = Mapping[str, str]
"""Right answers by the text of their question on one line."""


class _Row(BaseModel):
    question: str
    gold: str | int | float


def gold(pairs: Iterable[tuple[str, str]]) -> Gold:
    """Right answers of questions; those that have none are left out."""
    return {one_line(question): answer for question, answer in pairs if answer}


def read_gold(path: Path) -> Gold:
    """Read a file of JSON lines with `question` and `gold`; other keys are passed over.

    Raises:
        BadRequestError: it cannot be read, or a line is none such.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(f"{path} cannot be read: {error}") from error
    return gold(_pair(path, number, line) for number, line in enumerate(lines, 1) if line.strip())


def _pair(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = _Row.model_validate_json(line)
    except ValidationError as error:
        raise BadRequestError(
            f'{path}, line {number}: write {{"question": "…", "gold": "…"}}'
        ) from error
    return row.question, str(row.gold)
