"""Controllers that are good, bad, broken and hostile: each is scored, or refused with a reason."""

from __future__ import annotations

import base64
import json
import pickle
import sys
from typing import Any

import pytest
from discovering import (
    GOLD,
    OUT,
    QUESTION,
    SHORTEST,
    WRONG,
    controller,
    escaping,
    lab,
    pool,
)
from hypothesis import given
from hypothesis import strategies as st

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.evaluation import Fence, replay_fenced
from atlas_mcp.discovery.fenced import Code, Fenced, fenced
from atlas_mcp.discovery.search import start
from atlas_mcp.replay.arrays import record
from atlas_mcp.replay.controllers.rolling import Rolling
from atlas_mcp.replay.engine import Plan, Replayed, replay
from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.state import tell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")


def same(one: Replayed, other: Replayed) -> bool:
    names = (
        "right",
        "abstained",
        "cut",
        "exhausted",
        "tokens",
        "latency",
        "calls",
        "probes",
        "rounds",
    )
    return all((getattr(one.columns, n) == getattr(other.columns, n)).all() for n in names)


@pytest.mark.parametrize("probes", [True, False])
@pytest.mark.parametrize("dial", [0.0, 0.4, 1.0])
def test_a_controller_in_the_sandbox_does_what_it_does_outside(probes: bool, dial: float) -> None:
    world = record(pool(probes=probes))
    (inside,) = replay_fenced(
        Fence(world=world, seeds=(0, 1), jobs=1), {"x": Code(source=start().source, dial=dial)}
    )
    plan = Plan(controllers=(Rolling.at(dial),), seeds=(0, 1), jobs=1)
    (outside,) = replay(world, plan)
    assert same(inside, outside)


def test_a_good_controller_beats_the_start_and_a_bad_one_does_not() -> None:
    found = lab()
    scores = {
        name: found.attempt(source).train
        for name, source in (
            ("good", SHORTEST),
            ("start", start().source),
            ("bad", controller("return Decision((Answer(None),))")),
        )
    }
    good, begun, bad = (scores[name] for name in ("good", "start", "bad"))
    assert good is not None
    assert begun is not None
    assert bad is not None
    assert good.value > begun.value
    assert bad.value <= begun.value


BROKEN = {
    "syntax": ("class Controller(:", "line 1: no valid Python"),
    "nothing": ("x = 1", "no class Controller"),
    "no-ask": ("class Controller:\n    @classmethod\n    def at(cls, dial): ...", "no method ask"),
    "signature": (SHORTEST.replace("(self, state, memory)", "(self, state)"), "write ask(self, "),
    "import": ("import socket\n" + SHORTEST, "line 1: import of socket is not allowed"),
    "late-import": (controller("__import__('socket')"), "import of socket is not allowed"),
    "at": (SHORTEST.replace("found = cls()", "found = 1 / 0"), "ZeroDivisionError"),
    "none": (controller("return None"), "it failed: TypeError"),
    "no-action": (controller("return Decision(('answer',))"), "'answer' is no action"),
    "round-7": (
        controller(
            """
            if not state.branches:
                return Decision((Open(2, 1),))
            if state.rounds == 7:
                raise ValueError("seven is enough")
            return Decision((Continue([0, 1]),))
            """
        ),
        "ValueError: seven is enough",
    ),
    "memory": (controller("return Decision((Open(1),), lambda: 0)"), "it failed:"),
    "too-many": (controller("return Decision((Open(99),))"), "dial 0: round 0: 99 branches"),
    "pruned": (
        controller(
            """
            if not state.branches:
                return Decision((Open(1, 1),))
            return Decision((Prune([0]), Continue([0])))
            """
        ),
        "branch 0 was pruned",
    ),
    "idle": (controller("return Decision(())"), "does nothing"),
    "guess": (controller("return Decision((Answer(0),))"), "what no branch had said"),
    "hidden": (
        controller(
            """
            ASKED.append(1)
            if not state.branches:
                return Decision((Open(2 if len(ASKED) > 4 else 1),))
            return Decision((Answer(state.branches[0].answer),))
            """,
            "ASKED = []",
        ),
        "asked of a question alone it decides otherwise",
    ),
    "float": (controller("return Decision((Open(1.5),))"), "is no action"),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_controller_is_refused_for_its_fault(source: str, reason: str) -> None:
    trial = lab().attempt(source)
    assert trial.points is None
    assert trial.refused is not None
    assert reason in trial.refused


HOSTILE = {
    "open": (controller("open('/etc/passwd')"), "PermissionError: open is not allowed"),
    "file": (escaping("get('os').open('/etc/passwd', 0)"), "PermissionError"),
    "write": (escaping("get('os').open('mine', 65)"), "Error"),
    "network": (
        escaping("get('socket').create_connection(('127.0.0.1', 9), 1)"),
        "PermissionError",
    ),
    "fork": (escaping("get('os').fork()"), "PermissionError"),
    "run": (escaping("get('os').execv('/bin/true', ['true'])"), "Error"),
    "kill": (escaping("o = get('os')\no.kill(o.getppid(), 9)"), "Error"),
    "exit": (controller("raise SystemExit('bye')"), "its process ended: bye"),
    "crash": (escaping("get('os')._exit(3)"), "its process ended"),
    "memory": (controller("x = [0] * 10 ** 10"), "MemoryError"),
    "endless": (controller("while True: pass"), "no decision within 2 seconds"),
    "forged": (
        escaping("o = get('os')\nfor n in range(3, 20):\n    try: o.write(n, b'[]\\n')\n"
                 "    except OSError: pass"),
        "is no decision",
    ),
    "flood": (
        escaping("o = get('os')\nfor n in range(3, 20):\n    try:\n"
                 "        while True: o.write(n, b'x' * 65536)\n    except OSError: pass"),
        "it said more than",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_controller_gets_nowhere(source: str, reason: str) -> None:
    trial = lab(seconds=2).attempt(source)
    assert trial.points is None
    assert trial.refused is not None
    assert reason in trial.refused


def test_a_controller_that_never_answers_is_cut_off_and_wrong() -> None:
    going_on = controller(
        """
        if not state.branches:
            return Decision((Open(1, 1),))
        return Decision((Continue([0]),))
        """
    )
    world = record(pool(questions=2))
    rules = Rules(max_rounds=30)
    fence = Fence(world=world, seeds=(0,), rules=rules, jobs=1)
    (found,) = replay_fenced(fence, {"x": Code(source=going_on, dial=0)})
    assert found.columns.cut.all()
    assert not found.columns.right.any()


DUMP = """
import_ = out()
gc, sys, os = import_("gc"), import_("sys"), import_("os")
canary = "canary" + "mark"
seen = [repr(one)[:100_000] for one in gc.get_objects() if type(one) in (dict, list, tuple, set)]
frame = sys._getframe()
while frame:
    seen.append(repr(frame.f_locals) + repr(frame.f_globals))
    frame = frame.f_back
for name in os.listdir("."):
    with get_file(name) as file:
        seen.append(repr(file.read()))
return Decision((Answer(None),), "".join(seen)[-6_000_000:])
"""


words = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
        ["open", "continue", "probe", "prune", "answer", "x"]
    ) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(words, max_size=4), st.none() | st.text())
def test_whatever_a_controller_says_is_a_decision_or_refused(said: list[Any], text: Any) -> None:
    class Talk:
        def ask(self, line: bytes) -> bytes:
            return json.dumps({"decisions": [[said, text]]}).encode()

    talk: Any = Talk()
    world = record(pool(questions=1))
    episode = Episode([world.arms[0].branches[0]], world.interval, Rules())
    try:
        actions, memory = Fenced(talk, Code(source="", dial=0)).ask(episode.start(), None)
        episode.act(actions)
    except BadRequestError:
        return
    assert memory.text == text


def test_a_decision_that_would_keep_us_busy_is_refused() -> None:
    trial = lab().attempt(controller("return Decision((Open(1, 1), *[Continue([0] * 1000)] * 30))"))
    assert "a decision of more than 20,000" in str(trial.refused)


def test_nothing_that_a_controller_can_reach_tells_what_is_right() -> None:
    above = OUT + '\ndef get_file(name):\n    return out()("io").FileIO(name)\n'
    dumping = controller(DUMP, above)
    quiet = controller("if state.rounds < 3:\n    return Decision((Open(1),))\n" + DUMP, above)
    world = record(pool())
    arm = world.arms[0]
    for source, rounds in ((dumping, 0), (quiet, 3)):
        episode = Episode([arm.branches[0]], world.interval, Rules())
        state, memory = episode.start(), None
        with fenced(Code(source=source, dial=0)) as asked:
            for _ in range(rounds):
                actions, memory = asked.ask(state, memory)
                state = tell(state, episode.act(actions))
            decision = asked.ask(state, memory)
        dump = pickle.loads(base64.b64decode(decision.memory.text))
        assert "canarymark" in dump, "it did look around"
        for secret in (GOLD, WRONG, QUESTION):
            assert secret not in dump


def test_answers_are_numbers_in_the_order_in_which_they_were_met() -> None:
    tattling = controller(
        """
        if len(state.branches) < 6:
            return Decision((Open(1),))
        return Decision((Answer(None),), [one.answer for one in state.branches])
        """
    )
    world = record(pool())
    draws = world.arms[0].branches[0]
    episode = Episode([draws], world.interval, Rules())
    state, memory = episode.start(), None
    with fenced(Code(source=tattling, dial=0)) as asked:
        for _ in range(6):
            actions, memory = asked.ask(state, memory)
            state = tell(state, episode.act(actions))
        decision = asked.ask(state, memory)
    met = [one.readings[-1] for one in draws[:6]]
    order = list(dict.fromkeys(met))
    assert pickle.loads(base64.b64decode(decision.memory.text)) == [order.index(a) for a in met]
