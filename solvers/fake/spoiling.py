"""What a model says when it does not say what it should."""

from __future__ import annotations

from dataclasses import replace

from solvers.fake.exchange import Reply
from solvers.fake.faults import Spoil
from solvers.model import ToolCall

_SURPRISE = ToolCall(id="call_surprise", name="lookup", arguments={"query": "the answer"})


def spoiled(reply: Reply, how: Spoil) -> Reply:
    """The reply as it comes out under a fault of the model."""
    half = reply.text[: len(reply.text) // 2]
    match how:
        case "refusal":
            return replace(reply, text="", tool_calls=(), finish="refusal")
        case "truncated":
            return replace(reply, text=half, tool_calls=(), finish="length")
        case "context-stop":
            return replace(reply, text=half, tool_calls=(), finish="context")
        case "pause":
            return replace(reply, finish="pause")
        case "failed":
            return replace(reply, text="", tool_calls=(), finish="failed")
        case "broken-answer":
            return replace(reply, text='{"approach": 1, "result": "none", "confidence": "high"}')
        case "surprise-tool":
            return replace(reply, text="", tool_calls=(_SURPRISE,))
        case "no-usage":
            return reply
