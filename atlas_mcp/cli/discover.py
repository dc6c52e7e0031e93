"""`atlas-mcp discover`: let a search or a model look for better controllers on a pool."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import add_json, add_roster, command, print_json, settings
from atlas_mcp.core.errors import BadRequestError

if TYPE_CHECKING:
    from atlas_mcp.discovery.lab import Lab, Terms
    from atlas_mcp.discovery.proposer import Proposer
    from atlas_mcp.discovery.report import Found
    from atlas_mcp.discovery.rounds import Round, Run
    from solvers.registry import SolverSpec

OUT = Path("atlas-discovery")


def add_command(commands: Any) -> None:
    parser = command(
        commands,
        "discover",
        run,
        "look for better controllers on recorded answers; goes on where it was cut off",
    )
    parser.add_argument("--pool", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--proposer",
        default="search",
        metavar="WHO",
        help="search (no model; the default), model:NAME, a language model of your roster, or "
        "host: nobody, for MCP hosts that submit (ATLAS_LAB)",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of splits and search")
    parser.add_argument(
        "--seeds", type=int, default=8, metavar="N", help="orders of the draws (default: 8)"
    )
    parser.add_argument("--arm", action="append", default=[], metavar="NAME", help="only these")
    parser.add_argument(
        "--search-share", type=float, default=1.0, metavar="X",
        help="part of the questions that may be used at all (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--at-tokens", type=float, metavar="N",
        help="let rounds compete in accuracy at so many tokens, not in the area of the frontier",
    )  # fmt: skip
    parser.add_argument(
        "--without", choices=("dial", "traces"), help="ablation: what proposers must do without"
    )
    parser.add_argument("--max-tokens", type=int, metavar="N", help="cap on the model's tokens")
    parser.add_argument("--max-usd", type=float, metavar="X", help="cap on its dollars")
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="X",
        help="for a decision of proposed code on all questions (default: 10)",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="processes (all cores)")
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help=f"results (default: {OUT})"
    )
    add_roster(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from atlas_mcp.replay.extra import need_arrays

    need_arrays()
    _check(args)
    from atlas_mcp.core.errors import BudgetError
    from atlas_mcp.discovery.report import conclude

    begun = _begun(args)
    stopped = ""
    with _proposer(args, begun.lab) as proposer:
        for done in begun.done():
            _tell(done)
        try:
            while proposer is not None and begun.folder.rounds() <= args.rounds:
                _tell(begun.propose(proposer))
        except BudgetError as error:
            stopped = str(error)
    found = conclude(begun)
    if args.json:
        print_json(_as_json(found, begun, stopped))
    else:
        _print(found, begun.folder.path)
    if stopped:
        print(f"stopped: {stopped}", file=sys.stderr)
    return 0


def _spec(args: argparse.Namespace) -> SolverSpec:
    """The model of the roster that proposes."""
    from atlas_mcp.roster import read_roster

    roster = read_roster(settings(args))
    named = args.proposer.partition(":")[2] or roster.default
    if named not in roster.specs:
        raise BadRequestError(
            f"no solver {named!r} in the roster to propose; known: {', '.join(roster.specs)}"
        )
    spec = roster.specs[named]
    if spec.api == "embedded":
        raise BadRequestError(
            f"{named} is an embedded model, whose replies are too short to hold a controller: name "
            "another model of your roster, or leave it to --proposer search"
        )
    return spec


def _check(args: argparse.Namespace) -> None:
    kind, _, named = args.proposer.partition(":")
    if kind not in ("search", "model", "host") or (named and kind != "model"):
        raise BadRequestError(
            f"unknown proposer {args.proposer!r}; known: search, model:NAME, host"
        )
    for name, least in (("rounds", 0), ("seeds", 1), ("max_tokens", 0), ("max_usd", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise BadRequestError(f"--{name.replace('_', '-')} must be at least {least}")
    for name in ("seconds", "at_tokens"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise BadRequestError(f"--{name.replace('_', '-')} must be above 0")
    if kind == "model":
        _spec(args)
    if not args.jobs:
        raise BadRequestError("--jobs is how many processes work; -1 is one a core")


def _begun(args: argparse.Namespace) -> Run:
    """The run of these options, new or gone on with."""
    from atlas_mcp.core.types import Caps
    from atlas_mcp.discovery.folder import RunInfo
    from atlas_mcp.discovery.opening import begin

    info = RunInfo(
        pool=str(args.pool.expanduser().absolute()),
        proposer=args.proposer,
        terms=_terms(args),
        without=args.without,
    )
    caps = Caps(tokens=args.max_tokens, usd=args.max_usd)
    how = {"jobs": args.jobs, "isolation": settings(args).sandbox, "seconds": args.seconds}
    return begin(_folder(args), info, caps, _say, **how)


def _folder(args: argparse.Namespace) -> Path:
    """An ablation lies within the run that it is compared with."""
    from atlas_mcp.discovery.folder import Folder

    folder = Folder(args.out)
    return folder.within(args.without).path if args.without else folder.path


def _terms(args: argparse.Namespace) -> Terms:
    from atlas_mcp.discovery.lab import Terms

    return Terms(
        seed=args.seed,
        seeds=args.seeds,
        share=args.search_share,
        at=args.at_tokens,
        arms=tuple(dict.fromkeys(args.arm)),
    )


@contextmanager
def _proposer(args: argparse.Namespace, lab: Lab) -> Iterator[Proposer | None]:
    """Whoever proposes; nobody where rounds are left to MCP hosts."""
    kind = args.proposer.partition(":")[0]
    if kind == "search":
        from atlas_mcp.discovery.search import Search

        yield Search(lab, args.seed)
    elif kind == "model":
        with _model(args) as proposer:
            yield proposer
    else:
        yield None


@contextmanager
def _model(args: argparse.Namespace) -> Iterator[Proposer]:
    from atlas_mcp.core.redaction import Redactor
    from atlas_mcp.discovery.model import asking
    from atlas_mcp.host.masking import MaskedModel
    from solvers.registry import build_model

    chosen, spec = settings(args), _spec(args)
    redact = Redactor(chosen.secrets)
    with asking(
        lambda shared: MaskedModel(build_model(spec, shared), redact),
        args.proposer,
        live=chosen.allow_live_calls,
    ) as proposer:
        yield proposer


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _tell(done: Round) -> None:
    trial = done.trial
    if trial.refused is not None:
        told = f"refused: {trial.refused}"
    else:
        assert trial.train is not None
        assert trial.selection is not None
        told = f"train {100 * trial.train.value:.2f}, selection {100 * trial.selection.value:.2f}"
    change = " ".join(done.proposal.change.split())[:100]
    _say(f"round {done.number}: {told} ({change})")


def _as_json(found: Found, begun: Run, stopped: str) -> dict[str, Any]:
    best = found.best
    return {
        "goal": begun.lab.goal.text,
        "rounds": [
            {
                "round": one.number,
                "change": one.proposal.change,
                "refused": one.trial.refused,
                "train": one.trial.train and asdict(one.trial.train),
                "selection": one.trial.selection and asdict(one.trial.selection),
            }
            for one in found.rounds
        ],
        "best": None if best is None else best.number,
        "gain": found.gain and asdict(found.gain),
        "spent": asdict(begun.spent),
        "file": found.file and str(found.file),
        "stopped": stopped or None,
    }


def _print(found: Found, out: Path) -> None:
    if found.best is None or found.file is None:
        print(f"no controller could be played; see {out / 'report.md'}")
        return
    print(f"round {found.best.number} won: {found.file}")
    print(f"the report: {out / 'report.md'}")
    print(f"to replay it: atlas-mcp replay evaluate --pool DIR --controller {found.file}:0.5")
    print(f"to use it: atlas-mcp ask PROBLEM --orchestrator controller:{found.file}:0.5")
