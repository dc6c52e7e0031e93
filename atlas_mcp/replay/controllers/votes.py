"""Counting votes, the way all controllers do: ties go to the answer seen first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple


class Count(NamedTuple):
    """The answer with most votes, its votes, and those of the next one."""

    leader: Hashable | None
    first: int
    second: int


def count(answers: Iterable[Hashable | None]) -> Count:
    """Count answers in the order in which they were seen. None has no vote."""
    votes = Counter(answers)
    votes.pop(None, None)
    if not votes:
        return Count(None, 0, 0)
    *_, second, first = (0, *sorted(votes.values()))
    return Count(_most(votes), first, second)


def plurality(answers: Iterable[Hashable | None]) -> Hashable | None:
    """The leader of `count` alone, which is quicker found."""
    votes = Counter(answers)
    votes.pop(None, None)
    return _most(votes) if votes else None


class Tally(NamedTuple):
    """What `count` says of votes that come in little by little.

    `asked` counts them with those of None. Never changed in place: `plus` gives another.
    """

    votes: Mapping[Hashable, int]
    asked: int
    leader: Hashable | None
    first: int
    second: int

    def plus(self, answers: Sequence[Hashable | None]) -> Tally:
        """The same with more votes behind the others."""
        votes = {**self.votes}
        leader, first, second = self.leader, self.first, self.second
        for answer in answers:
            if answer is None:
                continue
            votes[answer] = found = votes.get(answer, 0) + 1
            if answer == leader:
                first = found
            elif found > first:
                leader, first, second = answer, found, first
            elif found == first:
                leader, second = _most(votes), found
            elif found > second:
                second = found
        return Tally(votes, self.asked + len(answers), leader, first, second)


NO_VOTES = Tally({}, 0, None, 0, 0)


def _most(votes: Mapping[Hashable, int]) -> Hashable:
    return max(votes, key=votes.__getitem__)  # of equals the one that came in first


@cache
def confidence(first: int, second: int) -> float:
    """The probability that the leader truly is more frequent than the runner-up.

    Under a uniform prior, P(p > 1/2) for p ~ Beta(first + 1, second + 1), which equals
    P(Binomial(first + second + 1, 1/2) <= first). Exact up to the final rounding.
    """
    draws = first + second + 1
    term = tail = 1
    for chosen in range(first):
        term = term * (draws - chosen) // (chosen + 1)
        tail += term
    return tail / (1 << draws)
