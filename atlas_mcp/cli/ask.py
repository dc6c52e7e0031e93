"""`atlas-mcp ask`: put a problem to the reference host."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.faults import EXIT_FAILED
from atlas_mcp.cli.options import add_json, add_roster, add_store, command, print_json, settings
from atlas_mcp.core.errors import BadRequestError
from solvers.types import ANSWER_KINDS, EFFORTS

if TYPE_CHECKING:
    from atlas_mcp.host.connection import Target
    from atlas_mcp.host.orchestrator import Outcome, Task
    from atlas_mcp.settings import Settings

EXIT_ABSTAINED = 3


def add_command(commands: Any) -> None:
    parser = command(
        commands, "ask", run, "gather evidence on a problem and conclude; exit 3 on abstention"
    )
    parser.add_argument("problem", help="the problem, or - to read it from standard input")
    parser.add_argument(
        "--orchestrator",
        default="agree:3",
        metavar="RULE",
        help="greedy, vote:CALLS, agree:ANSWERS or confident:PROBABILITY (default: agree:3)",
    )
    parser.add_argument(
        "--solver", default="auto", metavar="NAME", help="solver of the roster (default: auto)"
    )
    parser.add_argument(
        "--effort",
        choices=EFFORTS,
        default="medium",
        metavar="EFFORT",
        help=f"{', '.join(EFFORTS)} (default: medium)",
    )
    parser.add_argument(
        "--strategy", default="direct", metavar="NAME", help="how to ask (default: direct)"
    )
    parser.add_argument(
        "--answer-kind",
        choices=ANSWER_KINDS,
        default="auto",
        metavar="KIND",
        help=f"how answers are compared: {', '.join(ANSWER_KINDS)} (default: auto)",
    )
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="FILE",
        help="an image that belongs to the problem; may be given several times",
    )
    parser.add_argument(
        "--max-calls", type=int, metavar="N", help="cap on solver calls of this run"
    )
    parser.add_argument(
        "--scope",
        default="",
        metavar="NAME",
        help="keep this run's evidence apart from other runs on the same problem",
    )
    parser.add_argument(
        "--server", metavar="URL", help="use a running server instead of starting one"
    )
    parser.add_argument(
        "--in-process", action="store_true", help="run the server inside this process"
    )
    parser.add_argument(
        "--transcript",
        type=Path,
        metavar="FOLDER",
        help="where to save the run as JSON (default: transcripts, beside the store)",
    )
    add_roster(parser)
    add_store(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.max_calls is not None and args.max_calls < 1:
        raise BadRequestError("--max-calls must be at least 1")
    text = _standard_input() if args.problem == "-" else args.problem
    if not text.strip():
        raise BadRequestError("the problem is empty")
    import anyio

    from atlas_mcp.host import transcript
    from atlas_mcp.host.orchestrator import Explore, Task
    from atlas_mcp.host.rules import rule

    explore = Explore(solver=args.solver, effort=args.effort, strategy=args.strategy)
    orchestrator = rule(args.orchestrator, explore)
    task = Task(
        text=text,
        answer_kind=args.answer_kind,
        scope=args.scope,
        max_calls=args.max_calls,
        attachments=tuple(args.attach),
    )
    if args.transcript is not None:
        transcript.check(args.transcript)  # before the run is paid for
    return anyio.run(_ask, args, task, orchestrator)


def _standard_input() -> str:
    if sys.stdin is None:
        raise BadRequestError("standard input is closed: pass the problem as an argument")
    try:
        text = sys.stdin.read()
        text.encode("utf-8")  # some locales let bytes that are no text pass as lone surrogates
    except OSError as error:
        raise BadRequestError(f"standard input cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise BadRequestError(
            f"standard input is not valid {sys.stdin.encoding} text ({error}): convert it first"
        ) from error
    return text


async def _ask(args: argparse.Namespace, task: Task, orchestrator: Any) -> int:
    from atlas_mcp.host import transcript
    from atlas_mcp.host.connection import connect
    from atlas_mcp.host.orchestrator import Quiet
    from atlas_mcp.host.running import run as run_task
    from atlas_mcp.host.terminal import Terminal
    from atlas_mcp.settings import terminal_look

    chosen = settings(args)
    with Terminal(sys.stdout, look=terminal_look()) as terminal:
        async with connect(_target(args, chosen)) as client:
            watch = Quiet() if args.json else terminal
            outcome = await run_task(client, task, orchestrator, watch)
    saved = _save(args.transcript or chosen.store.parent / "transcripts", task, outcome)
    if args.json:
        print_json(transcript.as_dict(task, outcome))
    else:
        _print_summary(outcome, args, saved)
    if saved is None and args.transcript is not None:
        return EXIT_FAILED
    return EXIT_ABSTAINED if outcome.abstained else 0


def _target(args: argparse.Namespace, chosen: Settings) -> Target:
    from atlas_mcp.host.connection import spawned
    from atlas_mcp.settings import child_environment

    if args.server:
        return str(args.server)
    if args.in_process:
        from atlas_mcp.server.app import create_server

        return create_server(chosen)
    options = ["--store", str(chosen.store)]
    if chosen.roster:
        options += ["--roster", str(chosen.roster)]
    return spawned(options, child_environment())


def _print_summary(outcome: Outcome, args: argparse.Namespace, saved: Path | None) -> None:
    from atlas_mcp.host.terminal import amount_words

    print(f"  spent: {amount_words(outcome.ledger.spent)}")
    if args.server:
        print(f"  record: {outcome.problem_id} in the store of {args.server}")
    else:
        store = f" --store {shlex.quote(str(args.store))}" if args.store else ""
        print(f"  record: atlas-mcp evidence show {outcome.problem_id}{store}")
    if saved is not None:
        print(f"  transcript: {saved}")


def _save(folder: Path, task: Task, outcome: Outcome) -> Path | None:
    """Save the transcript. The result must not be lost for it, so a failure is only told."""
    from atlas_mcp.host import transcript

    try:
        return transcript.save(folder, task, outcome)
    except OSError as error:
        fault = f"the transcript could not be written to {folder}: {error.strerror}"
        print(f"atlas-mcp: {fault}", file=sys.stderr)
        return None
