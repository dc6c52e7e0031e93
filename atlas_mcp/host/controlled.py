"""A controller drives the reference host: the object that is replayed on recordings, live.

BRANCH is an `explore`, and a branch is one draw. Solvers do not stream what they think so far, so
the first step of a branch ends it; PROBE and CONTINUE then tell its answer, and cost nothing. A
controller that goes by what branches think half-way works too, and knows the final answers alone.

Controllers are pure, so nothing of them is kept: what one decided before, it decides again on the
evidence of the run. A run that was cut off goes on from there, and pays for nothing twice.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import anyio.to_thread

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.equivalence import canonical
from atlas_mcp.host.orchestrator import Abstain, Answer, Explore, Explores, Step, View, leading
from atlas_mcp.host.replies import Capsule, dispatched
from atlas_mcp.host.rules import MAX_DRAWS, cure
from atlas_mcp.replay import state as replay
from atlas_mcp.replay.draws import Draw
from atlas_mcp.replay.environment import MOST_ROUNDS, Episode, Rules
from solvers.types import AnswerKind

log = logging.getLogger(__name__)

MOST = 1_000
"""How many branches of an arm a controller sees left where nothing bounds them."""

_NOT_YET = Draw(math.nan, math.nan, (None,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """Does what a controller decides, on draws of `arms`, which it knows by their places.

    It sees `calls` branches left of each arm at the start. Answers are the same where those of
    this `kind` are. The tokens that it sees are those that solvers wrote, as on recordings. One
    that fails, or does what its state does not admit, ends the run with the answer that leads, and
    nothing is paid for that decision. It is asked in a worker thread, as it may take its time.
    """

    controller: replay.Controller
    arms: tuple[Explore, ...]
    kind: AnswerKind = "auto"
    calls: int | None = None

    @property
    def name(self) -> str:
        return f"controller:{self.controller.name}"

    async def decide(self, view: View) -> Step:
        if (hopeless := cure(view)) is not None:
            return Abstain(because=hopeless)
        written = {one.id: await view.written(one.id) for one in view.evidence}
        decided = partial(self._decided, view, written)
        try:
            return await anyio.to_thread.run_sync(decided, abandon_on_cancel=True)
        except replay.IllegalActionError as error:
            return leading(view.ledger, f"{self.name} did what it may not ({error})")
        except BadRequestError as error:
            return leading(view.ledger, f"{self.name}: {error}")
        except Exception as error:  # code of others, which must not lose what has been found
            log.warning("controller failed: %s", self.name, exc_info=True)
            return leading(view.ledger, f"{self.name} failed ({error!r})")

    def _decided(self, view: View, written: Mapping[str, int | None]) -> Step:
        """The first decision that is not carried out yet: the earlier ones are played again.

        Every decision is played before anything is dispatched, on draws that are not there yet.
        """
        evidence = dispatched(view.evidence)
        draws = {one.id: self._draw(one, written[one.id], view) for one in evidence}
        drawn = [[one for one in evidence if self._is_of(one, arm)] for arm in self.arms]
        offered = [self._offered(found, draws) for found in drawn]
        episode = Episode(offered, math.nan, Rules())
        known, memory = episode.start(), None
        while True:
            actions, memory = self.controller.ask(known, memory)
            if len(actions) == 1 and isinstance(last := actions[0], replay.Answer):
                return _answer(episode.answer(last), evidence, draws)
            if known.rounds >= MOST_ROUNDS:
                return leading(
                    view.ledger, f"{self.name} gave no answer after {known.rounds:,} rounds"
                )
            report = episode.act([_without_continuing(one) for one in actions])
            missing = [
                len(branches) - left - len(found)
                for branches, left, found in zip(offered, report.left, drawn, strict=True)
            ]
            if max(missing) > 0:
                return self._explores(missing, view)
            known = replay.tell(known, report)

    def _is_of(self, one: Capsule, arm: Explore) -> bool:
        return len(self.arms) == 1 or one.solver == arm.solver

    def _draw(self, one: Capsule, written: int | None, view: View) -> Draw:
        key = None if one.answer is None else canonical(one.answer, self.kind, view.problem)
        return Draw(_amount(written), _amount(one.usd), (key,))

    def _offered(self, found: Sequence[Capsule], known: Mapping[str, Draw]) -> list[Draw]:
        """The draws that an arm has: those that were found, and those that may follow."""
        draws = [known[one.id] for one in found if not one.unrecorded]
        if len(draws) < len(found):  # a pool has told its end
            return draws
        return draws + [_NOT_YET] * ((self.calls or MOST) - len(draws))

    def _explores(self, missing: Sequence[int], view: View) -> Explore | Explores:
        """Dispatch the branches that a decision has opened, all at the same time."""
        explores = tuple(
            replace(arm, draws=min(count - start, MAX_DRAWS))
            for arm, count in zip(self.arms, missing, strict=True)
            for start in range(0, count, MAX_DRAWS)
        )
        # What is asked for alone, and was refused before, ends the run.
        alone = view.refused or len(explores) == 1
        return explores[0] if alone else Explores(explores=explores)


def _amount(known: float | None) -> float:
    return math.nan if known is None else known


def _without_continuing(action: replay.Action) -> replay.Action:
    """To continue a branch that has ended is to hear its answer once more."""
    return replay.Probe(action.branches) if isinstance(action, replay.Continue) else action


def _answer(key: Hashable | None, evidence: Sequence[Capsule], draws: Mapping[str, Draw]) -> Step:
    answers = [one.answer for one in evidence if one.answer is not None]
    if key is None:
        nothing = f"none of {len(evidence)} calls gave a readable answer"
        return Abstain(because="the controller abstains" if answers else nothing)
    same = [one.answer for one in evidence if one.answer and draws[one.id].readings == (key,)]
    return Answer(answer=same[0], because=f"{len(same)} of {len(answers)} answers agree")
