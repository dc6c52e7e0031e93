"""`atlas-mcp evidence`: look into the store, check it, export it, label it."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.faults import EXIT_FAILED, leaves
from atlas_mcp.cli.options import add_json, add_store, command, command_group, print_json, settings
from atlas_mcp.core.cleaning import clean, one_line
from atlas_mcp.core.errors import BadRequestError, CorruptStoreError, NotFoundError

if TYPE_CHECKING:
    from atlas_mcp.core.types import Evidence
    from atlas_mcp.evidence.sqlite import SqliteStore
    from atlas_mcp.pools.gold import Gold

Work = Callable[["SqliteStore", argparse.Namespace], Awaitable[int]]

MOST_LISTED = 1_000_000


def add_command(commands: Any) -> None:
    help = "list, show, verify, export and label stored evidence"
    verbs = command_group(commands, "evidence", help)
    listing = _verb(verbs, "list", _list, "list the stored problems, newest first")
    listing.add_argument(
        "--limit", type=int, default=20, metavar="N", help="how many (default: 20)"
    )
    show = _verb(verbs, "show", _show, "show a problem or one piece of evidence")
    show.add_argument("id", type=_id, help="a problem id (p_…) or an evidence id (e_…)")
    check = command(verbs, "verify", _verify, "check every digest, id and reference in the store")
    add_store(check)
    add_json(check)
    export = _verb(verbs, "export", _export, "write the evidence as a pool of recorded answers")
    export.add_argument("folder", type=Path, help="folder of the pool; it is made")
    export.add_argument(
        "--problem",
        type=_id,
        action="append",
        default=[],
        metavar="ID",
        help="only this problem; may be given several times",
    )
    export.add_argument(
        "--gold",
        metavar="FILE|SUITE",
        help="right answers by the text of their question: JSON lines with question and gold, or a "
        "suite of `atlas-mcp bench list` (default: answers that are labelled right)",
    )
    label = _verb(verbs, "label", _label, "record whether an answer was right")
    label.add_argument("id", type=_id, help="an evidence id (e_…)")
    label.add_argument("verdict", choices=("right", "wrong"), help="whether the answer is right")
    label.add_argument(
        "--source", default="person", metavar="WHO", help="who says so (default: person)"
    )


def _verb(verbs: Any, name: str, work: Work, help: str) -> argparse.ArgumentParser:
    parser = command(verbs, name, partial(_with_store, work), help)
    add_store(parser)
    add_json(parser)
    return parser


def _with_store(work: Work, args: argparse.Namespace) -> int:
    import anyio

    from atlas_mcp.evidence.sqlite import open_store

    path = settings(args).store
    _check_store(path)

    async def opened() -> int:
        async with open_store(path) as store:
            return await work(store, args)

    return anyio.run(opened)


def _check_store(path: Path) -> None:
    if not path.exists():
        raise BadRequestError(f"there is no evidence store at {path} yet; name one with --store")
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        if start not in (_SQLITE, b""):
            raise BadRequestError(f"{path} is no evidence store; name one with --store")


_SQLITE = b"SQLite format 3\0"
"""What every SQLite file starts with, once something is in it."""


async def _list(store: SqliteStore, args: argparse.Namespace) -> int:
    if not 1 <= args.limit <= MOST_LISTED:
        raise BadRequestError(f"--limit must be from 1 to {MOST_LISTED}")
    rows = await store.problems(limit=args.limit)
    if args.json:
        print_json([asdict(row) for row in rows])
        return 0
    for row in rows:
        when = datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        mark = "concluded" if row.concluded else "open"
        calls = f"{row.calls:>4} call{' ' if row.calls == 1 else 's'}"
        head = f"{row.id}  {when}  {calls}  {mark:<9}"
        room = _columns() - len(head) - 2
        if room < 20:  # on a narrow terminal the problem has a line of its own
            print(f"{head.rstrip()}\n    {one_line(row.text, _columns() - 4)}")
        else:
            print(f"{head}  {one_line(row.text, room)}")
    if not rows:
        print("no problems stored yet")
    return 0


async def _show(store: SqliteStore, args: argparse.Namespace) -> int:
    if args.id.startswith("e_"):
        one = await store.evidence_by_id(args.id)
        if one is None:
            raise NotFoundError(f"no finished evidence {args.id}; 'evidence list' shows problems")
        print_json(asdict(one)) if args.json else _print_whole(one)
        return 0
    problem = await store.problem(args.id)
    if problem is None:
        raise NotFoundError(f"no problem {args.id}; 'evidence list' shows what is stored")
    evidence = await store.evidence(args.id)
    labels = await store.labels(args.id)
    conclusions = await store.conclusions(args.id)
    if args.json:
        print_json(
            {
                "id": problem.id,
                "text": problem.text,
                "answer_kind": problem.answer_kind,
                "scope": problem.scope,
                "evidence": [asdict(one) for one in evidence],
                "labels": {key: asdict(one) for key, one in labels.items()},
                "conclusions": [asdict(one) for one in conclusions],
            }
        )
        return 0
    print(f"{problem.id}  {clean(problem.text)}\n")
    for one in evidence:
        _print_evidence(one)
        if one.id in labels:
            label = labels[one.id]
            print(f"    {'right' if label.correct else 'wrong'} says {one_line(label.source)}")
    for conclusion in conclusions:
        what = "abstained" if conclusion.abstain else f"concluded “{one_line(conclusion.answer)}”"
        print(f"{what}: {one_line(conclusion.because)}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    faults: list[str] = []

    async def check(store: SqliteStore, _: argparse.Namespace) -> int:
        faults.extend(await store.verify())
        return 0

    try:
        _with_store(check, args)
    except* CorruptStoreError as damaged:  # its text advises to run this very command
        faults.extend(f"SQLite: {one.__cause__ or one}" for one in leaves(damaged))
    if args.json:
        print_json({"faults": faults})
    else:
        print(clean("\n".join(faults)) or "every digest, id and reference is right")
    return EXIT_FAILED if faults else 0


async def _export(store: SqliteStore, args: argparse.Namespace) -> int:
    from anyio import to_thread

    from atlas_mcp.pools.exporting import ProblemRecord, export

    gold = await to_thread.run_sync(_gold, args.gold) if args.gold else None
    ids = args.problem or [row.id for row in await store.problems(limit=-1)]
    records = []
    for id_ in ids:
        problem = await store.problem(id_)
        if problem is None:
            raise NotFoundError(f"no problem {id_}; 'evidence list' shows what is stored")
        records.append(
            ProblemRecord(
                problem=problem,
                evidence=await store.evidence(id_),
                labels=await store.labels(id_),
            )
        )
    if gold is not None and not any(one_line(one.problem.text) in gold for one in records):
        raise BadRequestError(f"--gold {args.gold} has the answer to none of these problems")
    written = export(records, args.folder, gold)
    if args.json:
        print_json({"folder": str(args.folder), **asdict(written)})
    else:
        print(
            f"{args.folder}: {written.questions} questions, {written.graded} of them with a right "
            f"answer or labels, {written.responses} responses; {written.left_out} calls without a "
            "result left out"
        )
    return 0


def _gold(named: str) -> Gold:
    """The right answers in a file, or those of a suite that are compared as answers are here."""
    from atlas_mcp.bench.registry import SUITES, load
    from atlas_mcp.pools.gold import gold, read_gold

    if named.partition(":")[0] not in SUITES:
        return read_gold(Path(named).expanduser())
    items = load(named).items
    return gold((one.text, one.gold) for one in items if one.grading in ("gold", "math"))


async def _label(store: SqliteStore, args: argparse.Namespace) -> int:
    from atlas_mcp.core.ports import Label

    if await store.evidence_by_id(args.id) is None:
        raise NotFoundError(f"no finished evidence {args.id}; 'evidence show' lists ids")
    label = Label(evidence_id=args.id, correct=args.verdict == "right", source=args.source)
    await store.label(label)
    print_json(asdict(label)) if args.json else print(f"{args.id} is {args.verdict}")
    return 0


def _print_evidence(one: Evidence) -> None:
    choice = one.call.choice
    tokens = "–" if one.usage.total_tokens is None else f"{one.usage.total_tokens:,}"
    made = one_line(f"{choice.solver}/{choice.effort}/{choice.strategy} #{one.call.draw}")
    head = f"{one.id}  {made:<26}  {one.status:<9}  {tokens:>6} tok  {one.seconds:6.1f} s"
    print(f"{head}  {one_line(one.answer or '', 60)}".rstrip())
    if one.fault:  # whole, since its cure comes last
        print(f"    {one_line(f'{one.fault.kind}: {one.fault.message}')}")


def _print_whole(one: Evidence) -> None:
    _print_evidence(one)
    print(f"  problem: {one.call.problem_id}")
    if one.call.choice.instruction:
        print(f"  instruction: {clean(one.call.choice.instruction)}")
    for name in ("answer", "approach", "reasoning", "confidence", "model", "text"):
        value = getattr(one, name)
        if value not in (None, ""):
            print(f"  {name}: {clean(str(value))}")


def _id(text: str) -> str:
    """An id that can be looked up and shown, whatever bytes were typed."""
    return one_line(text.encode(errors="replace").decode())


def _columns() -> int:
    """The width of the terminal; whoever reads a pipe takes long lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
