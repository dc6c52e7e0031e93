"""`atlas-mcp replay`: what a controller would have answered, and paid, on recorded branches."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import add_json, command, command_group, print_json, settings
from atlas_mcp.core.errors import BadRequestError

if TYPE_CHECKING:
    from atlas_mcp.discovery.fenced import Code
    from atlas_mcp.replay.arrays import Recorded
    from atlas_mcp.replay.engine import Plan, Replayed
    from atlas_mcp.replay.frontier import Line
    from atlas_mcp.replay.scores import Difference, Score, Table
    from atlas_mcp.replay.state import Controller


def add_command(commands: Any) -> None:
    verbs = command_group(commands, "replay", "try controllers on recorded answers")
    add_json(command(verbs, "list", _list, "show the controllers"))
    _add_evaluate(command(verbs, "evaluate", _evaluate, "compare controllers on a pool"))


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--controller",
        action="append",
        required=True,
        metavar="NAME[:DIAL]",
        help="a .py file, or a name of `atlas-mcp replay list`; others are compared with the first",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run the code of controller files outside the sandbox, which is faster",
    )
    parser.add_argument("--arm", action="append", default=[], metavar="NAME", help="only these")
    parser.add_argument(
        "--together", action="store_true", help="let the controller choose among the arms"
    )
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="orders of the draws")
    parser.add_argument(
        "--probe-tokens", type=float, default=0.0, metavar="X", help="price of a probe (default: 0)"
    )
    parser.add_argument("--exact", action="store_true", help="charge no token that was not written")
    parser.add_argument(
        "--max-tokens", type=float, default=math.inf, metavar="N", help="cut an episode off there"
    )
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="processes (all cores)")
    parser.add_argument("--backend", metavar="NAME", help="of joblib, such as ray or dask")
    parser.add_argument("--scalar", action="store_true", help="one episode at a time")
    parser.add_argument(
        "--traces", type=Path, metavar="DIR", help="write what was decided, as JSON lines"
    )
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="draw accuracy over cost, as .svg or .png"
    )
    add_json(parser)


def _list(args: argparse.Namespace) -> int:
    from atlas_mcp.replay.controllers.registry import families

    known = families()
    if args.json:
        print_json({name: asdict(family) for name, family in known.items()})
        return 0
    for name, family in sorted(known.items()):
        print(f"{name + ':DIAL':28}{family.about}")
        if family.numbers:
            print(f"  {family.numbers}")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from atlas_mcp.replay.extra import need_arrays

    need_arrays()
    from atlas_mcp.discovery.fenced import Code
    from atlas_mcp.pools.equating import equated
    from atlas_mcp.replay import frontier
    from atlas_mcp.replay.arrays import record
    from atlas_mcp.replay.engine import replay
    from atlas_mcp.replay.scores import table
    from solvers.recording import read_pool

    if args.figure is not None:
        frontier.check(_form(args.figure))
    chosen = _chosen(args)
    plan = _plan(args, [one for one in chosen.values() if not isinstance(one, Code)])
    codes = {name: one for name, one in chosen.items() if isinstance(one, Code)}
    recorded = record(equated(read_pool(args.pool.expanduser())))
    replayed = [*replay(recorded, plan, _told), *_fenced(recorded, plan, codes)]
    found = table(sorted(replayed, key=lambda one: list(chosen).index(one.controller)))
    if args.figure is not None:
        args.figure.write_bytes(frontier.drawn(*_frontier(found), _form(args.figure)))
    if args.json:
        print_json(asdict(found))
    else:
        _print(found)
    return 0


def _chosen(args: argparse.Namespace) -> dict[str, Controller | Code]:
    """What is to be compared, by name. The code of files runs in the sandbox, unless trusted."""
    from dataclasses import replace

    from atlas_mcp.discovery.loading import Loaded, named, trusted

    found: dict[str, Controller | Code] = {}
    for text in args.controller:
        one = named(text, isolation=settings(args).sandbox)
        if isinstance(one, Loaded):
            if one.name in found:  # the winners of two runs are both called best.py
                one = replace(one, name=text)
            found[one.name] = trusted(one) if args.trust else one.code
        else:
            found[one.name] = one
    return found


def _fenced(recorded: Recorded, plan: Plan, codes: Mapping[str, Code]) -> list[Replayed]:
    from dataclasses import replace

    from atlas_mcp.discovery.evaluation import Fence, replay_fenced

    if not codes:
        return []
    if plan.together or plan.traces or plan.backend:
        raise BadRequestError(
            "--together, --traces and --backend are for controllers that run in this process: add "
            "--trust if you trust the code of the file"
        )
    arms = tuple(recorded.arm(name) for name in plan.arms) or recorded.arms
    fence = Fence(
        world=replace(recorded, arms=arms), seeds=plan.seeds, rules=plan.rules, jobs=plan.jobs
    )
    return replay_fenced(fence, codes)


def _plan(args: argparse.Namespace, controllers: Sequence[Any]) -> Plan:
    from atlas_mcp.replay.engine import Plan
    from atlas_mcp.replay.environment import Rules

    if args.seeds < 1:
        raise BadRequestError("--seeds must be at least 1")
    if not args.jobs:
        raise BadRequestError("--jobs is how many processes work; -1 is one a core")
    if args.probe_tokens < 0 or args.max_tokens < 0:
        raise BadRequestError("--probe-tokens and --max-tokens cannot be negative")
    return Plan(
        controllers=tuple(controllers),
        seeds=tuple(range(args.seeds)),
        arms=tuple(dict.fromkeys(args.arm)),
        together=args.together,
        rules=Rules(probe_tokens=args.probe_tokens, exact=args.exact, max_tokens=args.max_tokens),
        scalar=args.scalar,
        jobs=args.jobs,
        backend=args.backend,
        traces=args.traces,
    )


def _told(controller: str, arm: str, done: int, total: int) -> None:
    print(f"{done}/{total}  {controller}  {arm}", file=sys.stderr)


# --- the figure


def _form(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _frontier(found: Table) -> tuple[list[Line], str]:
    """A line for each rule, over all arms, and what it costs."""
    from atlas_mcp.replay.frontier import Line

    scores = [one for one in found.scores if one.arm == found.scores[-1].arm]
    known = all(one.tokens is not None for one in scores)
    rules: dict[str, list[tuple[float, float]]] = {}
    for one in scores:
        cost = one.tokens.value if known and one.tokens is not None else one.calls
        rule = re.split(r"[@:]|-\d", one.controller)[0]
        rules.setdefault(rule, []).append((cost, one.accuracy.value))
    lines = [
        Line(name=name, costs=[x for x, _ in at], accuracies=[y for _, y in at])
        for name, at in ((name, sorted(points)) for name, points in rules.items())
    ]
    return lines, "tokens" if known else "calls"


# --- the report


def _print(found: Table) -> None:
    wide = max(len(one.controller) for one in found.scores) + 2
    arms = max(len(one.arm) for one in found.scores) + 2
    print(
        f"{'controller':{wide}}{'arm':{arms}}{'accuracy, %':>24}{'tokens':>14}{'latency':>12}"
        f"{'calls':>8}{'probes':>9}{'usd':>10}"
    )
    for one in found.scores:
        print(f"{one.controller:{wide}}{one.arm:{arms}}{_scored(one)}")
    if found.differences:
        print(f"\nminus {found.differences[0].baseline}, on the same questions")
    for difference in found.differences:
        print(f"{difference.controller:{wide}}{difference.arm:{arms}}{_differing(difference)}")
    questions = max(one.questions for one in found.scores)
    print(
        f"\nmeans per question, n = {questions} questions; intervals of 95 %: Wilson for accuracy, "
        "bootstrap by question for differences; latency in tokens written one after the other"
    )


def _scored(one: Score) -> str:
    share = one.accuracy
    accuracy = f"{100 * share.value:.2f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
    tokens = None if one.tokens is None else one.tokens.value
    line = f"{accuracy:>24}{_amount(tokens, 1):>14}{_amount(one.latency, 0):>12}"
    line += f"{one.calls:>8.1f}{one.probes:>9.1f}{_amount(one.usd, 4):>10}"
    notes = [
        (one.abstained - one.cut, "abstained"),
        (one.cut, "cut off"),
        (one.exhausted, "drew all there is"),
    ]
    return line + "".join(f"  {100 * share:.1f} % {what}" for share, what in notes if share > 0)


def _differing(one: Difference) -> str:
    gap = one.accuracy
    accuracy = f"{100 * gap.value:+.2f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
    if one.tokens is None:
        return f"{accuracy:>24}{'unknown':>14}"
    low, high = (_amount(bound, 0, "+") for bound in (one.tokens.low, one.tokens.high))
    return f"{accuracy:>24}{_amount(one.tokens.value, 1, '+'):>14} [{low}, {high}]"


def _amount(value: float | None, digits: int, sign: str = "") -> str:
    return "unknown" if value is None else f"{value:{sign},.{digits}f}"
