"""Grading by running the answer: against cases of input and output, or against a written test."""

from __future__ import annotations

import ast
import math
import os
import re
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from atlas_mcp.bench import packed_cases
from atlas_mcp.bench.cases import all_pass
from atlas_mcp.sandbox.isolation import Isolation, run
from atlas_mcp.sandbox.program import Limits, Program

_SCRIPT = Path(__file__).parent / "sandboxed" / "check.py"


class Programs:
    """Runs answers in worker threads, as many at once as there are processors.

    Belongs to one event loop.
    """

    def __init__(self, isolation: Isolation = "strict") -> None:
        self._isolation: Isolation = isolation
        self._limiter = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def passes(self, facts: Mapping[str, Any], answer: str) -> bool:
        """`passes`, without blocking the loop.

        Raises:
            SetupError: programs cannot be run here; the message names the cure.
        """
        return await anyio.to_thread.run_sync(
            partial(passes, facts, answer, self._isolation),
            abandon_on_cancel=True,
            limiter=self._limiter,
        )


def passes(facts: Mapping[str, Any], answer: str, isolation: Isolation = "strict") -> bool:
    """Whether the program in an answer passes all the tests in `facts`. Blocks.

    Either `cases`, packed (see `packed_cases`), and the name of the `function` to call or None,
    or a `prompt` that the answer goes on from, a `test` that defines `check`, the `entry_point`
    to be checked, and the `seconds` it may take.

    Raises:
        SetupError: programs cannot be run here; the message names the cure.
    """
    source = program_of(answer)
    if "cases" in facts:
        cases = [one for text in facts["cases"] for one in packed_cases.unpack(text)]
        return all_pass(cases, source, function=facts["function"], isolation=isolation)
    return _checked(facts, source, isolation)


def program_of(answer: str) -> str:
    """The program in an answer: its last fenced block, or all of it."""
    fenced = re.findall(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", answer, re.DOTALL | re.MULTILINE)
    return fenced[-1] if fenced else answer


def _checked(facts: Mapping[str, Any], answer: str, isolation: Isolation) -> bool:
    word = secrets.token_hex(16).encode()
    # A model may write the function whole, or go on from its head; the margin was lost on the way.
    wholes = (f"{facts['prompt']}\n{answer}", f"{facts['prompt']}    {answer.lstrip()}")
    source = next(filter(_compiles, wholes), None)
    if source is None:
        return False
    whole = f"{source}\n\n{facts['test']}\n\ncheck({facts['entry_point']})\n"
    program = Program(
        source=_SCRIPT.read_text("utf-8"), stdin=word, files={"answer.py": whole.encode()}
    )
    limits = Limits(seconds=facts["seconds"], processor_seconds=math.ceil(facts["seconds"]))
    return run(program, limits, isolation=isolation).out == word


def _compiles(source: str) -> bool:
    try:
        ast.parse(source)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return True
