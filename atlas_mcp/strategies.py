"""The strategies a solver can be asked to follow: prompts with a name and a version.

A strategy turns a problem and an optional instruction into what the solver reads, and
nothing else goes in. Change a prompt and raise its version: the version is written into
the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_mcp.core.errors import BadRequestError
from atlas_mcp.core.types import Choice, Problem
from solvers.answer import format_instructions
from solvers.types import AnswerForm, SolveRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A way to attack a problem.

    `summary` is for whoever chooses; `prompt` is what the solver is told.
    """

    name: str
    version: int
    summary: str
    prompt: str
    form: AnswerForm = "structured"


_DIRECT = Strategy(
    name="direct",
    version=1,
    summary="solve it in whatever way seems best",
    prompt="Solve the problem you are given.",
)

_CHAIN_OF_THOUGHT = Strategy(
    name="chain_of_thought",
    version=1,
    summary="reason step by step",
    prompt=(
        "Solve the problem step by step. Write each step as a consequence of the ones before it, "
        "and state the answer only after the last step."
    ),
)

_PLAN_AND_SOLVE = Strategy(
    name="plan_and_solve",
    version=1,
    summary="plan first, then carry the plan out",
    prompt=(
        "First understand what is asked and list the quantities and facts that matter. Then make "
        "a short plan. Then carry the plan out step by step, watching the arithmetic and the logic."
    ),
)

_DECOMPOSE = Strategy(
    name="decompose",
    version=1,
    summary="split into subproblems and solve them in order",
    prompt=(
        "Break the problem into the smallest subproblems whose answers together give the whole. "
        "Solve them in an order in which each can use the results before it, then combine them."
    ),
)

_FIRST_PRINCIPLES = Strategy(
    name="first_principles",
    version=1,
    summary="derive from definitions, trust no remembered result",
    prompt=(
        "Work from definitions and basic laws only. Do not rely on a remembered formula, theorem "
        "or similar exercise unless you derive it. Name each assumption that you make."
    ),
)

_ANALOGICAL = Strategy(
    name="analogical",
    version=1,
    summary="recall a related solved problem and transfer its method",
    prompt=(
        "Recall one or two problems of the same structure whose solution you know for certain. "
        "Say what corresponds to what, transfer the method, and check where the likeness ends."
    ),
)

_WORK_BACKWARDS = Strategy(
    name="work_backwards",
    version=1,
    summary="start from the goal and reason back to what is given",
    prompt=(
        "Start from what the answer would have to satisfy. Reason backwards, step by step, to what "
        "is given, then turn the chain around and check that it holds forwards."
    ),
)

_FALSIFY = Strategy(
    name="falsify",
    version=1,
    summary="argue against the obvious answer before answering",
    prompt=(
        "Note the answer that first comes to mind, then try hard to prove it wrong: look for a "
        "misread condition, a counterexample, a boundary case, a trap in the wording. Answer with "
        "what survives, whether or not it is what you began with."
    ),
)

_VERIFY = Strategy(
    name="verify",
    version=1,
    summary="solve, then check by other means and correct",
    prompt=(
        "Solve the problem. Then check the result by a different route: substitute it back, "
        "estimate, count again, or test a special case. Where the check fails, find the mistake "
        "and correct it. Give the corrected answer."
    ),
)

_PROGRAM_PROMPT = """\
Turn the problem into one calculation. Find what the last sentence asks for, build it from the \
numbers in the problem, and leave out numbers that do not matter. Keep every step inside the one \
expression.

Three examples:

Problem: A print shop has 3 machines that print 40 posters an hour. On Friday they ran for 6 \
hours, and a quarter of the posters were spoilt. How many good posters came out?
3 * 40 * 6 * (1 - 1 / 4)

Problem: A baker has 250 kg of flour. He uses 60% of it on Monday and half of the rest on \
Tuesday. How many kg are left?
250 * (1 - 60 / 100) * (1 - 1 / 2)

Problem: Leo is 4 years younger than Zoe, who is 10. Mia is three times as old as Leo. How much \
older than Zoe will Mia be in 5 years?
(3 * (10 - 4) + 5) - (10 + 5)"""

_PROGRAM = Strategy(
    name="program",
    version=1,
    summary="answer as an arithmetic expression that is evaluated for the solver",
    form="expression",
    prompt=_PROGRAM_PROMPT,
)

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        _DIRECT,
        _CHAIN_OF_THOUGHT,
        _PLAN_AND_SOLVE,
        _DECOMPOSE,
        _FIRST_PRINCIPLES,
        _ANALOGICAL,
        _WORK_BACKWARDS,
        _FALSIFY,
        _VERIFY,
        _PROGRAM,
    )
}


def named(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        BadRequestError: there is none; the message lists those there are.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        raise BadRequestError(
            f"unknown strategy {name[:60]!r}; known: {', '.join(STRATEGIES)}"
        ) from None


def render(problem: Problem, choice: Choice, draw: int) -> SolveRequest:
    """Build what a solver is given, from the problem and the choice alone.

    The system text and the problem come first and are the same for every draw, so that
    providers and engines can reuse the prompt they have already read.
    """
    strategy = named(choice.strategy)
    prompt = problem.text
    if choice.instruction:
        prompt = f"{problem.text}\n\nWhat to attend to in this attempt:\n{choice.instruction}"
    return SolveRequest(
        problem=problem.text,
        system=f"{strategy.prompt}\n\n{format_instructions(strategy.form, problem.answer_kind)}",
        prompt=prompt,
        attachments=problem.attachments,
        answer_kind=problem.answer_kind,
        form=strategy.form,
        effort=choice.effort,
        strategy=choice.strategy,
        instruction=choice.instruction,
        draw=draw,
    )
