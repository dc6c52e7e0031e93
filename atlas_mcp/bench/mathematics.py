r"""Whether two answers are the same mathematics, such as `\frac{1}{2}` and 0.5.

`math-verify` is what MATH-500 is graded with. It may run for ever on what a model writes, and its
own time limit needs the main thread of a process, so it works in processes of its own that can be
ended. Answers that it cannot finish are compared as the ledger compares them, in bounded time.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from importlib.util import find_spec

import anyio
import anyio.to_process

from atlas_mcp.equivalence import same
from solvers.errors import MissingPackageError

SECONDS = 30.0
"""How long one comparison may take, the start of a worker included."""

MEMORY = 4 * 2**30
"""How many bytes of addresses a worker may use, where the system can limit them."""

_MARK = re.compile(r"(?<!\\)\$|\\boxed|\\\(|\\\[")


async def equivalent(gold: str, answer: str, *, seconds: float = SECONDS) -> bool:
    """Whether the answer is the gold one in other words. They are not treated alike.

    Raises:
        MissingPackageError: `math-verify` is not installed.
    """
    if same(answer, gold, "math"):
        return True
    if find_spec("math_verify") is None:
        raise MissingPackageError(
            "grading mathematics needs the package math-verify: pip install 'atlas-mcp[bench]'"
        )
    with suppress(anyio.BrokenWorkerProcess), anyio.move_on_after(seconds):
        return await anyio.to_process.run_sync(verified, gold, answer, cancellable=True)
    return False


def verified(gold: str, answer: str) -> bool:
    """What `math-verify` says, without a time limit; runs in a worker."""
    logging.disable()  # it logs what it compares
    _limit_memory()
    from math_verify import parse, verify

    try:
        expected, given = (parse(_delimited(one), parsing_timeout=None) for one in (gold, answer))
        return bool(verify(expected, given, timeout_seconds=None))
    except (ArithmeticError, AttributeError, MemoryError, RecursionError, TypeError, ValueError):
        return False  # what parsers meet in the texts of models


def _delimited(text: str) -> str:
    """The text as `math-verify` finds formulas: between dollars, unless they are marked already."""
    return text if _MARK.search(text) else f"${text}$"


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
