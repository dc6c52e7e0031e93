"""Claude by Anthropic's Messages API.

Always streamed: long replies need it, and a stream that breaks has told what it used. No
temperature, no `thinking`, no forced tool: the newer models refuse them. The effort goes
by `output_config`, and the provider is asked to cache the prompt, which all draws share.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, cast

from solvers import access
from solvers.access import missing, notices, offer
from solvers.endpoint import EMPTY, Endpoint, writable
from solvers.errors import BrokenReplyError, ConnectionLostError, SolverError
from solvers.faults import translate, web_page
from solvers.images import encoded, media_type
from solvers.model import Finish, Message, ModelReply, ModelRequest, ToolCall
from solvers.prompted import PromptedSolver
from solvers.provided import NOTHING_USED, ProvidedModel, Receipt, Turn
from solvers.registry import SolverSpec
from solvers.schemas import enforceable
from solvers.types import UNKNOWN_USAGE, Shared, Usage, plus

__all__ = ["build", "build_model", "missing", "notices", "offer"]

_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tools",
}

_UNREADABLE = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What the SDK raises on a stream that is none, or whose events make no sense."""

_PAUSES = 2
"""How often a turn is sent that is paused, as often as its worst case counts. Only a provider's
own tools pause one, and we offer none."""


def build(spec: SolverSpec, shared: Shared) -> PromptedSolver:
    """Make the solver of a roster entry."""
    return access.solver_of(build_model(spec, shared), spec)


def build_model(spec: SolverSpec, shared: Shared) -> ProvidedModel:
    """Make the model of a roster entry."""
    return access.build_model(
        spec, shared, lambda: import_module("anthropic"), "AsyncAnthropic", MessagesWire
    )


class MessagesWire:
    """Sends turns by `POST /v1/messages`."""

    def __init__(self, client: Any, at: Endpoint) -> None:
        self._client = client
        self._at = at

    async def send(self, turn: Turn, receipt: Receipt) -> ModelReply:
        asked = self._messages(turn.request)
        content: list[dict[str, Any]] = []
        for _ in range(_PAUSES):
            paused = [{"role": "assistant", "content": content}] if content else []
            message = await self._stream(self._body(turn, [*asked, *paused]), receipt)
            content = [*content, *filter(_is_not_blank, message.get("content", []))]
            if message["stop_reason"] != "pause_turn":
                return self._reply(message, content)
        raise BrokenReplyError(f"{self._at.model}: the turn was paused again and again")

    async def _stream(self, body: dict[str, Any], receipt: Receipt) -> dict[str, Any]:
        import anthropic

        used = UNKNOWN_USAGE
        try:
            async with self._client.messages.stream(**writable(body)) as stream:
                try:
                    message = (await stream.get_final_message()).to_dict()
                except _UNREADABLE as error:
                    raise self._unreadable(stream.response) from error
                finally:
                    used = _used(stream)
        except SolverError:
            raise
        except Exception as error:
            fault, nothing_used = translate(error, anthropic, self._at)
            used = NOTHING_USED if nothing_used else used
            raise fault from error
        finally:
            receipt.usage += used
        if message.get("stop_reason") is None:
            raise ConnectionLostError(f"{self._at.api}: the stream ended before the reply did")
        return cast(dict[str, Any], message)

    def _unreadable(self, response: Any) -> SolverError:
        if "html" in response.headers.get("content-type", ""):
            return web_page(self._at)
        return ConnectionLostError(f"{self._at.api}: the stream is empty or garbled")

    def _body(self, turn: Turn, messages: list[dict[str, Any]]) -> dict[str, Any]:
        request = turn.request
        output: dict[str, Any] = {} if turn.effort is None else {"effort": turn.effort}
        if request.schema is not None:
            output["format"] = {"type": "json_schema", "schema": enforceable(request.schema)}
        body: dict[str, Any] = {
            "model": self._at.model,
            "max_tokens": turn.max_tokens,
            "messages": messages,
            "cache_control": {"type": "ephemeral"},
        }
        if request.system:
            body["system"] = request.system
        if output:
            body["output_config"] = output
        if request.tools:
            body["tools"] = [
                {"name": one.name, "description": one.description, "input_schema": dict(one.schema)}
                for one in request.tools
            ]
            if request.tools_closed:
                body["tool_choice"] = {"type": "none"}
        return body

    def _messages(self, request: ModelRequest) -> list[dict[str, Any]]:
        return [
            self._assistant(one) if one.role == "assistant" else _user(one)
            for one in request.messages
        ]

    def _assistant(self, message: Message) -> dict[str, Any]:
        own = self._at.own(message.native)
        if own is not None:
            return {"role": "assistant", "content": own}
        # A turn must hold something, and text must not be blank.
        text = [] if message.tool_calls else [{"type": "text", "text": EMPTY}]
        if message.text.strip():
            text = [{"type": "text", "text": message.text}]
        calls = [
            {"type": "tool_use", "id": one.id, "name": one.name, "input": one.arguments or {}}
            for one in message.tool_calls
        ]
        return {"role": "assistant", "content": [*text, *calls]}

    def _reply(self, message: dict[str, Any], content: list[dict[str, Any]]) -> ModelReply:
        finish = _FINISHES.get(message["stop_reason"], "stop")
        whole = finish in ("stop", "tools") and content
        return ModelReply(
            text="".join(one["text"] for one in content if one["type"] == "text"),
            model=message.get("model") or self._at.model,
            finish=finish,
            # A call that was cut off may well read as another one.
            tool_calls=tuple(map(_call, _calls(content))) if whole else (),
            thought="\n\n".join(
                one["thinking"] for one in content if one["type"] == "thinking" and one["thinking"]
            )
            or None,
            native=self._at.tagged(content) if whole else None,
        )


def _user(message: Message) -> dict[str, Any]:
    results = [
        {
            "type": "tool_result",
            "tool_use_id": one.call_id,
            "content": one.text,
            "is_error": one.is_error,
        }
        for one in message.tool_results
    ]
    images = [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": media_type(one.data), "data": encoded(one)},
        }
        for one in message.attachments
    ]
    text = [{"type": "text", "text": message.text}] if message.text.strip() else []
    return {"role": "user", "content": [*results, *images, *text]}


def _is_not_blank(block: dict[str, Any]) -> bool:
    """Whether the block may be sent back: the provider may write blank text, but takes none."""
    return block["type"] != "text" or bool(block["text"].strip())


def _calls(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in content if one["type"] == "tool_use"]


def _call(block: dict[str, Any]) -> ToolCall:
    found = block.get("input")
    return ToolCall(
        id=block["id"],
        name=block["name"],
        arguments=found if isinstance(found, dict) else None,
        raw=found if isinstance(found, str) else json.dumps(found),
    )


def _used(stream: Any) -> Usage:
    """What the stream has told so far. Its input counts leave out what the cache has.

    It begins with a count of output tokens that is only a beginning, and tells them all
    together with the reason why the reply stopped.
    """
    try:
        message = stream.current_message_snapshot
        usage = message.usage
    except (AssertionError, AttributeError):
        return UNKNOWN_USAGE
    if usage is None:
        return UNKNOWN_USAGE
    stopped = message.stop_reason is not None
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    return Usage(
        requests=1,
        input_tokens=plus(usage.input_tokens, cached + written),
        output_tokens=usage.output_tokens if stopped else None,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=details.thinking_tokens if details and stopped else None,
    )
