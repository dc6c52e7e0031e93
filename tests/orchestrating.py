"""Replies of orchestrating models, and a run with one of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import anyio
from support import WAIT, Host

from atlas_mcp.host.explore_tool import ExploreTool
from atlas_mcp.host.model_orchestrator import ModelOrchestrator
from atlas_mcp.host.orchestrator import Explore, Outcome, Task
from atlas_mcp.host.running import run
from solvers.model import LanguageModel, Message, ModelReply, ToolCall

PROBLEM = "What is 6 × 7?"
PLAIN = ExploreTool(base=Explore(effort="low"))

_ids = itertools.count(1)


def calls(
    *arguments: Mapping[str, Any] | None, name: str = "explore", text: str = ""
) -> ModelReply:
    """A reply that calls a tool once for each of these arguments; None are no JSON."""
    made = tuple(
        ToolCall(id=f"call_{next(_ids)}", name=name, arguments=one, raw=json.dumps(one))
        for one in arguments
    )
    return ModelReply(text=text, model="m", finish="tools", tool_calls=made, native={"by": "m"})


def final(answer: str = "42", **more: Any) -> str:
    said = {"because": "they agree", "evidence_ids": [], "answer": answer, "confidence": 0.9}
    return json.dumps({**said, "abstain": False, **more})


ABSTAINS = final("", abstain=True, because="nothing useful")


def told(messages: tuple[Message, ...]) -> str:
    """All that a model was told in these messages."""
    parts = [part for one in messages for part in (one.text, *(r.text for r in one.tool_results))]
    return "\n".join(parts)


async def work(
    host: Host,
    model: LanguageModel,
    tool: ExploreTool = PLAIN,
    *,
    task: Mapping[str, Any] | None = None,
    watch: Any = None,
    **options: Any,
) -> Outcome:
    asked = Task(text=PROBLEM, answer_kind="number", **(task or {}))
    orchestrator = ModelOrchestrator(model, tool, answer_kind="number", **options)
    with anyio.fail_after(WAIT):
        return await run(host.client, asked, orchestrator, watch)
