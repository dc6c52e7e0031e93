"""Recorded verdicts: a file with a line for each time that a judge was asked.

It is only ever added to, so that a run that was killed has all verdicts that it paid for. A line
that was cut off in a kill is passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from atlas_mcp.bench.rows import Spent
from atlas_mcp.bench.suite import Item
from atlas_mcp.core.errors import BadRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line: what the judge said of an answer, and what asking it took.

    `digest` stands for the question's text, the reference and the answer. `right` is None where
    the judge gave no verdict. `why` is its reason, or what went wrong; it is left away where the
    texts of the suite must not be written down.
    """

    question: str
    digest: str
    judge: str
    prompt: int
    right: bool | None
    spent: Spent
    why: str = ""


_VERDICT = TypeAdapter(Verdict)


def digest(item: Item, answer: str) -> str:
    """What stands for an answer to a question in the file, which holds no text of either."""
    parts = json.dumps([item.text, item.gold, answer])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


class RecordedVerdicts:
    """The verdicts of one file; of several on the same answer, the newest."""

    def __init__(self, path: Path, verdicts: Iterable[Verdict] = ()) -> None:
        self._path = path
        self._adding = anyio.Lock()
        self._known: dict[tuple[str, str], dict[tuple[str, int], bool]] = {}
        for one in verdicts:
            self._learn(one)

    def find(self, item: Item, answer: str, by: tuple[str, int] | None = None) -> bool | None:
        """The verdict `by` this judge with this version of the prompt, or by any."""
        found = self._known.get((item.id, digest(item, answer)), {})
        return next(reversed(found.values()), None) if by is None else found.get(by)

    async def add(self, verdict: Verdict) -> None:
        """Write a verdict down.

        Raises:
            OSError: the file cannot be written.
        """
        async with self._adding:
            await anyio.to_thread.run_sync(_append, self._path, verdict)
        self._learn(verdict)

    def _learn(self, one: Verdict) -> None:
        if one.right is not None:
            known = self._known.setdefault((one.question, one.digest), {})
            known.pop((one.judge, one.prompt), None)
            known[one.judge, one.prompt] = one.right


def kept(path: Path) -> RecordedVerdicts:
    """The verdicts of a run so far. Blocks."""
    return RecordedVerdicts(path, _verdicts(path) if path.exists() else ())


def given(path: Path) -> RecordedVerdicts:
    """The verdicts in a file of the user's. Blocks.

    Raises:
        BadRequestError: it cannot be read, or holds no verdict.
    """
    try:
        verdicts = tuple(_verdicts(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(f"--verdicts {path} cannot be read: {error}") from error
    if not verdicts:
        raise BadRequestError(
            f"--verdicts {path} holds no verdict: name the verdicts.jsonl of a run that was judged"
        )
    return RecordedVerdicts(path, verdicts)


def spent(path: Path) -> dict[str, Spent]:
    """What each judge of a run took, its failed calls included. Blocks."""
    found: dict[str, Spent] = {}
    for one in _verdicts(path) if path.exists() else ():
        found[one.judge] = found.get(one.judge, Spent()) + one.spent
    return found


def _verdicts(path: Path) -> Iterator[Verdict]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield _VERDICT.validate_json(line)
            except ValidationError:  # cut off in a kill
                continue


def _append(path: Path, verdict: Verdict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(verdict)) + "\n"
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read() != b"\n":
                line = "\n" + line
        file.write(line.encode())
