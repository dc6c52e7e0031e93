"""The command `atlas-mcp`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from atlas_mcp.cli import ask, demo, evidence, models, serve
from atlas_mcp.core.errors import AtlasError, BadRequestError
from solvers.errors import FixSetupError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_EXPECTED = (AtlasError, FixSetupError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 when it failed, 2 on wrong use."""
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except _EXPECTED as error:
        return _explain(error)
    except BaseExceptionGroup as group:  # from a task group, around one of the above
        expected, other = group.split((*_EXPECTED, KeyboardInterrupt))
        if expected is None or other is not None:
            raise
        return _explain(_first(expected))
    except KeyboardInterrupt as interrupt:
        return _explain(interrupt)
    except BrokenPipeError:
        return EXIT_FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="atlas-mcp",
        description="Dispatch fresh, independent solvers on a problem and get evidence back, "
        "from any MCP host or from this command.",
    )
    parser.add_argument("--version", action="version", version=f"atlas-mcp {version('atlas-mcp')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (demo, ask, serve, models, evidence):
        module.add_command(commands)
    return parser


def _explain(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        print("atlas-mcp: interrupted; what was found is kept", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"atlas-mcp: {error}", file=sys.stderr)
    return EXIT_USAGE if isinstance(error, BadRequestError) else EXIT_FAILED


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
