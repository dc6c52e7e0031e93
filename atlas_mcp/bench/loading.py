"""Rows of a data set, from a file of the user's or from the hub, checked before they are used.

What is wrong with a file is told by row, column and count, never with the words of a row: some
sets must not be quoted.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas_mcp.core.errors import BadRequestError
from solvers.errors import FixSetupError, MissingPackageError

Kind = type | tuple[type, ...]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a data set is published, and what its rows must hold.

    `files` are paths in the repository of the hub at `revision`. `columns` are the types of the
    columns that are read, `count` is the number of rows that the whole set has, None if it varies.
    `cure` is what a person must do first who is refused the download.
    """

    repo: str
    files: tuple[str, ...]
    columns: Mapping[str, Kind]
    count: int | None = None
    revision: str = "main"
    cure: str = ""


def rows(source: Source, file: str = "") -> list[Row]:
    """The rows of the user's `file`, or of the published set. Blocks.

    Raises:
        BadRequestError: the file is not this data set; the message says where and why.
        FixSetupError: a file or a package is missing, or the hub cannot be reached.
    """
    found: list[Row] = []
    for path in [Path(file).expanduser()] if file else _downloaded(source):
        for number, row in enumerate(_read(path), 1):
            _check(row, source, f"{path}, row {number}")
            found.append(row)
    if source.count is not None and len(found) != source.count:
        raise BadRequestError(
            f"{file or source.repo} holds {len(found)} rows and {source.repo} has {source.count}: "
            "is it another split or version?"
        )
    return found


def wrong(source: Source, file: str, number: int, why: str) -> BadRequestError:
    """The error that a row, counted from 1, is not what the set has there."""
    return BadRequestError(f"{file or source.repo}, row {number}: {why}")


def _check(row: Any, source: Source, where: str) -> None:
    if not isinstance(row, dict):
        raise BadRequestError(f"{where}: not an object")
    if lacking := [name for name in source.columns if name not in row]:
        raise BadRequestError(
            f"{where}: no {', '.join(lacking)}; {source.repo} has {', '.join(source.columns)}"
        )
    for name, kind in source.columns.items():
        if not isinstance(row[name], kind):
            found = _name(type(row[name]))
            raise BadRequestError(f"{where}: {name} is {found}, not {_named(kind)}")


def _named(kind: Kind) -> str:
    return " or ".join(map(_name, kind if isinstance(kind, tuple) else (kind,)))


def _name(kind: type) -> str:
    return "null" if kind is type(None) else kind.__name__


def _read(path: Path) -> Iterable[Any]:
    """The rows of a file, by its ending."""
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".parquet"):
            return _parquet(path)
        if name.endswith((".jsonl", ".json", ".csv")):
            return _lines(path, name.rpartition(".")[2])
    except FileNotFoundError as error:
        raise FixSetupError(f"there is no file {path}") from error
    except (OSError, ValueError, csv.Error, EOFError) as error:
        raise BadRequestError(f"{path} cannot be read: {error}") from error
    raise BadRequestError(f"{path}: a data set is .jsonl, .json, .csv or .parquet, also as .gz")


def _lines(path: Path, kind: str) -> list[Any]:
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
        if kind == "jsonl":
            return [json.loads(line) for line in lines if line.strip()]
        if kind == "csv":
            return list(csv.DictReader(lines))
        found = json.load(lines)
        return found if isinstance(found, list) else [found]


def _parquet(path: Path) -> list[Row]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(
            f"{path.name} needs the package pyarrow: pip install 'atlas-mcp[bench]'"
        ) from error
    table: list[Row] = pyarrow.parquet.read_table(path).to_pylist()
    return table


def _downloaded(source: Source) -> Iterator[Path]:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingPackageError(
            "data sets of the hub need the package huggingface-hub: pip install 'atlas-mcp[bench]'"
        ) from error
    for name in source.files:
        try:
            found = hf_hub_download(
                source.repo, name, repo_type="dataset", revision=source.revision
            )
        except OSError as error:  # what the hub, the network and the disk raise
            raise FixSetupError(
                f"{source.repo} cannot be loaded from the hub ({_reason(error)}); "
                f"{source.cure}or name a file of yours behind a colon"
            ) from error
        yield Path(found)


def _reason(error: OSError) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
