"""`atlas-mcp ask`: put a problem to the reference host."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli import orchestrators
from atlas_mcp.cli.faults import EXIT_FAILED
from atlas_mcp.cli.options import add_json, add_roster, add_store, command, print_json, settings
from atlas_mcp.core.errors import BadRequestError
from solvers.types import ANSWER_KINDS, EFFORTS

if TYPE_CHECKING:
    from atlas_mcp.host.connection import Target
    from atlas_mcp.host.orchestrator import Outcome, Progress, Task
    from atlas_mcp.host.transcript import Interrupted, Transcript
    from atlas_mcp.settings import Settings

EXIT_ABSTAINED = 3


def add_command(commands: Any) -> None:
    parser = command(
        commands, "ask", run, "gather evidence on a problem and conclude; exit 3 on abstention"
    )
    parser.add_argument(
        "problem", nargs="?", help="the problem, or - to read it from standard input"
    )
    orchestrators.add_orchestrators(parser)
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
        help="an image of at most 5 MB that belongs to the problem; may be given several times",
    )
    parser.add_argument(
        "--max-calls", type=int, metavar="N", help="cap on solver calls of this run"
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="cap on the tokens of solvers and orchestrator together",
    )
    parser.add_argument("--max-usd", type=float, metavar="X", help="cap on their dollars")
    parser.add_argument(
        "--max-seconds", type=float, metavar="X", help="cap on the time that this run takes"
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
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="TRANSCRIPT",
        help="go on with a run that was cut off; what it paid for is not paid for again",
    )
    add_roster(parser)
    add_store(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    import anyio

    from atlas_mcp.host import transcript

    before = None
    if args.resume is not None:
        if args.problem is not None:
            raise BadRequestError("--resume goes on with its transcript's problem: pass no other")
        before = transcript.read(args.resume)
        _set_again(args, before.made_by)
    for cap in ("max_calls", "max_tokens", "max_usd", "max_seconds"):
        _check_cap(cap, getattr(args, cap))
    task = _task(args)
    chosen = settings(args)
    orchestrators.check(args, chosen)
    args.orchestrator = orchestrators.pinned(args, chosen)
    if args.transcript is not None:
        transcript.check(args.transcript)  # before the run is paid for
    return anyio.run(_ask, args, chosen, task, before)


def _check_cap(name: str, value: float | None) -> None:
    option = f"--{name.replace('_', '-')}"
    if value is not None and not 0 < value < float("inf"):
        least = "at least 1" if isinstance(value, int) else "more than 0"
        raise BadRequestError(f"{option} must be {least}")


def _task(args: argparse.Namespace) -> Task:
    from atlas_mcp.host.orchestrator import Task

    if args.problem is None:
        raise BadRequestError("pass the problem, or --resume TRANSCRIPT")
    text = _standard_input() if args.problem == "-" else args.problem
    if not text.strip():
        raise BadRequestError("the problem is empty")
    args.problem = text
    return Task(
        text=text,
        answer_kind=args.answer_kind,
        scope=args.scope,
        max_calls=args.max_calls,
        max_tokens=args.max_tokens,
        max_usd=args.max_usd,
        max_seconds=args.max_seconds,
        attachments=_attached(args.attach),
    )


def _attached(named: Sequence[str]) -> tuple[str, ...]:
    """Files as `data:` URIs: the server need not be on this machine, nor allowed to read them."""
    from atlas_mcp.server.attachments import read_attachments
    from solvers.images import data_url

    return tuple(data_url(one) for one in read_attachments(named))


_FILES = ("store", "roster")
_OF_THIS_RUN = ("run", "json", "resume", "transcript")


def _made_by(args: argparse.Namespace, chosen: Settings) -> dict[str, Any]:
    """The options of this run, so that it can be set up again from another folder."""
    found = {name: value for name, value in vars(args).items() if name not in _OF_THIS_RUN}
    files = {name: getattr(chosen, name) for name in _FILES}
    found["attach"] = [one if one.startswith("data:") else abspath(one) for one in args.attach]
    return {**found, **{name: file and str(file.absolute()) for name, file in files.items()}}


def _set_again(args: argparse.Namespace, made_by: Mapping[str, Any]) -> None:
    """Take the options of an earlier run, but for the files and the server named anew."""
    for name, value in made_by.items():
        if name not in (*_FILES, "server") or getattr(args, name, None) is None:
            setattr(args, name, Path(value) if name in _FILES and value else value)


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


async def _ask(
    args: argparse.Namespace, chosen: Settings, task: Task, before: Interrupted | None
) -> int:
    from atlas_mcp.core.redaction import Redactor
    from atlas_mcp.host.connection import connect
    from atlas_mcp.host.model_orchestrator import ModelOrchestrator
    from atlas_mcp.host.orchestrator import Quiet
    from atlas_mcp.host.running import run as run_task
    from atlas_mcp.host.terminal import Terminal
    from atlas_mcp.host.transcript import Transcript, as_dict, new_path
    from atlas_mcp.settings import terminal_look

    talk, progress = (before.talk, before.progress) if before else (None, None)
    folder = args.transcript or chosen.store.parent / "transcripts"
    with Terminal(sys.stdout, look=terminal_look()) as terminal:
        async with (
            connect(_target(args, chosen)) as client,
            orchestrators.opened(args, chosen, client, talk, task.attachments) as orchestrator,
        ):
            saving = _Saving(
                Transcript(
                    args.resume or new_path(folder),
                    task,
                    made_by=_made_by(args, chosen),
                    talk=lambda: (
                        orchestrator.talk if isinstance(orchestrator, ModelOrchestrator) else None
                    ),
                    redact=Redactor(chosen.secrets),
                )
            )
            with saving.told_how_to_go_on():
                outcome = await run_task(
                    client,
                    task,
                    orchestrator,
                    Quiet() if args.json else terminal,
                    progress=progress,
                    keep=saving.keep,
                )
            await saving.finish(outcome)
    if args.json:
        print_json(as_dict(task, outcome))
    else:
        _print_summary(outcome, args, saving.path)
    if saving.fault is not None and args.transcript is not None:
        return EXIT_FAILED
    return EXIT_ABSTAINED if outcome.abstained else 0


class _Saving:
    """Keeps the transcript. The run must not be lost for it, so a failure is only told."""

    def __init__(self, transcript: Transcript) -> None:
        self.fault: OSError | None = None
        self._transcript = transcript
        self._has_evidence = False

    @property
    def path(self) -> Path | None:
        return None if self.fault else self._transcript.path

    async def keep(self, progress: Progress) -> None:
        self._has_evidence = bool(progress.evidence)
        try:
            self._transcript.path.parent.mkdir(parents=True, exist_ok=True)
            await self._transcript.keep(progress)
        except OSError as error:
            self.fault = error

    async def finish(self, outcome: Outcome) -> None:
        try:
            await self._transcript.finish(outcome)
            self.fault = None
        except OSError as error:
            self.fault = error
            folder = self._transcript.path.parent
            fault = f"the transcript could not be written to {folder}: {error.strerror}"
            print(f"atlas-mcp: {fault}", file=sys.stderr)

    @contextmanager
    def told_how_to_go_on(self) -> Iterator[None]:
        """Where evidence was paid for and the run is cut off, say how to go on with it."""
        try:
            yield
        except BaseException:
            if self._has_evidence and self.path:
                again = shlex.join(["atlas-mcp", "ask", "--resume", str(self.path)])
                print(f"atlas-mcp: to go on: {again}", file=sys.stderr)
            raise


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
    from atlas_mcp.host.terminal import amount_words, own_words

    print(f"  spent: {amount_words(outcome.ledger.spent)}")
    if outcome.purse.own.usage.requests:
        print(f"  orchestrator: {own_words(outcome.purse)}")
    if args.server:
        print(f"  record: {outcome.problem_id} in the store of {args.server}")
    else:
        store = f" --store {shlex.quote(str(args.store))}" if args.store else ""
        print(f"  record: atlas-mcp evidence show {outcome.problem_id}{store}")
    if saved is not None:
        print(f"  transcript: {saved}")
