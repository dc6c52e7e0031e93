"""The prompt that turns a host's model into the orchestrator of one problem."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Message, UserMessage
from pydantic import Field

from atlas_mcp.server.context import AtlasServer

HOST_EFFORTS = {
    "low": "Two independent answers that agree are enough to stop.",
    "medium": (
        "When two answers agree, look once more with another strategy or solver before you stop; "
        "a solver's own confidence proves little."
    ),
    "high": (
        "Stop only when three answers agree that were reached by different methods, or when "
        "another solver has checked the answer across models."
    ),
}
"""How readily the orchestrator stops, after the three dispositions of ATLAS (2606.01667, 3.3)."""

_ORCHESTRATE = """\
Find the answer to the problem below by orchestrating independent solvers with the explore tool.

How to work:
1. Do not solve it yourself. Pass the problem verbatim to explore, once; afterwards use problem_id.
2. Never settle on a single piece of evidence, however sure it sounds.
3. Prefer agreement reached by different strategies or solvers over repetition of one path.
4. Before each further explore, ask whether it is likely to change your answer for its cost. The \
ledger tells what the last draws changed and what is left.
5. Judge reasoning, not only counts: a minority may be right.
6. If nothing useful comes back, abstain rather than guess.
7. Finish with conclude: the answer, why, and the evidence it rests on.

{disposition}

The problem:
{problem}"""


def add_prompts(server: AtlasServer) -> None:
    """Register the prompts on the server."""

    @server.prompt(title="Orchestrate", description="Answer a problem by gathering evidence")
    def orchestrate(
        problem: Annotated[str, Field(description="the whole problem")],
        effort: Annotated[str, Field(description="low, medium or high")] = "medium",
    ) -> list[Message]:
        disposition = HOST_EFFORTS.get(effort, HOST_EFFORTS["medium"])
        return [UserMessage(_ORCHESTRATE.format(disposition=disposition, problem=problem))]
