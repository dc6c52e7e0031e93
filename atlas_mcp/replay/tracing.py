"""What a controller saw and did, as JSON lines: one a decision, and one for how it ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from atlas_mcp.replay.arrays import Recorded
from atlas_mcp.replay.playing import Outcome, Watch
from atlas_mcp.replay.state import Action, Answer, State, plain


class Trace:
    """A file of traces, written as it goes."""

    def __init__(self, path: Path, world: Recorded) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._world = world
        self._question = 0
        self._seed = 0

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def episode(self, question: int, seed: int) -> Watch:
        """Begin an episode; what this returns writes a line for each of its decisions."""
        self._question, self._seed = question, seed
        return self._decision

    def outcome(self, outcome: Outcome) -> None:
        """End the episode."""
        right = outcome.answer is not None and bool(
            self._world.right[self._question, outcome.answer]
        )
        self._line(
            answer=self._text(outcome.answer),
            right=right,
            cut=outcome.cut,
            rounds=outcome.rounds,
            spent=outcome.spent._asdict(),
        )

    def _decision(self, state: State, actions: Sequence[Action]) -> None:
        read = Counter(one.answer for one in state.branches if one.answer is not None)
        ended = Counter(one.answer for one in state.branches if one.ended)
        self._line(
            round=state.rounds,
            tokens=state.spent.tokens,
            branches=len(state.branches),
            ended=sum(ended.values()),
            pruned=sum(one.pruned for one in state.branches),
            read={self._text(key): votes for key, votes in read.most_common(3)},
            final={self._text(key): votes for key, votes in ended.most_common(3)},
            actions=[self._action(one) for one in actions],
        )

    def _action(self, action: Action) -> list[Any]:
        if isinstance(action, Answer):
            return plain(Answer(self._text(action.answer)))
        return plain(action)

    def _text(self, key: Hashable | None) -> str | None:
        """The words of an answer. A key that there is not is told as it is; it will be refused."""
        texts = self._world.texts[self._question]
        if isinstance(key, int) and 0 <= key < len(texts):
            return texts[key]
        return None if key is None else repr(key)

    def _line(self, **row: Any) -> None:
        where = {"question": self._world.questions[self._question], "seed": self._seed}
        self._file.write(json.dumps({**where, **row}, ensure_ascii=False) + "\n")
