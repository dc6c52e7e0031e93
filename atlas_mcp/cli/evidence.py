"""`atlas-mcp evidence`: look into the store, check it, export it, label it."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import add_json, add_store, command, print_json, settings
from atlas_mcp.core.errors import BadRequestError, NotFoundError

if TYPE_CHECKING:
    from atlas_mcp.core.types import Evidence
    from atlas_mcp.evidence.sqlite import SqliteStore

Work = Callable[["SqliteStore", argparse.Namespace], Awaitable[int]]


def add_command(commands: Any) -> None:
    help = "list, show, verify, export and label stored evidence"
    verbs = commands.add_parser("evidence", help=help, description=help).add_subparsers(
        required=True, metavar="VERB"
    )
    listing = _verb(verbs, "list", _list, "list the stored problems, newest first")
    listing.add_argument("--limit", type=int, default=20, help="how many (default: 20)")
    show = _verb(verbs, "show", _show, "show a problem or one piece of evidence")
    show.add_argument("id", help="a problem id (p_…) or an evidence id (e_…)")
    _verb(verbs, "verify", _verify, "check every digest, id and reference in the store")
    export = _verb(verbs, "export", _export, "write the evidence as a pool of recorded answers")
    export.add_argument("folder", type=Path, help="folder of the pool; it is made")
    export.add_argument(
        "--problem", action="append", default=[], metavar="ID", help="only this problem"
    )
    label = _verb(verbs, "label", _label, "record whether an answer was right")
    label.add_argument("id", help="an evidence id (e_…)")
    label.add_argument("verdict", choices=("right", "wrong"))
    label.add_argument("--source", default="person", help="who says so (default: person)")


def _verb(verbs: Any, name: str, work: Work, help: str) -> argparse.ArgumentParser:
    parser = command(verbs, name, partial(_with_store, work), help)
    add_store(parser)
    add_json(parser)
    return parser


def _with_store(work: Work, args: argparse.Namespace) -> int:
    import anyio

    from atlas_mcp.evidence.sqlite import open_store

    path = settings(args).store
    if not path.exists():
        raise BadRequestError(f"there is no evidence store at {path} yet; name one with --store")

    async def opened() -> int:
        async with open_store(path) as store:
            return await work(store, args)

    return anyio.run(opened)


async def _list(store: SqliteStore, args: argparse.Namespace) -> int:
    rows = await store.problems(limit=args.limit)
    if args.json:
        print_json([asdict(row) for row in rows])
        return 0
    for row in rows:
        when = datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        mark = "concluded" if row.concluded else "open"
        text = _line(row.text, 60)
        print(f"{row.id}  {when}  {row.calls:>4} calls  {mark:<9}  {text}")
    if not rows:
        print("no problems stored yet")
    return 0


async def _show(store: SqliteStore, args: argparse.Namespace) -> int:
    if args.id.startswith("e_"):
        one = await store.evidence_by_id(args.id)
        if one is None:
            raise NotFoundError(f"no finished evidence {args.id}; 'evidence list' shows problems")
        print_json(asdict(one)) if args.json else _print_evidence(one, whole=True)
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
    print(f"{problem.id}  {problem.text}\n")
    for one in evidence:
        _print_evidence(one)
        if one.id in labels:
            label = labels[one.id]
            print(f"    {'right' if label.correct else 'wrong'} says {label.source}")
    for conclusion in conclusions:
        what = "abstained" if conclusion.abstain else f"concluded {conclusion.answer!r}"
        print(f"{what}: {conclusion.because}")
    return 0


async def _verify(store: SqliteStore, args: argparse.Namespace) -> int:
    faults = await store.verify()
    if args.json:
        print_json({"faults": faults})
    else:
        print("\n".join(faults) or "every digest, id and reference is right")
    return 1 if faults else 0


async def _export(store: SqliteStore, args: argparse.Namespace) -> int:
    from atlas_mcp.pools.exporting import ProblemRecord, export

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
    written = export(records, args.folder)
    if args.json:
        print_json({"folder": str(args.folder), **asdict(written)})
    else:
        print(
            f"{args.folder}: {written.questions} questions, {written.responses} responses; "
            f"{written.left_out} calls without a result left out"
        )
    return 0


async def _label(store: SqliteStore, args: argparse.Namespace) -> int:
    from atlas_mcp.core.ports import Label

    if await store.evidence_by_id(args.id) is None:
        raise NotFoundError(f"no finished evidence {args.id}; 'evidence show' lists ids")
    label = Label(evidence_id=args.id, correct=args.verdict == "right", source=args.source)
    await store.label(label)
    print_json(asdict(label)) if args.json else print(f"{args.id} is {args.verdict}")
    return 0


def _print_evidence(one: Evidence, *, whole: bool = False) -> None:
    choice = one.call.choice
    tokens = "unknown" if one.usage.total_tokens is None else f"{one.usage.total_tokens:,}"
    what = one.answer if one.answer is not None else one.fault.message if one.fault else ""
    print(
        f"{one.id}  {choice.solver}/{choice.effort}/{choice.strategy} #{one.call.draw}  "
        f"{one.status}  {_line(what, 60)}  {tokens} tokens  {one.seconds:.1f} s"
    )
    if whole:
        for name in ("answer", "approach", "reasoning", "confidence", "model", "text"):
            value = getattr(one, name)
            if value not in (None, ""):
                print(f"  {name}: {_clean(str(value))}")


def _line(text: str, most: int) -> str:
    folded = " ".join(_clean(text).split())
    return folded if len(folded) <= most else folded[: most - 1] + "…"


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
