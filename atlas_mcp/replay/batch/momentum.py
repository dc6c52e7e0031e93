"""Confidence momentum over arrays."""

from __future__ import annotations

import numpy as np

from atlas_mcp.replay.arrays import NO_ANSWER, Bools, Floats, Ints
from atlas_mcp.replay.batch.episodes import Branches, Episodes, ranks
from atlas_mcp.replay.batch.tally import Tally, confidences
from atlas_mcp.replay.controllers.momentum import KEPT, Momentum


def momentum(controller: Momentum, episodes: Episodes) -> None:
    _Run(controller, episodes).run()


class _Run:
    def __init__(self, controller: Momentum, episodes: Episodes) -> None:
        self.controller = controller
        self.episodes = episodes
        self.branches = Branches(episodes, controller.most)
        self.tally = Tally(episodes.size, episodes.finals)
        self.table = confidences(controller.most)
        self.ended = np.zeros(episodes.size, np.int64)
        self.writers = np.zeros(episodes.size, np.int64)
        self.smoothed = np.zeros(episodes.size)
        self.dissent = np.zeros(len(self.branches.answers), np.int64)
        self.writing = np.zeros(0, np.int64)

    def run(self) -> None:
        """Round by round, all episodes in step."""
        going = np.arange(self.episodes.size)
        self._open(going, self.controller.start)
        trend: list[Floats] = []
        rounds = 0
        going = self._fill(going)
        while len(going):
            self._smooth(going)
            self._prune(rounds)
            self._write()
            self._smooth(going)
            trend = [*trend, self.smoothed.copy()][-self.controller.window :]
            slope = self.smoothed[going] - trend[0][going]
            over = self._sure(going, slope, rounds)
            going, slope = going[~over], slope[~over]
            stuck = self._stuck(going, slope, rounds) & (self.writers[going] > 0)
            self._open(going[stuck], self.controller.widen)
            going = self._fill(going)
            self._forget(going)
            rounds += 1
        self.episodes.answers = self.tally.leader

    def _smooth(self, going: Ints) -> None:
        sure = self.table[self.tally.first[going], self.tally.second[going]]
        weight = self.controller.weight
        self.smoothed[going] = (
            weight * np.where(self.ended[going] > 0, sure, 0.0)
            + (1 - weight) * self.smoothed[going]
        )

    def _sure(self, going: Ints, slope: Floats, rounds: int) -> Bools:
        controller = self.controller
        if rounds < controller.warm_up:
            return np.zeros(len(going), bool)
        high = (self.ended[going] >= controller.enough) & (self.smoothed[going] >= controller.sure)
        return high & (slope >= -controller.slack)

    def _stuck(self, going: Ints, slope: Floats, rounds: int) -> Bools:
        controller = self.controller
        if rounds < controller.warm_up / 2:
            return np.zeros(len(going), bool)
        low: Bools = self.smoothed[going] < controller.sure
        return low & (slope <= controller.slack)

    def _fill(self, going: Ints) -> Ints:
        """Open one more where nobody writes and too few have ended; who cannot has answered."""
        while True:
            idle = self.writers[going] == 0
            short = idle & (self.ended[going] < self.controller.enough)
            opening = going[short & (self._openable(going) > 0)]
            if not len(opening):
                break
            self._open(opening, 1)
            going = going[~idle | np.isin(going, opening)]
        left: Ints = going[~idle]
        return left

    def _openable(self, going: Ints) -> Ints:
        most = np.minimum(self.controller.most, self.episodes.left[going])
        found: Ints = most - self.branches.opened[going]
        return found

    def _open(self, episodes: Ints, count: int) -> None:
        slots = self.branches.open(episodes, np.minimum(count, self._openable(episodes)))
        self.branches.advance(slots)
        np.add.at(self.writers, slots // self.branches.width, 1)
        self.writing = np.sort(np.concatenate([self.writing, slots]))
        self._collect(slots)

    def _write(self) -> None:
        slots = self.writing
        leader = self.tally.leader[slots // self.branches.width]
        agree = (leader != NO_ANSWER) & (self.branches.answers[slots] == leader)
        self.branches.advance(slots, np.where(agree, self.controller.burst, 1))
        self._collect(slots)

    def _collect(self, slots: Ints) -> None:
        """Count the answers of those that have just ended, in the order of their numbers."""
        new = slots[self.branches.ended[slots]]
        owners = new // self.branches.width
        self.tally.add_all(owners, self.branches.answers[new])
        np.add.at(self.ended, owners, 1)
        np.subtract.at(self.writers, owners, 1)
        self.writing = self.writing[~self.branches.ended[self.writing]]

    def _prune(self, rounds: int) -> None:
        if rounds < self.controller.warm_up:
            return
        slots = self.writing
        owners = slots // self.branches.width
        leader = self.tally.leader[owners]
        agree = self.branches.answers[slots] == leader
        led = leader != NO_ANSWER
        self.dissent[slots] = np.where(led, np.where(agree, 0, self.dissent[slots] + 1), 0)
        candidates = np.flatnonzero(led & (self.dissent[slots] >= self.controller.patience))
        spare = np.maximum(self.writers[owners[candidates]] - KEPT, 0)
        out = candidates[ranks(owners[candidates]) < spare]
        np.subtract.at(self.writers, owners[out], 1)
        self.writing = np.delete(slots, out)

    def _forget(self, going: Ints) -> None:
        """Drop the branches of episodes that have answered."""
        still = np.zeros(self.episodes.size, bool)
        still[going] = True
        self.writing = self.writing[still[self.writing // self.branches.width]]
