"""One question, played on recorded branches: what actions cost and what they bring.

Costs are those of the source of the recordings (AutoTTS): a branch that is read step by step
costs an interval a probe, and its last step what is left of its length; one that is read at
once costs its length. So the last interval is charged in full even where the branch ended
within it, and continuing a branch that has ended charges its last step again. `Rules(exact=True)`
mends both: nothing costs more than was written, and what has ended cannot go on.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from atlas_mcp.replay.state import (
    Action,
    Answer,
    Branch,
    Continue,
    IllegalActionError,
    Open,
    Probe,
    Prune,
    Report,
    Spent,
    State,
)

MOST_ROUNDS = 1_000
"""More rounds than any controller needs that means to answer."""


class Draw(NamedTuple):
    """What one branch has written. `readings` has an answer for each step; the last one ends it.

    None is no answer. Tokens and dollars are nan where they were not recorded.
    """

    tokens: float
    usd: float
    readings: Sequence[Hashable | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How costs are reckoned and when an episode is cut off.

    `probe_tokens` is the price of a probe. An episode that spends more than `max_tokens` or
    is not answered after `max_rounds` ends without an answer.
    """

    probe_tokens: float = 0.0
    exact: bool = False
    max_tokens: float = math.inf
    max_rounds: int = MOST_ROUNDS

    @property
    def cut(self) -> bool:
        """Whether they may cut off a controller that means to answer."""
        return self.max_tokens < math.inf or self.max_rounds < MOST_ROUNDS


class Episode:
    """The branches of one question in the order in which they are opened, by arm.

    `interval` is the number of tokens between two probes.
    """

    def __init__(self, arms: Sequence[Sequence[Draw]], interval: float, rules: Rules) -> None:
        self._waiting = [iter(draws) for draws in arms]
        self._left = [len(draws) for draws in arms]
        self._interval = interval
        self._rules = rules
        self._lines: dict[int, _Line] = {}
        self._rounds = self._probes = 0
        self._tokens = self._latency = self._usd = 0.0

    def start(self) -> State:
        return State(left=tuple(self._left))

    def act(self, actions: Iterable[Action]) -> Report:
        """Do the actions of one round, in order; different branches move side by side.

        Raises:
            IllegalActionError: one of them is not admissible. The episode is then over.
        """
        costs: dict[int, float] = {}
        for action in actions:
            if isinstance(action, Continue):
                self._write(action.branches, action.intervals, costs)
            elif isinstance(action, Probe):
                self._probe(action.branches, costs)
            elif isinstance(action, Open):
                self._write(self._open(action.count, action.arm), action.intervals, costs)
            elif isinstance(action, Prune):
                self._prune(action.branches, costs)
            elif isinstance(action, Answer):
                raise IllegalActionError("an answer must be the only action of its decision")
            else:
                raise IllegalActionError(f"{action!r} is no action")
        if not costs:
            raise IllegalActionError("a decision that does nothing: answer, or open a branch")
        self._book(costs)
        lines = self._lines
        seen = {number: lines[number].known() for number in costs}
        return Report(seen, tuple(self._left), self._rounds, self._spent())

    def answer(self, action: Answer) -> Hashable | None:
        """What an answer comes to.

        Raises:
            IllegalActionError: no branch has answered so, as far as it was read.
        """
        if action.answer is None:
            return None
        for line in self._lines.values():
            for answer in line.draw.readings[: line.read]:
                if answer == action.answer:
                    return answer
        raise IllegalActionError(f"no branch has answered {action.answer!r}, so it is a guess")

    def _open(self, count: int, arm: int) -> range:
        if not 0 <= arm < len(self._left):
            raise IllegalActionError(f"there is no arm {arm}; there are {len(self._left)}, from 0")
        if not 1 <= count <= self._left[arm]:
            raise IllegalActionError(
                f"{count} branches of arm {arm} cannot be opened: {self._left[arm]} are left"
            )
        self._left[arm] -= count
        numbers = range(len(self._lines), len(self._lines) + count)
        for number in numbers:
            draw = next(self._waiting[arm])
            self._lines[number] = _Line(arm, draw, len(draw.readings) - 1)
        return numbers

    def _write(
        self, branches: Iterable[int], intervals: int | None, costs: dict[int, float]
    ) -> None:
        if intervals is not None and intervals < 1:
            raise IllegalActionError(f"no branch can go on for {intervals} intervals")
        lines, interval, exact = self._lines, self._interval, self._rules.exact
        for number in branches:
            line = lines.get(number)
            if line is None or line.pruned or (exact and line.ended):
                raise self._refused(number)
            cost = line.write(intervals, interval, exact)
            costs[number] = costs[number] + cost if number in costs else cost

    def _probe(self, branches: Iterable[int], costs: dict[int, float]) -> None:
        lines, price = self._lines, self._rules.probe_tokens
        for number in branches:
            line = lines.get(number)
            if line is None or line.pruned or not line.depth:
                raise self._refused(number)
            if line.ended:
                costs.setdefault(number, 0.0)
                continue
            line.read = line.depth
            self._probes += 1
            costs[number] = costs[number] + price if number in costs else price

    def _prune(self, branches: Iterable[int], costs: dict[int, float]) -> None:
        for number in branches:
            line = self._lines.get(number)
            if line is None or line.pruned:
                raise self._refused(number)
            line.pruned = True
            costs.setdefault(number, 0.0)

    def _refused(self, number: int) -> IllegalActionError:
        line = self._lines.get(number)
        if line is None:
            return IllegalActionError(
                f"there is no branch {number}; {len(self._lines)} are open, from 0"
            )
        why = "was pruned" if line.pruned else "has ended" if line.ended else "has written nothing"
        return IllegalActionError(f"branch {number} {why}: this cannot be done with it")

    def _book(self, costs: dict[int, float]) -> None:
        self._rounds += 1
        self._tokens += sum(costs.values())
        self._latency += max(costs.values())
        if not math.isnan(self._usd):
            self._usd += sum(self._lines[number].price(cost) for number, cost in costs.items())

    def _spent(self) -> Spent:
        known = not math.isnan(self._tokens)
        return Spent(
            tokens=self._tokens if known else None,
            latency=self._latency if known else None,
            usd=None if math.isnan(self._usd) else self._usd,
            calls=len(self._lines),
            probes=self._probes,
        )


@dataclass(slots=True)
class _Line:
    """One branch while it is read. `paid` is what was charged for whole intervals, or at once."""

    arm: int
    draw: Draw
    probes: int
    depth: int = 0
    read: int = 0
    paid: float = 0.0
    ended: bool = False
    pruned: bool = False

    def write(self, intervals: int | None, interval: float, exact: bool) -> float:
        """Go on, and return what that costs."""
        if intervals == 1 and self.depth < self.probes and not exact:  # nearly always, so quick
            self.depth += 1
            self.paid += interval
            return interval
        tokens, readings = self.draw.tokens, self.draw.readings
        left = self.probes - self.depth
        steps = left if intervals is None or intervals > left else intervals
        cost = 0.0
        if intervals is not None and steps > 0:
            cost = min(steps * interval, tokens - self.paid) if exact else steps * interval
            self.paid += cost
        if steps == intervals:
            self.depth += steps
            return cost
        rest = 0.0 if tokens < self.paid else tokens - self.paid
        if intervals is None:
            # A last step on its own is not booked, so the source charges it again.
            self.paid += rest
        self.depth = self.read = len(readings)
        self.ended = True
        return cost + rest

    def known(self) -> Branch:
        """What has been told of it."""
        answer = self.draw.readings[self.read - 1] if self.read else None
        return Branch(self.arm, self.depth, self.read, answer, self.ended, self.pruned)

    def price(self, tokens: float) -> float:
        """Dollars for so many of its tokens. One of unknown length is paid as a whole."""
        whole = self.draw.tokens
        return self.draw.usd * (tokens / whole if whole > 0 else 1.0)
