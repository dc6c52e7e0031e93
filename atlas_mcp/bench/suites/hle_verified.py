"""`hle-verified[:FILE]`: the Gold subset of HLE-Verified (Zhai et al. 2026).

These are the questions of Humanity's Last Exam that experts have found right as they stand.

Item:     {"id": "66…", "Verified_Classes": "Gold subset", "question": "Which ring …?",
          "answer": "Z/6", "json": "{\\"answer_type\\": \\"exactMatch\\", \\"image\\": \\"\\", …}"}
          "json" holds the whole row of HLE; a file of such rows alone is read too. An image is a
          data URL; `rationale_image` belongs to the solution and is never shown.
Graded:   by a language model as judge, as HLE prescribes for both of its answer types.

The makers ask to keep the texts out of what models are trained on. The published order is that
of submission; here it is that of a digest of the ids, so that the first N are a fair sample.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas_mcp.bench.images import image
from atlas_mcp.bench.loading import Source, rows
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError
from solvers.types import AnswerKind

GOLD = "Gold subset"
COUNT = 668

SOURCE = Source(
    repo="skylenage/HLE-Verified",
    files=tuple(f"data/Gold_subset.part{part:02}.parquet" for part in range(1, 6)),
    revision="0bc83643672d4f68a5f89998617a639d85e7318b",
    columns={"id": str, "question": str, "answer": str, "Verified_Classes": str},
)

_KINDS: Mapping[str, AnswerKind] = {"exactMatch": "auto", "multipleChoice": "choice"}


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    found = rows(SOURCE, argument)
    gold = [row for row in found if row["Verified_Classes"] == GOLD]
    if not 0 < len(gold) <= COUNT or (len(gold) < COUNT and not argument):
        raise BadRequestError(
            f"{argument or SOURCE.repo} holds {len(gold)} questions of the {GOLD}, which has "
            f"{COUNT}: is it another version?"
        )
    gold.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    folder = Path(argument).expanduser().parent
    return Suite(
        items=tuple(_item(row, folder) for row in gold),
        solver=solver,
        private=True,
        notes=_notes(len(gold), len(found)),
    )


def _notes(gold: int, found: int) -> tuple[str, ...]:
    notes = []
    if found > gold:
        notes.append(f"{found - gold} questions left out: they are not of the {GOLD}")
    if gold < COUNT:
        notes.append(f"{gold} of the {COUNT} questions of the {GOLD}")
    return tuple(notes)


def _item(row: Mapping[str, Any], folder: Path) -> Item:
    where = f"question {row['id']}"
    whole = _whole(row, where)
    if whole.get("answer_type") not in _KINDS:
        raise BadRequestError(f"{where}: answer_type is not {' or '.join(_KINDS)}")
    shown = image(whole.get("image"), folder, where)
    return Item(
        id=row["id"],
        text=row["question"],
        gold=row["answer"],
        answer_kind=_KINDS[whole["answer_type"]],
        grading="judge",
        attachments=(shown,) if shown else (),
    )


def _whole(row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The row of HLE, which the published files hold as JSON."""
    if "json" not in row:
        return row
    try:
        found = json.loads(row["json"])
    except (TypeError, ValueError) as error:
        raise BadRequestError(f"{where}: json cannot be read: {error}") from error
    if not isinstance(found, dict) or found.get("id") != row["id"]:
        raise BadRequestError(f"{where}: json is of another question")
    return found
