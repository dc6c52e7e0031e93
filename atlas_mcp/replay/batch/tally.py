"""Votes of many episodes, one for each at a time; ties go to the answer seen first."""

from __future__ import annotations

from functools import cache

import numpy as np

from atlas_mcp.replay.arrays import NO_ANSWER, Floats, Ints
from atlas_mcp.replay.batch.episodes import ranks
from atlas_mcp.replay.controllers.votes import confidence

UNSEEN = np.iinfo(np.int32).min
"""Seen after all others."""


class Tally:
    """Counts votes as they come. `leader`, `first` and `second` are always up to date."""

    def __init__(self, size: int, codes: int) -> None:
        self._counts = np.zeros((size, codes), np.int32)
        self._seen = np.zeros((size, codes), np.int32)
        self._votes = np.zeros(size, np.int32)
        self.leader: Ints = np.full(size, NO_ANSWER)
        self.first: Ints = np.zeros(size, np.int64)
        self.second: Ints = np.zeros(size, np.int64)

    def add(self, episodes: Ints, codes: Ints) -> None:
        """Add one vote to each of these episodes, which are all different."""
        voting = codes != NO_ANSWER
        if not voting.all():
            episodes, codes = episodes[voting], codes[voting]
        self._votes[episodes] += 1
        count = self._counts[episodes, codes] + 1
        self._counts[episodes, codes] = count
        # Numbered backwards, so that what was seen first has the larger number and 0 is unseen.
        new = count == 1
        self._seen[episodes[new], codes[new]] = -self._votes[episodes[new]]
        leader, first = self.leader[episodes], self.first[episodes]
        own = codes == leader
        earlier = self._seen[episodes, codes] > self._seen[episodes, np.maximum(leader, 0)]
        wins = ~own & ((count > first) | ((count == first) & earlier))
        second = np.where(own, self.second[episodes], np.maximum(self.second[episodes], count))
        self.second[episodes] = np.where(wins, first, second)
        self.first[episodes] = np.where(own | wins, count, first)
        self.leader[episodes] = np.where(wins, codes, leader)

    def chosen(self, costs: Ints) -> Ints:
        """The answers with most votes, and of equals the ones with the least cost.

        `costs` are those of the votes for each answer, by episode.
        """
        tied = np.flatnonzero((self.first > 0) & (self.first == self.second))
        answers = self.leader.copy()
        if not len(tied):
            return answers
        most = self._counts[tied] == self.first[tied, None]
        within = np.where(most, costs[tied], np.iinfo(costs.dtype).max)
        least = within == within.min(axis=1, keepdims=True)
        answers[tied] = np.where(least, self._seen[tied], UNSEEN).argmax(axis=1)
        return answers

    def add_all(self, episodes: Ints, codes: Ints) -> None:
        """Add votes in their order; those of one episode stand together."""
        places = ranks(episodes)
        for place in range(int(places.max(initial=-1)) + 1):
            at = places == place
            self.add(episodes[at], codes[at])


@cache
def confidences(most: int) -> Floats:
    """`confidence` for all counts of leader and runner-up up to `most` votes, as a table."""
    table = np.zeros((most + 1, most + 1))
    for first in range(most + 1):
        for second in range(min(first, most - first) + 1):
            table[first, second] = confidence(first, second)
    return table
