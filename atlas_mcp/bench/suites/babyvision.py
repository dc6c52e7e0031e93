"""`babyvision[:FILE]`: what young children see and models often do not (Chen et al. 2026).

Item:     {"taskId": 7, "type": "Visual Tracking", "subtype": "Maze", "image": {"bytes": …},
          "question": "Which exit does the path lead to?", "ansType": "choice",
          "options": ["left", "right"], "choiceAns": 1, "blankAns": null}
Graded:   a choice by its letter, a blank by a language model as judge.

FILE is the published Parquet file, or a `meta_data.jsonl` with the folder of images beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas_mcp.bench.images import image
from atlas_mcp.bench.loading import Source, rows
from atlas_mcp.bench.options import LETTERS, with_options
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError
from solvers.types import Attachment

SOURCE = Source(
    repo="UnipatAI/BabyVision",
    files=("data/train-00000-of-00001.parquet",),
    revision="849cbeea2b1d00ad334e9e1e2b49a1960c9ff3f3",
    columns={
        "taskId": (int, str),
        "question": str,
        "ansType": str,
        "options": (list, type(None)),
        "choiceAns": (int, float, type(None)),
        "blankAns": (str, int, float, type(None)),
        "image": (dict, str),
    },
    count=388,
)


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    folder = Path(argument).expanduser().parent
    items = tuple(_item(row, folder) for row in rows(SOURCE, argument))
    return Suite(items=items, solver=solver)


def _item(row: Mapping[str, Any], folder: Path) -> Item:
    where = f"taskId {row['taskId']}"
    shown = image(row["image"], folder, where)
    if shown is None:
        raise BadRequestError(f"{where}: the image is empty")
    if row["ansType"] == "choice":
        return _choice(row, where, shown)
    if row["ansType"] == "blank" and row["blankAns"] not in (None, ""):
        return Item(
            id=str(row["taskId"]),
            text=row["question"],
            gold=str(row["blankAns"]),
            grading="judge",
            attachments=(shown,),
        )
    raise BadRequestError(f"{where}: ansType {row['ansType']!r} without an answer of that type")


def _choice(row: Mapping[str, Any], where: str, shown: Attachment) -> Item:
    options, right = row["options"] or [], row["choiceAns"]
    if right is None or not 0 <= right < len(options) <= len(LETTERS):
        raise BadRequestError(f"{where}: choiceAns {right!r} is none of {len(options)} options")
    return Item(
        id=str(row["taskId"]),
        text=with_options(row["question"], options),
        gold=LETTERS[int(right)],
        answer_kind="choice",
        attachments=(shown,),
    )
