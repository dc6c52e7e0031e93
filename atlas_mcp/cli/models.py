"""`atlas-mcp models`: list, fetch and locate the weights of the embedded models."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import add_json, command, command_group, print_json, settings

if TYPE_CHECKING:
    from solvers.pulling import Progress


def add_command(commands: Any) -> None:
    help = "list, fetch and locate the embedded models"
    verbs = command_group(commands, "models", help)
    add_json(command(verbs, "list", _list, "show the embedded models and which are here"))
    pull = command(verbs, "pull", _pull, "fetch a model's weights and check their digest")
    pull.add_argument("name", metavar="NAME", help="a name of 'models list'")
    path = command(verbs, "path", _path, "print where a model's weights lie")
    path.add_argument("name", metavar="NAME", help="a name of 'models list'")


def _list(args: argparse.Namespace) -> int:
    from solvers.weights import WEIGHTS, present

    folder = settings(args).models_folder
    here = {name: present(name, folder) for name in WEIGHTS}
    if args.json:
        rows = [
            {"name": name, "bytes": one.size, "licence": one.licence, "here": here[name]}
            for name, one in WEIGHTS.items()
        ]
        print_json({"folder": str(folder), "models": rows})
        return 0
    for name, one in WEIGHTS.items():
        state = "here" if here[name] else "not fetched"
        print(f"{name:<22}{one.size / 1e6:>8,.0f} MB  {one.licence:<12}{state}")
    print(f"folder: {folder}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from solvers.pulling import pull

    bar = ProgressBar()
    try:
        path = pull(args.name, settings(args).models_folder, bar)
    finally:
        bar.close()
    print(path)
    return 0


def _path(args: argparse.Namespace) -> int:
    from solvers.weights import path_of

    print(path_of(args.name, settings(args).models_folder))
    return 0


class ProgressBar:
    """Shows a download on standard error, one line that moves or, without a terminal, a few."""

    def __init__(self) -> None:
        from atlas_mcp.settings import terminal_look

        self._live = sys.stderr.isatty() and terminal_look() != "plain"
        self._tenth = -1
        self._open = False

    def __call__(self, progress: Progress) -> None:
        share = progress.done / progress.total if progress.total else 0.0
        words = f"{progress.source}: {progress.done / 1e6:,.0f} of {progress.total / 1e6:,.0f} MB"
        if self._live:
            filled = "█" * int(share * 30)
            # A line that broke could not be taken back.
            line = f"{share:>4.0%}  {filled:<30}  {words}"[: shutil.get_terminal_size().columns - 1]
            sys.stderr.write(f"\r\x1b[2K{line}")
            self._open = True
        elif int(share * 10) != self._tenth:
            self._tenth = int(share * 10)
            sys.stderr.write(f"{share:>4.0%}  {words}\n")
        sys.stderr.flush()

    def close(self) -> None:
        if self._open:
            sys.stderr.write("\n")
            self._open = False
