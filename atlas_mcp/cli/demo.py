"""`atlas-mcp demo`: the main job on bundled problems with a local model, no key needed."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import add_json, add_store, command, print_json, settings
from atlas_mcp.core.errors import BadRequestError

if TYPE_CHECKING:
    from atlas_mcp.host.demo import Score
    from atlas_mcp.settings import Settings

MAX_PROBLEMS = 56
LARGE, SMALL = "qwen", "qwen-small"


def add_command(commands: Any) -> None:
    parser = command(
        commands,
        "demo",
        run,
        "answer bundled problems with a local model in three ways, and compare them",
    )
    parser.add_argument(
        "--problems", type=int, default=12, metavar="N", help="how many (default: 12)"
    )
    parser.add_argument(
        "--small", action="store_true", help="the 0.5B model: half the download, faster, weaker"
    )
    parser.add_argument(
        "--replay", action="store_true", help="use the bundled recorded answers, no model at all"
    )
    add_store(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.problems <= MAX_PROBLEMS:
        raise BadRequestError(f"--problems must be from 1 to {MAX_PROBLEMS}")
    import anyio

    chosen = settings(args)
    reason = "asked for" if args.replay else _fetch(SMALL if args.small else LARGE, chosen)
    return anyio.run(_demo, args, chosen, reason)


def _fetch(solver: str, chosen: Settings) -> str | None:
    """Bring the model's weights here; say why that cannot be, or None when they are."""
    from importlib.util import find_spec

    from atlas_mcp.cli.models import ProgressBar
    from solvers.errors import SolverError
    from solvers.pulling import pull
    from solvers.roster import default_roster
    from solvers.weights import present

    if find_spec("xllamacpp") is None:
        return "the engine is not installed (pip install 'atlas-mcp[embedded]')"
    name = default_roster().specs[solver].model
    if present(name, chosen.models_folder):
        return None
    print(f"fetching the weights of {name}, once", file=sys.stderr)
    bar = ProgressBar()
    try:
        pull(name, chosen.models_folder, bar)
    except SolverError as error:
        return f"the weights cannot be had: {error}"
    finally:
        bar.close()
    return None


async def _demo(args: argparse.Namespace, chosen: Settings, replaying: str | None) -> int:
    from atlas_mcp.host import demo
    from atlas_mcp.host.connection import connect, spawned
    from atlas_mcp.host.terminal import Terminal
    from atlas_mcp.settings import child_environment, terminal_look

    out = sys.stderr if args.json else sys.stdout
    solver = SMALL if args.small and replaying is None else LARGE
    store = args.store or chosen.store.with_name("demo.db")
    with ExitStack() as stack:
        terminal = stack.enter_context(Terminal(out, indent="    ", look=terminal_look()))
        options = ["--store", str(store)]
        if replaying is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            options += ["--roster", str(_write_roster(folder, demo.replay_roster()))]
            terminal.line(terminal.style(f"REPLAY of recorded answers: {replaying}", "yellow"))
        scope = datetime.now(UTC).strftime("demo-%Y%m%dT%H%M%S")
        async with connect(spawned(options, child_environment())) as client:
            asked = demo.questions(args.problems)
            scores = await demo.compare(client, asked, solver, scope, terminal)
    if args.json:
        print_json(_as_dict(scores, solver, replaying))
        return 0
    terminal.line()
    for line in demo.table(scores):
        terminal.line(line)
    terminal.line()
    vote = f"vote:{demo.VOTES}"
    terminal.line(f"{vote} was {demo.calibration(scores[vote])}")
    for line in _notes(len(asked), replaying, store):
        terminal.line(line)
    return 0


def _write_roster(folder: Path, roster: dict[str, Any]) -> Path:
    path = folder / "replay.toml"
    lines = [f"default = {json.dumps(roster['default'])}"]
    for name, entry in roster["solvers"].items():
        lines.append(f"[solvers.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    path.write_text("\n".join(lines), "utf-8")
    return path


def _notes(n: int, replaying: str | None, store: Path) -> list[str]:
    notes = [
        f"n = {n}: with intervals this wide no method is shown to be the better one.",
        f"Everything is kept: atlas-mcp evidence list --store {shlex.quote(str(store))}",
    ]
    if replaying is not None:
        notes.insert(0, "REPLAY: recorded answers of the 1.5B model; their tokens are unknown.")
    return notes


def _as_dict(scores: dict[str, Score], solver: str, replaying: str | None) -> dict[str, Any]:
    return {
        "solver": solver,
        "replay": replaying,
        "methods": {name: asdict(score) for name, score in scores.items()},
    }
