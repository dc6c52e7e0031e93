"""OpenAI's models by the Responses API.

Nothing is kept on the provider's side (`store=False`), so a conversation sends back what the
model wrote, its encrypted thoughts included. A summary of them is not asked for: not every
account may.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from solvers import access
from solvers.access import missing, notices, offer
from solvers.endpoint import EMPTY, Endpoint
from solvers.errors import BrokenReplyError
from solvers.faults import complaint_of, error_of
from solvers.images import data_url
from solvers.model import Finish, Message, ModelReply, ModelRequest, ToolCall
from solvers.openai_replies import Found, as_object, as_objects, ask, tool_call, usage_of
from solvers.prompted import PromptedSolver
from solvers.provided import ProvidedModel, Receipt, Turn
from solvers.registry import SolverSpec
from solvers.schemas import enforceable, is_strict
from solvers.types import Shared, Usage

__all__ = ["build", "build_model", "missing", "notices", "offer"]


def build(spec: SolverSpec, shared: Shared) -> PromptedSolver:
    """Make the solver of a roster entry."""
    return access.solver_of(build_model(spec, shared), spec)


def build_model(spec: SolverSpec, shared: Shared) -> ProvidedModel:
    """Make the model of a roster entry."""
    return access.build_model(
        spec, shared, lambda: import_module("openai"), "AsyncOpenAI", ResponsesWire
    )


class ResponsesWire:
    """Sends turns by `POST /responses`."""

    def __init__(self, client: Any, at: Endpoint) -> None:
        self._create = client.responses.with_raw_response.create
        self._at = at

    async def send(self, turn: Turn, receipt: Receipt) -> ModelReply:
        found = await ask(self._create, self._body(turn), self._at, receipt, _used)
        status = found.get("status")
        if found.get("error") or status == "failed":
            raise error_of(complaint_of(found.get("error")), self._at)
        if status not in ("completed", "incomplete"):
            raise BrokenReplyError(f"{self._at.api}: a reply of status {str(status)[:40]!r}")
        return self._reply(found, as_objects(found.get("output")))

    def _body(self, turn: Turn) -> dict[str, Any]:
        request = turn.request
        body: dict[str, Any] = {
            "model": self._at.model,
            "input": [item for one in request.messages for item in self._items(one)],
            "max_output_tokens": turn.max_tokens,
            "store": False,
        }
        if request.system:
            body["instructions"] = request.system
        if turn.effort is not None:
            body["reasoning"] = {"effort": turn.effort}
            body["include"] = ["reasoning.encrypted_content"]
        if request.schema is not None:
            body["text"] = {"format": _format(request)}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": one.name,
                    "description": one.description,
                    "parameters": dict(one.schema),
                    "strict": False,
                }
                for one in request.tools
            ]
            if request.tools_closed:
                body["tool_choice"] = "none"
        return body

    def _items(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "user":
            return _user(message)
        own: list[dict[str, Any]] | None = self._at.own(message.native)
        if own is not None:
            return own
        calls = [
            {"type": "function_call", "call_id": one.id, "name": one.name, "arguments": one.raw}
            for one in message.tool_calls
        ]
        if not message.text and calls:
            return calls
        return [{"role": "assistant", "content": message.text or EMPTY}, *calls]

    def _reply(self, found: Found, output: list[Found]) -> ModelReply:
        said = [item for item in output if item.get("type") == "message"]
        parts = [part for item in said for part in as_objects(item.get("content"))]
        refusals = [part for part in parts if part.get("type") == "refusal"]
        calls = tuple(_call(item) for item in output if item.get("type") == "function_call")
        why = as_object(found.get("incomplete_details")).get("reason")
        finish: Finish = "tools" if calls else "stop"
        if found["status"] == "incomplete":
            finish = "length"
        if refusals or why == "content_filter":
            finish = "refusal"
        whole = finish in ("stop", "tools")
        texts = [part.get("text") or part.get("refusal") or "" for part in parts]
        return ModelReply(
            text="".join(texts),
            model=found.get("model") or self._at.model,
            finish=finish,
            # A call that was cut off may well read as another one.
            tool_calls=calls if whole else (),
            native=self._at.tagged(output) if whole and output else None,
        )


def _used(found: Found) -> Usage:
    return usage_of(found, "input", "output")


def _format(request: ModelRequest) -> dict[str, Any]:
    schema = enforceable(request.schema or {})
    return {"type": "json_schema", "name": "reply", "schema": schema, "strict": is_strict(schema)}


def _user(message: Message) -> list[dict[str, Any]]:
    results = [
        {
            "type": "function_call_output",
            "call_id": one.call_id,
            "output": f"Error: {one.text}" if one.is_error else one.text,
        }
        for one in message.tool_results
    ]
    images = [
        {"type": "input_image", "image_url": data_url(one), "detail": "auto"}
        for one in message.attachments
    ]
    text = [{"type": "input_text", "text": message.text}] if message.text else []
    said = [{"role": "user", "content": [*images, *text]}] if images or text else []
    return [*results, *said]


def _call(item: Found) -> ToolCall:
    return tool_call(str(item.get("call_id")), str(item.get("name")), item.get("arguments"))
