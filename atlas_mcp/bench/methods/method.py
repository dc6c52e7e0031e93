"""A method, and what it is set up with for one question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.discovery.loading import Loaded
from atlas_mcp.host.conversation import Conversation
from atlas_mcp.host.explore_tool import Candidate
from atlas_mcp.host.orchestrator import Explore, Orchestrator
from atlas_mcp.replay.state import Controller
from solvers.model import LanguageModel
from solvers.types import AnswerKind, Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a method works with on one question.

    `explore` is how solvers are asked. `model` orchestrates, judges and selects; `candidates` are
    the solvers to choose among, `controller` decides; all are there for the methods that need them.
    `talk` is the conversation of a run that was cut off.
    """

    explore: Explore
    answer_kind: AnswerKind = "auto"
    attachments: tuple[Attachment, ...] = ()
    model: LanguageModel | None = None
    candidates: tuple[Candidate, ...] = ()
    controller: Controller | None = None
    talk: Conversation | None = None

    @property
    def own_model(self) -> LanguageModel:
        """The model, which there must be.

        Raises:
            BadRequestError: there is none.
        """
        if self.model is None:
            raise BadRequestError("this method needs a model: name one with --model")
        return self.model

    @property
    def own_controller(self) -> Controller:
        """The controller, which whoever opens the method's own has put here."""
        assert self.controller is not None
        return self.controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method with its numbers filled in.

    `calls` is the most solver calls for one question, `budget` what it means, in words. A method
    that is `greedy` asks the solver that does not sample. One that `thinks` needs a model of its
    own; one that `writes` needs new text of the solvers, which no pool holds; one that `chooses`
    decides for itself which solver to ask. A `controller` is opened for each question.
    """

    name: str
    calls: int
    budget: str
    make: Callable[[Setup], Orchestrator]
    greedy: bool = False
    thinks: bool = False
    writes: bool = False
    chooses: bool = False
    controller: Controller | Loaded | None = None
