"""`atlas-mcp bench`: compare methods on a suite, with a model or on recorded answers."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import (
    add_json,
    add_roster,
    command,
    command_group,
    print_json,
    settings,
)
from atlas_mcp.core.errors import AtlasError, BadRequestError, SetupError
from solvers.types import EFFORTS

if TYPE_CHECKING:
    from atlas_mcp.bench.folder import Folder
    from atlas_mcp.bench.reporting.summary import Summary
    from atlas_mcp.bench.rows import Asking
    from atlas_mcp.bench.suite import Suite
    from atlas_mcp.settings import Settings
    from solvers.roster import Roster

OUT = Path("atlas-bench")


def add_command(commands: Any) -> None:
    verbs = command_group(commands, "bench", "compare methods on a benchmark")
    listing = command(verbs, "list", _list, "show the suites and methods, or the arms of a pool")
    listing.add_argument("suite", nargs="?", metavar="pool:DIR", help="a pool, to show its arms")
    add_json(listing)
    _add_run(command(verbs, "run", _run, "run methods on a suite; goes on where it was cut off"))
    report = command(verbs, "report", _report, "compare what was run, with intervals and tests")
    report.add_argument("dir", type=Path, nargs="?", default=OUT, metavar="DIR")
    report.add_argument(
        "--to", type=Path, action="append", default=[], metavar="FILE",
        help="write it there with its figures (.md or .html); may be given several times",
    )  # fmt: skip
    report.add_argument(
        "--figures", choices=("svg", "png"), help="format of the figures beside FILE"
    )
    add_json(report)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help="see `atlas-mcp bench list`")
    parser.add_argument(
        "--method", action="append", required=True, metavar="M", help="may be given several times"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N questions only")
    parser.add_argument("--epochs", type=int, default=1, metavar="E", help="times each is asked")
    parser.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="shuffle a pool's recordings, by random.Random(S + epoch - 1) (default: the first "
        "epoch in recorded order)",
    )
    add_roster(parser)
    parser.add_argument("--solver", metavar="NAME", help="solver to ask; of a pool, the arm")
    parser.add_argument(
        "--greedy-solver", metavar="NAME", help="solver that does not sample, for method greedy"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="language model of your roster that orchestrates, judges and selects, for the methods "
        "that do (default: the roster's default; must be named for a pool)",
    )
    parser.add_argument(
        "--calls-of",
        action="append",
        default=[],
        metavar="SOLVER=N",
        help="cap on the calls of one solver, for atlas-mm; may be given several times (default: "
        "8, and 4 for the dearest of three prices or more)",
    )
    parser.add_argument("--effort", choices=EFFORTS, default="medium")
    parser.add_argument("--strategy", default="direct", metavar="NAME")
    parser.add_argument("--grading", choices=("gold", "recorded"), help="of a pool")
    parser.add_argument(
        "--judge", metavar="NAME", help="model of your roster that grades what only a model can"
    )
    parser.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE",
        help="verdicts.jsonl of an earlier run, which counts before a judge is asked",
    )
    parser.add_argument(
        "--grade-draws",
        action="store_true",
        help="let the judge grade the answers of all draws too, which costs more (default: only "
        "those of methods); what has been run is not graded anew",
    )
    parser.add_argument(
        "--keep-text",
        action="store_true",
        help="write down the texts of a suite whose makers ask that they be kept private",
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help=f"results (default: {OUT})"
    )
    add_json(parser)


# --- list


def _list(args: argparse.Namespace) -> int:
    from atlas_mcp.bench.methods.registry import METHODS, method
    from atlas_mcp.bench.registry import SUITES, load

    if args.suite:
        arms = {name: len(rows) for name, rows in load(args.suite).arms.items()}
        if args.json:
            print_json({"arms": arms})
        else:
            print(*(f"{count:7,}  {name}" for name, count in arms.items()), sep="\n")
        return 0
    suites = {f"{name}{one.argument}": one.about for name, one in SUITES.items()}
    methods = {name: method(one.example).budget for name, one in METHODS.items()}
    if args.json:
        print_json({"suites": suites, "methods": methods})
        return 0
    print("suites")
    _print_columns(suites)
    print("methods, with what the budget of an example means")
    _print_columns(methods)
    return 0


def _print_columns(rows: Mapping[str, str]) -> None:
    for name, about in rows.items():
        print(f"  {name:32}{about}" if len(name) < 32 else f"  {name}\n{'':34}{about}")


# --- run


def _run(args: argparse.Namespace) -> int:
    _need_inspect()
    for name in ("limit", "epochs"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise BadRequestError(f"--{name} must be at least 1")
    from atlas_mcp.bench.discretion import NOTE
    from atlas_mcp.bench.folder import Folder
    from atlas_mcp.bench.judge import Judging
    from atlas_mcp.bench.lending import Opening
    from atlas_mcp.bench.planning import judge_of
    from atlas_mcp.bench.registry import load
    from atlas_mcp.bench.running import Plan, run
    from atlas_mcp.roster import read_roster
    from atlas_mcp.server.app import create_server

    suite = _located(args.suite)
    loaded = load(suite, solver=args.solver, grading=args.grading, keep_text=args.keep_text)
    roster = read_roster(settings(args))
    asking = _asking(args, loaded, roster)
    folder = Folder(args.out)
    folder.info(suite, args.grading, _seed(args, loaded), private=loaded.private)
    for note in (*loaded.notes, *([NOTE] if loaded.private else [])):
        print(f"note: {note}", file=sys.stderr)
    plan = Plan(asking=asking, limit=args.limit, epochs=args.epochs)
    counter = _Counter(min(args.limit or len(loaded.items), len(loaded.items)) * args.epochs)
    chosen = _settings(args, loaded, asking, folder)
    judging = Judging(
        kept=folder.verdicts,
        judge=judge_of(args.judge, loaded, folder, roster, recorded=bool(args.verdicts)),
        recorded=args.verdicts,
        draws=args.grade_draws,
        private=loaded.private,
    )
    opening = Opening(
        target=create_server(chosen), settings=lambda: settings(args), judging=judging
    )
    with redirect_stdout(sys.stderr):  # Inspect talks too
        done = run(plan, loaded, folder, opening, counter.graded)
    if not done.complete:
        raise AtlasError(
            f"not all questions could be run ({done.error or 'see the logs'}); "
            "the same command goes on"
        )
    if args.json:
        suite, found = _results(args.out)
        print_json({"suite": suite, **asdict(found)})
    else:
        print(f"done; the report: atlas-mcp bench report {shlex.quote(str(args.out))}")
    return 0


def _seed(args: argparse.Namespace, loaded: Suite) -> int | None:
    if args.seed is not None and not loaded.arms:
        raise BadRequestError("--seed is for the order of a pool's recordings: leave it away")
    return int(args.seed) if args.seed is not None else None


def _need_inspect() -> None:
    from importlib.util import find_spec

    if find_spec("inspect_ai") is None:
        raise SetupError("benchmarks need Inspect AI: pip install 'atlas-mcp[bench]'")


def _located(suite: str) -> str:
    """The suite with its file or folder in full, so that it is the same from any folder."""
    from atlas_mcp.bench.registry import SUITES

    kind, _, where = suite.partition(":")
    takes_path = kind in SUITES and any(w in SUITES[kind].argument for w in ("DIR", "FILE"))
    for file in (where, where.partition(",")[0]):  # behind a comma there may be options
        path = Path(file).expanduser()
        if file and takes_path and path.exists():
            return f"{kind}:{path.absolute()}{where[len(file) :]}"
    return suite


def _asking(args: argparse.Namespace, loaded: Suite, roster: Roster) -> tuple[Asking, ...]:
    from atlas_mcp.bench.choosing import written
    from atlas_mcp.bench.planning import Manner, planned

    manner = Manner(
        effort=args.effort,
        strategy=args.strategy,
        greedy_solver=args.greedy_solver,
        model=args.model,
        calls_of=written(args.calls_of),
    )
    return planned(args.method, manner, loaded, roster)


def _settings(
    args: argparse.Namespace, loaded: Suite, asking: tuple[Asking, ...], folder: Folder
) -> Settings:
    """The user's settings on the store of this run. What is replayed costs nothing, so is uncapped.

    Raises:
        BadRequestError: the cap on calls is below what a method needs.
    """
    from atlas_mcp.bench.methods.registry import method
    from atlas_mcp.bench.planning import arms
    from atlas_mcp.bench.replaying import write_roster
    from atlas_mcp.evidence.file import IN_MEMORY

    store = IN_MEMORY if loaded.private else folder.store
    chosen = settings(args).model_copy(update={"store": store})
    if loaded.arms:
        names = arms(asking, loaded)
        roster = write_roster(folder.replay, loaded, names, args.epochs, seed=args.seed)
        free = {name: None for name in type(chosen).model_fields if name.startswith("max_")}
        return chosen.model_copy(update={"roster": roster, **free})
    cap = chosen.max_calls_per_problem
    for one in asking:
        if cap is not None and method(one.method).calls > cap:
            raise BadRequestError(
                f"method {one.method} may need more calls than the cap of {cap} for one problem: "
                "raise ATLAS_MAX_CALLS_PER_PROBLEM"
            )
    return chosen


class _Counter:
    """Says on standard error how far each method is; what was there before is not counted."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done: dict[str, int] = {}

    def graded(self, method: str, item: str, epoch: int, right: bool | None) -> None:
        self._done[method] = self._done.get(method, 0) + 1
        verdict = "not graded" if right is None else "right" if right else "wrong"
        count = f"{self._done[method]} of at most {self._total}"
        print(f"{method}  {count}  {item}  epoch {epoch}  {verdict}", file=sys.stderr)


# --- report


def _report(args: argparse.Namespace) -> int:
    _need_inspect()
    from atlas_mcp.bench.reporting.document import document
    from atlas_mcp.bench.reporting.markdown import markdown
    from atlas_mcp.bench.reporting.writing import check, write

    for path in args.to:
        check(path)
    if args.figures and not args.to:
        raise BadRequestError("--figures needs a report to lie beside: add --to REPORT.md")
    suite, found = _results(args.dir)
    written = [file for path in args.to for file in write(found, suite, path, args.figures)]
    if args.json:
        print_json({"suite": suite, **asdict(found)})
    elif written:
        print(*dict.fromkeys(written), sep="\n")
    else:
        print(markdown(document(found, suite)), end="")
    return 0


def _results(out: Path) -> tuple[str, Summary]:
    """The suite of a folder of results, and what came of it."""
    from atlas_mcp.bench.folder import Folder
    from atlas_mcp.bench.recorded import spent
    from atlas_mcp.bench.reporting.summary import summarise
    from atlas_mcp.bench.results import read

    folder = Folder(out)
    suite = folder.known().suite
    return suite, summarise(read(folder), spent(folder.verdicts))
