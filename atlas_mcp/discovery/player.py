"""What runs in the sandbox: a controller that nobody vouches for, asked line by line.

Run as a script beside `words.zip`, which holds the modules that a controller may import of ours.
The first line is {source, dial, imports}, each later one a list of [state, memory]; each is
answered with {decisions} or {fault}. A memory stays on the other side as text, so that nothing
is remembered here but by what a controller hides.
"""

from __future__ import annotations

import base64
import builtins
import json
import os
import pickle
import sys
import traceback
from types import ModuleType
from typing import Any

MODULE = "controller"


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a controller prints is no answer
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "words.zip"))
    controller: Any = None
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        told: dict[str, Any]
        try:
            if controller is None:
                controller = _load(**asked)
                told = {"decisions": []}
            else:
                told = {"decisions": [_ask(controller, *one) for one in asked]}
        except Exception as error:
            told = {"fault": _fault(error)}
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()


def _load(source: str, dial: float, imports: list[str]) -> Any:
    module = sys.modules[MODULE] = ModuleType(MODULE)
    module.__dict__["__builtins__"] = {**vars(builtins), **_tamed(set(imports))}
    exec(compile(source, MODULE, "exec"), module.__dict__)
    return module.__dict__["Controller"].at(dial)


def _tamed(imports: set[str]) -> dict[str, Any]:
    """Builtins that say clearly what the sandbox would not allow anyway."""

    def import_(name: str, *more: Any) -> Any:
        if name not in imports:
            raise ImportError(f"import of {name} is not allowed")
        return builtins.__import__(name, *more)

    def refuse(name: str) -> Any:
        def refused(*_: Any, **__: Any) -> None:
            raise PermissionError(f"{name} is not allowed")

        return refused

    names = ("open", "input", "breakpoint", "eval", "exec", "compile")
    return {"__import__": import_, **{name: refuse(name) for name in names}}


def _ask(controller: Any, state: Any, memory: str | None) -> list[Any]:
    from atlas_mcp.replay.state import Branch, Spent, State, plain

    left, branches, rounds, spent = state
    known = State(tuple(left), tuple(Branch(*one) for one in branches), rounds, Spent(*spent))
    carried = None if memory is None else pickle.loads(base64.b64decode(memory))
    actions, kept = controller.ask(known, carried)
    written = None if kept is None else base64.b64encode(pickle.dumps(kept)).decode()
    return [[plain(one) for one in actions], written]


def _fault(error: Exception) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == MODULE]
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {error!s:.300}"


if __name__ == "__main__":
    main()
