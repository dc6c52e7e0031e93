"""AB-MCTS (Inoue et al., 2503.04412, section 3), variant A, by the authors' package treequest.

A search over attempts that decides before each call whether to go wider, with a fresh attempt, or
deeper, with a better one of an attempt that there is. Going deeper hands that attempt, and what the
judge says of it, to a solver as its instruction. The judge's scores are the rewards; the best
judged attempt is the answer.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from anyio import to_thread

from atlas_mcp.bench.methods.asking import Reader, readable, reader
from atlas_mcp.bench.methods.judging import best, judged
from atlas_mcp.bench.methods.method import Method
from atlas_mcp.bench.methods.refining import refined
from atlas_mcp.host.orchestrator import Abstain, Explore, Step, View, leading
from atlas_mcp.host.rules import FixedVote
from atlas_mcp.host.turns import NoReplyError
from solvers.errors import MissingPackageError

_ACTION = "attempt"
_DRAWING = threading.Lock()


class Search:
    """The tree of attempts on one problem. Its choices depend on seed and scores alone.

    So a run that was cut off finds its tree again: it is told the same scores and chooses the same.
    """

    def __init__(self, seed: str) -> None:
        """
        Raises:
            MissingPackageError: treequest is not installed.
        """
        try:
            from treequest import ABMCTSA
        except ImportError as error:
            raise MissingPackageError(
                "ab-mcts needs the package treequest: pip install 'atlas-mcp[bench]'"
            ) from error
        self._seed = seed
        self._algorithm: Any = ABMCTSA()
        self._tree: Any = self._algorithm.init_tree()
        self._told = 0

    def parent(self, scores: Sequence[float]) -> int | None:
        """Which attempt to go deeper from, by its place in `scores`, or None to go wider. Blocks.

        `scores` are those of all attempts so far, each of which was made from the parent that was
        chosen before it.
        """
        for score in scores[self._told :]:
            trial = self._chosen()
            self._tree = self._algorithm.tell(self._tree, trial.trial_id, (self._told, score))
            self._told += 1
        place: int = self._chosen().node_to_expand
        return None if place < 0 else place

    def _chosen(self) -> Any:
        with _drawing(f"{self._seed}/{self._told}"):
            self._tree, trial = self._algorithm.ask(self._tree, [_ACTION])
        return trial


@contextmanager
def _drawing(seed: str) -> Iterator[None]:
    """Seed the generator that treequest draws from, which is NumPy's global one, for a while."""
    import numpy

    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "replace")).digest()[:4], "big")
    with _DRAWING:
        before = numpy.random.get_state()
        numpy.random.seed(number)
        try:
            yield
        finally:
            numpy.random.set_state(before)


@dataclass(slots=True, kw_only=True)
class TreeSearch:
    """`calls` attempts, one after the other, each wider or deeper; then the best judged one.

    A call without an answer, or without a judgement on it, leaves the tree as it is.
    """

    explore: Explore
    calls: int
    judge: Reader
    name: str = "ab-mcts"
    _search: Search | None = field(default=None, init=False)

    async def decide(self, view: View) -> Step:
        step = await FixedVote(explore=self.explore, calls=self.calls).decide(view)
        if isinstance(step, Abstain):
            return step
        try:
            attempts = await judged(view, self.judge, readable(view))
        except NoReplyError as fault:
            if isinstance(step, Explore):
                return replace(step, draws=1)
            return leading(view.ledger, f"no attempt could be judged ({fault})")
        if not isinstance(step, Explore):
            return best(attempts)
        scores = [judgement.score for _, judgement in attempts]
        parent = await to_thread.run_sync(self._parent, view.problem, scores)
        if parent is None:
            return replace(step, draws=1)
        attempt, judgement = attempts[parent]
        return replace(step, draws=1, instruction=refined(attempt, judgement.because))

    def _parent(self, problem: str, scores: Sequence[float]) -> int | None:
        if self._search is None:
            self._search = Search(problem)
        return self._search.parent(scores)


def ab_mcts(name: str, calls: int) -> Method:
    return Method(
        name=name,
        calls=calls,
        budget=f"{calls} calls one after the other, wider or deeper as the search chooses, and a "
        "judge's turn on each answer; the best-judged answer",
        make=lambda setup: TreeSearch(
            explore=setup.explore, calls=calls, judge=reader(setup), name=name
        ),
        thinks=True,
        writes=True,
    )
