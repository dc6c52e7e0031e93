"""`livecodebench`: contest problems, graded by hidden tests.

Item:     {"id": "abc387_b", "text": "Print the sum of … Write a Python program that …"}
Graded:   all tests, public and hidden, must pass; six seconds each (`bench.cases`).
Data:     livecodebench/code_generation_lite, from the hub or from a file of the user's.

The set grows by releases: v6 is what its sixth file, test6.jsonl, added to the 880 problems of
v1 to v5 (github.com/LiveCodeBench/LiveCodeBench, "Dataset Versions": until January and until
April 2025), 175 problems, which is the n of the ATLAS paper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from atlas_mcp.bench.loading import Row, Source, rows
from atlas_mcp.bench.packed_cases import unpack
from atlas_mcp.bench.suite import Item, Suite
from atlas_mcp.core.errors import BadRequestError

RELEASES = {"v1": 400, "v2": 111, "v3": 101, "v4": 101, "v5": 167, "v6": 175}
"""The problems that each release added, each in a file of its own."""

DEFAULT = "v6"

_COLUMNS = (
    "question_title question_content platform question_id contest_id contest_date starter_code "
    "difficulty public_test_cases private_test_cases metadata"
).split()

_PROGRAM = """\
Write a Python program that reads the input from standard input and writes the answer to standard \
output. Do not run it on the samples."""

_FUNCTION = """\
Write Python. Go on from this code, keep its names, and give the whole of it:

```python
{starter}
```"""


def load(argument: str, solver: str | None, grading: str | None) -> Suite:
    asked = _asked(argument)
    found = rows(asked.source, asked.file)
    items = tuple(_item(row) for row in found if asked.holds(row))
    if not items:
        raise BadRequestError(
            f"livecodebench has no problem from {asked.since} until {asked.until}"
        )
    return Suite(items=items, solver=solver)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the argument asks for; both days are included."""

    file: str
    source: Source
    since: date
    until: date

    def holds(self, row: Row) -> bool:
        try:
            day = datetime.fromisoformat(row["contest_date"]).date()
        except ValueError as error:
            raise BadRequestError(f"{row['question_id']}: contest_date: {error}") from error
        return self.since <= day <= self.until


def _asked(argument: str) -> _Asked:
    parts = [part for part in argument.split(",") if part]
    options = dict(part.split("=", 1) for part in parts if re.match(r"(from|until|release)=", part))
    files = [part for part in parts if part.partition("=")[0] not in options]
    if len(files) > 1:
        raise BadRequestError(f"livecodebench takes one file, not {', '.join(files)}")
    return _Asked(
        file=files[0] if files else "",
        source=_source(options.get("release", DEFAULT), bool(files)),
        since=_day(options, "from", date.min),
        until=_day(options, "until", date.max),
    )


def _day(options: Mapping[str, str], name: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(options[name]) if name in options else otherwise
    except ValueError as error:
        raise BadRequestError(
            f"livecodebench: {name}={options[name]} is no day: {error}"
        ) from error


def _source(release: str, own: bool) -> Source:
    """The files of `vN` or of `vN_vM`; a file of the user's may hold `any` number of problems."""
    names = list(RELEASES)
    first, _, last = release.partition("_")
    chosen = names[_place(first) : _place(last or first) + 1] if release != "any" else []
    if not chosen and not (own and release == "any"):
        raise BadRequestError(
            f"livecodebench: release={release} is none of {', '.join(names)}, or two of them as "
            "v4_v6; `any` is for a file of yours"
        )
    return Source(
        repo="livecodebench/code_generation_lite",
        files=tuple(f"test{one.removeprefix('v').removeprefix('1')}.jsonl" for one in chosen),
        columns=dict.fromkeys(_COLUMNS, str),
        count=sum(RELEASES[one] for one in chosen) or None,
    )


def _place(release: str) -> int:
    return list(RELEASES).index(release) if release in RELEASES else len(RELEASES)


def _item(row: Row) -> Item:
    where = f"livecodebench, question {row['question_id']}"
    packed = (row["public_test_cases"], row["private_test_cases"])
    try:
        function = json.loads(row["metadata"]).get("func_name")
        count = sum(len(unpack(text)) for text in packed)
    except (ValueError, AttributeError) as error:
        raise BadRequestError(f"{where}: metadata is no object: {error}") from error
    except BadRequestError as error:
        raise BadRequestError(f"{where}: {error}") from error
    if not count:
        raise BadRequestError(f"{where} has no tests")
    facts: dict[str, Any] = {"cases": packed, "function": function}
    return Item(
        id=row["question_id"], text=_text(row), answer_kind="code", grading="tests", facts=facts
    )


def _text(row: Row) -> str:
    starter = row["starter_code"].strip("\n")
    task = _FUNCTION.format(starter=starter) if starter.strip() else _PROGRAM
    return f"{row['question_content'].strip()}\n\n{task}"
