"""What a proposer must know: the game, the words it may use, and the form of its reply."""

from __future__ import annotations

from atlas_mcp.discovery.proposer import Brief
from atlas_mcp.discovery.source import IMPORTS

VERSION = 1

RULES = """\
You design a controller: a rule that decides, over independent attempts of a language model at one \
question, when to start more, go on, give up and answer. It is judged on recorded attempts by \
accuracy and by cost: {unit} in all, over all attempts of a question.

# The game

A question is worked on by branches, independent attempts that each write one answer at their end. \
A branch writes intervals of a fixed number of tokens{probing}. The controller is asked once a \
round with a frozen `State` and what it remembered, and returns a `Decision`: actions, all done \
side by side, and its memory. Answers are opaque numbers: equal numbers are equal answers, and \
nothing else about them means anything.

Python, in one file, that defines `class Controller` with

    @classmethod
    def at(cls, dial: float) -> "Controller"      {dial}
    def ask(self, state: State, memory) -> Decision   # memory is None in the first round

Keep nothing between calls but in `memory`: it must be picklable, and never changed in place. \
`ask` must be pure and quick. Allowed imports: {imports}.

    from atlas_mcp.replay.state import (
        Open,      # Open(count, intervals, arm=0): start branches; intervals=None is to the end
        Continue,  # Continue(branches, intervals=1): let these numbers write on
        Probe,     # Probe(branches): read the answer that each would give now
        Prune,     # Prune(branches): give them up; what they wrote stays paid for
        Answer,    # Answer(answer): stop; alone in its decision. None abstains, which is wrong
        Decision,  # Decision(actions, memory)
        State,     # .left[0]: branches that can still be opened; .branches; .rounds; .spent
        active,    # active(state.branches): numbers of those that still write
    )
    # a branch: .depth intervals written, .answer as of its last reading, .read the depth of that \
(0: never), .ended, .pruned
    from atlas_mcp.replay.controllers.votes import count, confidence
    # count(answers) -> (leader, first, second): ignores None, ties to the first seen
    # confidence(first, second): probability that the leader is the true plurality
    from atlas_mcp.replay.controllers.dial import between, growing, whole
    # between(low, high, dial); whole(low, high, dial), rounded; growing(low, high, dial), rounded,
    # where each step of the dial multiplies

What ends the trial: an action that the state does not admit (opening more than `left`, going on \
with a pruned branch, a round that does nothing), an exception, a decision that takes seconds, \
1,000 rounds.

What helps: branches that end early are right more often than long ones; the long tail of a \
branch is what costs; confidence is best read from answers of branches that have ended.

"""

REPLY = """
# Your reply

One sentence that says what you change and why, then the whole file in one ```python block.
"""

_PROBING = ", and can be probed after each for the answer that it would give now, at no cost"
_DIAL = "# 0 to 1: sets every knob monotonically in budget"
_NO_DIAL = "# the dial is not used: choose constants"


def told(brief: Brief) -> str:
    """The rules of one run."""
    return RULES.format(
        unit=brief.unit,
        probing=_PROBING if brief.probes else "; its first step ends it",
        dial=_DIAL if brief.dial else _NO_DIAL,
        imports=", ".join(one for one in IMPORTS if not one.startswith("atlas_mcp")),
    )
