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


def play(
    controller: Controller, episode: Episode, rules: Rules, watch: Watch | None = None
) -> Outcome:
    """Let a controller work on a question until it answers or is cut off.

    Raises:
        IllegalActionError: it did what its state does not admit.
    """
    state, memory = episode.start(), None
    while True:
        actions, memory = controller.ask(state, memory)
        if watch is not None:
            watch(state, actions)
        if len(actions) == 1 and isinstance(last := actions[0], Answer):
            answer: Any = episode.answer(last)
            return Outcome(answer=answer, spent=state.spent, rounds=state.rounds)
        state = episode.advance(actions)
        if (state.spent.tokens or 0.0) > rules.max_tokens:
            return Outcome(answer=None, spent=state.spent, rounds=state.rounds, cut="tokens")
        if state.rounds >= rules.max_rounds:
            return Outcome(answer=None, spent=state.spent, rounds=state.rounds, cut="rounds")
