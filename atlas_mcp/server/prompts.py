"""The prompt that turns a host's model into the orchestrator of one problem."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Message, UserMessage
from pydantic import Field

from atlas_mcp.principles import DISPOSITIONS, PRINCIPLES
from atlas_mcp.server.context import AtlasServer

_ORCHESTRATE = """\
Find the answer to the problem below by orchestrating independent solvers with the explore tool.

How to work:
{principles}
- Pass the problem verbatim to explore, once; afterwards use problem_id. Vary solver, strategy and \
effort.
- Finish with conclude: the answer, why, and the evidence it rests on.

When to stop: {disposition}

The problem:
{problem}"""


def add_prompts(server: AtlasServer) -> None:
    """Register the prompts on the server."""

    @server.prompt(title="Orchestrate", description="Answer a problem by gathering evidence")
    def orchestrate(
        problem: Annotated[str, Field(description="the whole problem")],
        effort: Annotated[str, Field(description="low, medium or high")] = "medium",
    ) -> list[Message]:
        disposition = DISPOSITIONS.get(effort, DISPOSITIONS["medium"])
        text = _ORCHESTRATE.format(principles=PRINCIPLES, disposition=disposition, problem=problem)
        return [UserMessage(text)]
