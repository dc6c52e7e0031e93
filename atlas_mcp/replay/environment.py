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

from atlas_mcp.replay.draws import Draw, Line
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
        self._interval = 0.0 if math.isnan(interval) else interval
        self._rules = rules
        self._lines = _Lines()
        self._known: list[Branch] = []
        # Of a round: how many branches wrote an interval and were read, each for the same, and
        # what the other ones cost.
        self._step_cost = self._interval + rules.probe_tokens
        self._steps = 0
        self._costs: dict[int, float] = {}
        self._rounds = self._probes = 0
        self._tokens = self._latency = self._usd = 0.0

    def start(self) -> State:
        return State(left=tuple(self._left))

    def act(self, actions: Sequence[Action]) -> Report:
        """Do the actions of one round, in order; different branches move side by side.

        Raises:
            IllegalActionError: one of them is not admissible. The episode is then over.
        """
        self._do(actions)
        lines = self._lines.items()
        seen = {number: self._known[number] for number, line in lines if line.moved == self._rounds}
        return Report(seen, tuple(self._left), self._rounds, self._spent())

    def advance(self, actions: Sequence[Action]) -> State:
        """Do the same, and return what `tell` makes of it and all reports before."""
        self._do(actions)
        return State(tuple(self._left), tuple(self._known), self._rounds, self._spent())

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

    def _do(self, actions: Sequence[Action]) -> None:
        self._rounds += 1
        self._steps, self._costs = 0, {}
        read: Action | None = None
        for action, after in zip(actions, (*actions[1:], None), strict=False):
            if isinstance(action, Continue):
                read = self._go_on(action.branches, action.intervals, after)
            elif isinstance(action, Probe):
                if action is not read:
                    self._probe(action.branches)
                read = None
            elif isinstance(action, Open):
                opened = self._open(action.count, action.arm)
                read = self._go_on(opened, action.intervals, after)
            elif isinstance(action, Prune):
                self._prune(action.branches)
            elif isinstance(action, Answer):
                raise IllegalActionError("an answer must be the only action of its decision")
            else:
                raise IllegalActionError(f"{action!r} is no action")
        if not self._steps and not self._costs:
            raise IllegalActionError("a decision that does nothing: answer, or open a branch")
        self._book()

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
            told = [one._replace(arm=arm) for one in draw.told] if arm else draw.told
            self._lines[number] = Line(draw, told, len(draw.readings) - 1)
        self._known += [Branch(-1)] * count
        return numbers

    def _go_on(
        self, branches: Sequence[int], intervals: int | None, after: Action | None
    ) -> Action | None:
        """Let branches write, and read them if that is the next action, which is then returned."""
        single = intervals == 1 and not self._rules.exact
        if single and isinstance(after, Probe) and _same(branches, after.branches):
            self._step(branches)
            return after
        self._write(branches, intervals)
        return None

    def _step(self, branches: Sequence[int]) -> None:
        """What most rounds are: one look at each branch does what `_write` and `_probe` do."""
        lines, known, interval, now = self._lines, self._known, self._interval, self._rounds
        others = 0
        for number in branches:
            line = lines[number]
            depth, probes = line.depth, line.probes
            if depth > probes or line.pruned or line.moved == now:
                self._write((number,), 1)
                self._probe((number,))
                others += 1
                continue
            line.moved = now
            line.depth = line.read = depth + 1
            known[number] = line.told[depth + 1]
            if depth == probes:
                self._costs[number] = line.rest(probes * interval)
                others += 1
        self._steps += len(branches) - others
        self._probes += len(branches) - others

    def _write(self, branches: Iterable[int], intervals: int | None) -> None:
        if intervals is not None and intervals < 1:
            raise IllegalActionError(f"no branch can go on for {intervals} intervals")
        lines, interval, exact = self._lines, self._interval, self._rules.exact
        for number in branches:
            line = lines[number]
            if line.pruned or (exact and line.ended):
                raise _refused(number, line)
            self._note(number, line, line.write(intervals, interval, exact))

    def _probe(self, branches: Iterable[int]) -> None:
        for number in branches:
            line = self._lines[number]
            if line.pruned or not line.depth:
                raise _refused(number, line)
            if line.ended:
                self._note(number, line, 0.0)
                continue
            line.read = line.depth
            self._probes += 1
            self._note(number, line, self._rules.probe_tokens)

    def _prune(self, branches: Iterable[int]) -> None:
        for number in branches:
            line = self._lines[number]
            if line.pruned:
                raise _refused(number, line)
            line.pruned = True
            self._note(number, line, 0.0)

    def _note(self, number: int, line: Line, cost: float) -> None:
        """Note what there is to tell of a branch and to pay for it, beside or behind a step."""
        if line.moved != self._rounds:
            line.moved = self._rounds
            self._costs[number] = cost
        elif number in self._costs:
            self._costs[number] += cost
        else:
            self._steps -= 1
            self._costs[number] = self._step_cost + cost
        self._known[number] = line.known()

    def _book(self) -> None:
        step = self._step_cost
        longest = step if self._steps else 0.0
        if self._costs:
            self._tokens += sum(self._costs.values())
            longest = max(longest, max(self._costs.values()))
        self._tokens += self._steps * step
        self._latency += longest
        if not math.isnan(self._usd):
            self._usd += sum(
                line.price(self._costs.get(number, step))
                for number, line in self._lines.items()
                if line.moved == self._rounds
            )

    def _spent(self) -> Spent:
        known = not math.isnan(self._tokens)
        return Spent(
            self._tokens if known else None,
            self._latency if known else None,
            None if math.isnan(self._usd) else self._usd,
            len(self._lines),
            self._probes,
        )


class _Lines(dict[int, "Line"]):
    """The branches of an episode by their numbers, in order."""

    def __missing__(self, number: int) -> Line:
        raise IllegalActionError(f"there is no branch {number}; {len(self)} are open, from 0")


def _same(branches: Sequence[int], others: Sequence[int]) -> bool:
    """Whether they are the same ones, each of them once; False where that is no quick look."""
    if type(branches) is not type(others):
        return False
    if isinstance(branches, range):
        return branches == others
    same = branches is others or (isinstance(branches, list | tuple) and branches == others)
    return same and len(set(branches)) == len(branches)


def _refused(number: int, line: Line) -> IllegalActionError:
    why = "was pruned" if line.pruned else "has ended" if line.ended else "has written nothing"
    return IllegalActionError(f"branch {number} {why}: this cannot be done with it")
