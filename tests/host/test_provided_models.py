"""Models of providers as orchestrators, over real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from orchestrating import work
from providing import APIS, KEY, KEY_ENV, access_to
from support import Connect

from solvers.fake import fake_provider
from solvers.fake.exchange import Asked, Reply
from solvers.model import ToolCall
from solvers.scripted import ScriptedSolver

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


def explores_in_pairs(asked: Asked) -> Reply:
    """Explores twice in each turn, and answers when it is told that there will be no more."""
    said = "\n".join(one.text for one in asked.messages if one.role == "user")
    if "There will be no more evidence" in said:
        final = {"because": "they agree", "answer": "42", "confidence": 0.9, "abstain": False}
        return Reply(text=json.dumps({**final, "evidence_ids": []}))
    calls = (call(f"c{asked.number}a"), call(f"c{asked.number}b"))
    return Reply(text="Not enough yet.", thought="Let me look.", tool_calls=calls)


def call(id: str) -> ToolCall:
    return ToolCall(id=id, name="explore", arguments={}, raw="{}")


@pytest.mark.parametrize("api", APIS)
async def test_a_providers_model_explores_and_is_made_to_finish(connect: Connect, api: str) -> None:
    solver = ScriptedSolver(["42"])
    async with (
        fake_provider(explores_in_pairs) as provider,
        access_to(provider) as access,
        connect(solver) as host,
    ):
        outcome = await work(host, access.model(api), calls=4)
        seen = list(provider.journal.calls)
    assert (outcome.answer, outcome.because, outcome.forced) == ("42", "they agree", True)
    assert len(solver.requests) == 4
    last: Any = seen[-1].body
    assert last.get("tool_choice") in ({"type": "none"}, "none", None)
    assert ("tools" in last) == (api != "chat")
    own = outcome.purse.own
    assert own.usage.requests == len(seen) == 3
    assert own.usage.total_tokens == provider.journal.usage.total_tokens
    assert own.usd is not None
    assert own.usd > 0
