"""Tasks that are not ours: how a sample of one is put to a method, and how it is answered.

Our host can work in place of the solver of any task whose samples are text, such as those of
`inspect-evals`, whose scorers then grade it:

    inspect eval inspect_evals/gpqa_diamond --solver atlas_mcp/host -S method=self-consistency@8
    inspect eval inspect_evals/math --solver atlas_mcp/host -S method=single -S label=ANSWER
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_mcp.bench.options import LETTERS, with_options
from atlas_mcp.bench.suite import Item
from atlas_mcp.equivalence import canonical

if TYPE_CHECKING:
    from inspect_ai.solver import TaskState


def item_of(state: TaskState) -> Item:
    """The sample as an item without a gold answer; its options stand below its text."""
    options = [one.value for one in state.choices]
    return Item(
        id=str(state.sample_id),
        text=with_options(state.input_text, options) if options else state.input_text,
        answer_kind="choice" if options else "auto",
    )


def tell(state: TaskState, item: Item, answer: str | None, label: str) -> None:
    """Answer the sample as its scorer expects it: options marked, and a `label` before it."""
    if len(state.choices):
        chosen = canonical(answer or "", "choice", item.text).removeprefix("choice:").split(",")
        for index in range(len(state.choices)):
            state.choices.mark_choice(index, LETTERS[index] in chosen)
    state.output.completion = f"{label}: {answer}" if answer and label else answer or ""
