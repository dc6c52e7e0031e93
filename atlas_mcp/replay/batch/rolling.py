"""The rolling vote over arrays."""

from __future__ import annotations

import numpy as np

from atlas_mcp.replay.arrays import NO_ANSWER, Bools, Floats, Ints
from atlas_mcp.replay.batch.episodes import Branches, Episodes
from atlas_mcp.replay.batch.tally import Tally, confidences
from atlas_mcp.replay.controllers.rolling import ENOUGH, LONGER, WIDER, Rolling


def rolling(controller: Rolling, episodes: Episodes) -> None:
    _Run(controller, episodes).run()


class _Run:
    def __init__(self, controller: Rolling, episodes: Episodes) -> None:
        self.controller = controller
        self.episodes = episodes
        self.branches = Branches(episodes, controller.most)
        self.tally = Tally(episodes.size, episodes.finals)
        self.table = confidences(self.branches.width)
        slots = len(self.branches.answers)
        self.said: Ints = np.full(slots, NO_ANSWER)
        self.kept, self.dissent, self.depth = (np.zeros(slots, np.int64) for _ in range(3))
        self.writers = np.zeros(episodes.size, np.int64)
        self.writing: Ints = np.zeros(0, np.int64)
        deepest = int(episodes.arm.probes.max(initial=0)) + 2
        self.costs = np.zeros((episodes.size, episodes.finals), np.int64)
        self.voted = np.zeros((episodes.size, deepest), np.int16)
        self.deepest: Floats = np.full(episodes.size, float(controller.deepest))

    def run(self) -> None:
        """Round by round, all episodes in step."""
        going = np.arange(self.episodes.size)
        while len(going):
            self._open(going)
            going = going[self.writers[going] > 0]
            self._write()
            sure = self.table[self.tally.first[going], self.tally.second[going]]
            enough = self.tally.first[going] + self.tally.second[going] >= ENOUGH
            going = going[~(enough & (sure >= self.controller.sure))]
            self._forget(going)
        self.episodes.answers = self._answers()

    def _open(self, going: Ints) -> None:
        most = np.minimum(self.controller.most, self.episodes.left[going])
        opened, writers = self.branches.opened[going], self.writers[going]
        width = self.controller.width + (opened - writers) // WIDER
        counts = np.clip(np.minimum(width - writers, most - opened), 0, None)
        slots = self.branches.open(going, counts)
        self.writers[going] += counts
        self.writing = np.sort(np.concatenate([self.writing, slots]))

    def _write(self) -> None:
        slots = self.writing
        owners = slots // self.branches.width
        leader = self.tally.leader[owners]
        deepest = self.deepest[owners]
        self.branches.advance(slots)
        self.depth[slots] += 1
        answers, ended = self.branches.answers[slots], self.branches.ended[slots]
        agrees = (leader != NO_ANSWER) & (answers == leader)
        stands = (answers != NO_ANSWER) & (answers == self.said[slots])
        self.kept[slots] = np.where(stands, self.kept[slots] + 1, 1)
        dissents = (leader != NO_ANSWER) & ~agrees
        self.dissent[slots] = np.where(dissents, self.dissent[slots] + 1, 0)
        self.said[slots] = answers
        votes = ended | (agrees & (self.kept[slots] >= self.controller.trust))
        late = self.depth[slots] >= deepest
        over = votes | late | (self.dissent[slots] >= self.controller.patience)
        self._vote(slots[votes])
        np.subtract.at(self.writers, owners[over], 1)
        self.writing = slots[~over]

    def _vote(self, slots: Ints) -> None:
        owners = slots // self.branches.width
        answers = self.branches.answers[slots]
        self.tally.add_all(owners, answers)
        voting = answers != NO_ANSWER
        np.add.at(self.costs, (owners[voting], answers[voting]), self.depth[slots[voting]])
        np.add.at(self.voted, (owners, self.depth[slots]), 1)
        self._deepen(np.unique(owners))

    def _deepen(self, episodes: Ints) -> None:
        """Say how deep a branch may go now: longer than the lower median of the votes so far."""
        below = self.voted[episodes].cumsum(axis=1)
        middle = (below[:, -1:] + 1) // 2
        median = (below < middle).sum(axis=1)
        self.deepest[episodes] = np.maximum(self.controller.deepest, LONGER * median)

    def _forget(self, going: Ints) -> None:
        """Drop the branches of episodes that have answered."""
        still: Bools = np.zeros(self.episodes.size, bool)
        still[going] = True
        self.writing = self.writing[still[self.writing // self.branches.width]]

    def _answers(self) -> Ints:
        """The leaders, and the plurality of the last readings where nobody has voted."""
        answers = self.tally.chosen(self.costs)
        last = Tally(self.episodes.size, int(self.said.max(initial=0)) + 1)
        silent = np.flatnonzero(answers == NO_ANSWER)
        for branch in range(self.branches.width):
            some = silent[self.branches.opened[silent] > branch]
            last.add(some, self.said[some * self.branches.width + branch])
        answers[silent] = last.leader[silent]
        return answers
