"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas_mcp.settings import Settings

Run = Callable[[argparse.Namespace], int]


def command(commands: Any, name: str, run: Run, help: str) -> argparse.ArgumentParser:
    """Add a command that calls `run`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=_sentence(help)
    )
    parser.set_defaults(run=run)
    return parser


def command_group(commands: Any, name: str, help: str) -> Any:
    """Add a command whose verbs are commands of their own; add those to what this returns."""
    parser = commands.add_parser(name, help=help, description=_sentence(help))
    return parser.add_subparsers(title="verbs", required=True, metavar="VERB")


def _sentence(help: str) -> str:
    return f"{help[0].upper()}{help[1:]}."


def add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="evidence store (default: ATLAS_STORE)"
    )


def add_roster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--roster", type=Path, metavar="FILE", help="roster of solvers (default: ATLAS_ROSTER)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def settings(args: argparse.Namespace) -> Settings:
    """The settings of the environment, with the options of this command on top."""
    from atlas_mcp.settings import load_settings

    given = {
        name: value.expanduser()
        for name in ("store", "roster")
        if (value := getattr(args, name, None)) is not None
    }
    return load_settings().model_copy(update=given)


def print_json(value: object) -> None:
    # Where the encoding lacks a character, the escapes of JSON still say which it is.
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, ensure_ascii=ascii_only, indent=2))
