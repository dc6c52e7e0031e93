"""An embedded model in conversations: whatever it says can be read, and a run with it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import benching
import pytest
from orchestrating import work
from providing import MODEL
from support import PATIENCE, Connect

from atlas_mcp.host.explore_tool import Candidate, ExploreTool
from atlas_mcp.host.final_answer import SCHEMA
from atlas_mcp.host.orchestrator import Explore
from solvers.embedded_model import grammar
from solvers.errors import FixRequestError
from solvers.model import LanguageModel, Message, ModelRequest, ToolResult, ToolSpec
from solvers.registry import SolverSpec, build_model
from solvers.types import Attachment, Meter, Shared

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

TOOL = ExploreTool(
    base=Explore(),
    candidates=(Candidate(name="s0", calls=8), Candidate(name='odd"\\', calls=8)),
    instructs=True,
)


@pytest.fixture
async def model(folder: Path) -> AsyncIterator[LanguageModel]:
    shared = Shared()
    options = {"models_folder": str(folder), "temperature": 0.0}
    yield build_model(
        SolverSpec(name="small", api="embedded", model=MODEL, options=options), shared
    )
    await shared.aclose()


def request(**more: Any) -> ModelRequest:
    said = Message(role="user", text="What is 6 × 7?")
    return ModelRequest(messages=(said,), system="Find the answer.", effort="low", **more)


async def test_a_reply_is_a_call_or_an_answer_and_costs_what_it_costs(
    model: LanguageModel,
) -> None:
    meter = Meter()
    with anyio.fail_after(PATIENCE):
        reply = await model.reply(request(tools=(TOOL.spec,)), meter)
    if reply.tool_calls:
        (call,) = reply.tool_calls
        assert call.name == "explore"
        assert call.arguments is not None
        assert call.arguments["solver"] in ("s0", 'odd"\\')
    else:
        assert set(json.loads(reply.text)) == {"because", "answer", "confidence"}
    assert reply.thought is not None
    assert meter.usage.requests == 1
    worst = model.worst_case(request(tools=(TOOL.spec,)))
    assert 0 < (meter.usage.total_tokens or 0) <= (worst.tokens or 0)
    assert (meter.usd, worst.usd) == (0.0, 0.0)


async def test_closed_tools_leave_only_an_answer_of_the_schema(model: LanguageModel) -> None:
    called = Message(role="assistant", native='{"action": "explore"}')
    result = ToolResult(call_id="c", text="42")
    talk = (*request().messages, called, Message(role="user", tool_results=(result,)))
    asked = ModelRequest(
        messages=talk, tools=(TOOL.spec,), tools_closed=True, schema=SCHEMA, effort="max"
    )
    with anyio.fail_after(PATIENCE):
        reply = await model.reply(asked, Meter())
    assert reply.tool_calls == ()
    assert list(json.loads(reply.text)) == list(SCHEMA["properties"])


async def test_a_run_with_an_embedded_orchestrator_ends_and_is_recorded(
    connect: Connect, model: LanguageModel
) -> None:
    async with connect(["42"]) as host:
        outcome = await work(host, model, calls=3, effort="low", thinking="low")
    assert outcome.abstained or outcome.answer is not None
    assert len(outcome.evidence) <= 3
    assert outcome.purse.own.usage.requests >= 1


async def test_attachments_are_refused_before_anything_is_done(model: LanguageModel) -> None:
    image = Attachment(media_type="image/png", data=b"")
    said = Message(role="user", text="What is this?", attachments=(image,))
    meter = Meter()
    with pytest.raises(FixRequestError, match="reads text only"):
        await model.reply(ModelRequest(messages=(said,)), meter)
    assert meter.usage.requests == 0


def test_a_schema_that_is_not_flat_is_refused() -> None:
    nested = {"properties": {"where": {"type": "object", "properties": {}}}}
    with pytest.raises(FixRequestError, match="cannot be held to 'where'"):
        grammar((ToolSpec(name="go", description="", schema=nested),))


@pytest.mark.parametrize("named", ["best-of-2", "self-refine@2", "atlas-integrator@2"])
async def test_the_turns_of_a_benchmarked_method_can_be_read(
    connect: Connect, model: LanguageModel, tmp_path: Path, named: str
) -> None:
    async with connect(["42", "41"]) as host:
        with anyio.fail_after(PATIENCE):
            found = await benching.work(host, named, tmp_path, model, wait=PATIENCE)
    assert found.own.calls
    unreadable = ("no attempt could be judged", "gave no answer", "no feedback")
    assert not any(words in found.because for words in unreadable)
