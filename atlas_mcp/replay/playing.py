"""A controller and an episode, round by round, until there is an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from atlas_mcp.replay.environment import Episode, Rules
from atlas_mcp.replay.state import Action, Answer, Controller, Spent, State

Cut = Literal["tokens", "rounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an episode ended. `answer` is None where it abstained or was cut off."""

    answer: int | None
    spent: Spent
    rounds: int
    cut: Cut | None = None


Watch = Callable[[State, Sequence[Action]], None]
"""Is told of every decision, with the state that it was made on."""


class Game:
    """An episode between two decisions, until it has an outcome."""

    def __init__(self, episode: Episode, rules: Rules) -> None:
        self._episode = episode
        self._rules = rules
        self.state = episode.start()
        self.memory: Any = None
        self.outcome: Outcome | None = None

    def decided(self, actions: Sequence[Action], memory: Any) -> None:
        """Carry a decision out.

        Raises:
            IllegalActionError: it is not admissible.
        """
        if len(actions) == 1 and isinstance(last := actions[0], Answer):
            self._end(self._episode.answer(last))
            return
        self.state, self.memory = self._episode.advance(actions), memory
        if (self.state.spent.tokens or 0.0) > self._rules.max_tokens:
            self._end(None, "tokens")
        elif self.state.rounds >= self._rules.max_rounds:
            self._end(None, "rounds")

    def _end(self, answer: Any, cut: Cut | None = None) -> None:
        state = self.state
        self.outcome = Outcome(answer=answer, spent=state.spent, rounds=state.rounds, cut=cut)


def play(
    controller: Controller, episode: Episode, rules: Rules, watch: Watch | None = None
) -> Outcome:
    """Let a controller work on a question until it answers or is cut off.

    Raises:
        IllegalActionError: it did what its state does not admit.
    """
    game = Game(episode, rules)
    while game.outcome is None:
        actions, memory = controller.ask(game.state, game.memory)
        if watch is not None:
            watch(game.state, actions)
        game.decided(actions, memory)
    return game.outcome
