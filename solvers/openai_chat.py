"""Any server that speaks OpenAI's Chat Completions: Ollama, vLLM, LM Studio, llama.cpp,
OpenRouter, Gemini's endpoint and others.

Servers differ in what they take. The richest request goes out first; where a server answers
400, a plainer one follows, and what worked is remembered for its model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal

from solvers import access
from solvers.access import missing, notices, offer
from solvers.endpoint import EMPTY, Endpoint
from solvers.errors import (
    BrokenReplyError,
    ContextOverflowError,
    FixRequestError,
    RequestTooLargeError,
)
from solvers.faults import complaint_of, error_of
from solvers.images import data_url
from solvers.model import Finish, Message, ModelReply, ToolCall
from solvers.openai_replies import Found, as_object, as_objects, ask, tool_call, usage_of
from solvers.prompted import PromptedSolver
from solvers.provided import ProvidedModel, Receipt, Turn
from solvers.registry import SolverSpec
from solvers.schemas import enforceable, is_strict
from solvers.types import Shared, Usage

__all__ = ["build", "build_model", "missing", "notices", "offer"]

_THINKING = re.compile(r"\s*<think>(.*?)</think>\s*", re.S)


def build(spec: SolverSpec, shared: Shared) -> PromptedSolver:
    """Make the solver of a roster entry."""
    return access.solver_of(build_model(spec, shared), spec)


def build_model(spec: SolverSpec, shared: Shared) -> ProvidedModel:
    """Make the model of a roster entry."""

    def wire(client: Any, at: Endpoint) -> ChatWire:
        return ChatWire(client, at, shared.once(("taste", at.base_url, at.model), Taste))

    return access.build_model(spec, shared, lambda: import_module("openai"), "AsyncOpenAI", wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a request says beside its messages."""

    form: Literal["schema", "object", "plain"] = "schema"
    effort: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def plainer(self, body: Found, said: str) -> Dialect | None:
        """The next dialect to try after a server said why it takes no such request."""
        steps = {
            "reasoning|effort|think": self._without_effort(body),
            "response_format|schema|json|grammar": self._plainer_form(body),
            "max_completion_tokens": self._other_limit(),
        }
        possible = {words: step for words, step in steps.items() if step is not None}
        named = [step for words, step in possible.items() if re.search(words, said, re.I)]
        return next(iter([*named, *possible.values()]), None)

    def _without_effort(self, body: Found) -> Dialect | None:
        return replace(self, effort=False) if "reasoning_effort" in body else None

    def _plainer_form(self, body: Found) -> Dialect | None:
        if "response_format" not in body:
            return None
        return replace(self, form="object" if self.form == "schema" else "plain")

    def _other_limit(self) -> Dialect | None:
        here = self.limit == "max_tokens"
        return replace(self, limit="max_completion_tokens") if here else None


@dataclass(slots=True)
class Taste:
    """The dialect that a server took last, for one model."""

    dialect: Dialect = Dialect()


class ChatWire:
    """Sends turns by `POST /chat/completions`."""

    def __init__(self, client: Any, at: Endpoint, taste: Taste) -> None:
        self._create = client.chat.completions.with_raw_response.create
        self._at = at
        self._taste = taste

    async def send(self, turn: Turn, receipt: Receipt) -> ModelReply:
        found = await self._ask(turn, receipt)
        choices = as_objects(found.get("choices"))
        fault = found.get("error") or (choices and choices[0].get("error"))
        if fault:
            raise error_of(complaint_of(fault), self._at)
        if not choices:
            raise BrokenReplyError(f"{self._at.api}: a reply without choices")
        cost = as_object(found.get("usage")).get("cost")
        receipt.usd = float(cost) if isinstance(cost, int | float) else None
        return self._reply(found, choices[0], as_object(choices[0].get("message")))

    async def _ask(self, turn: Turn, receipt: Receipt) -> Found:
        dialect = self._taste.dialect
        first: FixRequestError | None = None
        while True:
            body = self._body(turn, dialect)
            try:
                found = await ask(self._create, body, self._at, receipt, _used)
            except (ContextOverflowError, RequestTooLargeError):
                raise
            except FixRequestError as error:
                first = first or error
                plainer = dialect.plainer(body, str(error))
                if plainer is None:
                    # The request itself is wrong: then nothing was learnt of the server.
                    raise first from None
                dialect = plainer
            else:
                self._taste.dialect = dialect
                return found

    def _body(self, turn: Turn, dialect: Dialect) -> Found:
        request = turn.request
        system = [{"role": "system", "content": request.system}] if request.system else []
        body: Found = {
            "model": self._at.model,
            "messages": [*system, *(m for one in request.messages for m in self._messages(one))],
            dialect.limit: turn.max_tokens,
        }
        if turn.effort is not None and dialect.effort:
            body["reasoning_effort"] = turn.effort
        if request.schema is not None and dialect.form == "object":
            body["response_format"] = {"type": "json_object"}
        if request.schema is not None and dialect.form == "schema":
            schema = enforceable(request.schema)
            named = {"name": "reply", "schema": schema, "strict": is_strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if request.tools and not request.tools_closed:  # not every server knows tool_choice
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": one.name,
                        "description": one.description,
                        "parameters": dict(one.schema),
                    },
                }
                for one in request.tools
            ]
        return body

    def _messages(self, message: Message) -> list[Found]:
        if message.role == "user":
            return _user(message)
        own: Found | None = self._at.own(message.native)
        if own is not None:
            return [own]
        calls = [
            {
                "id": one.id,
                "type": "function",
                "function": {"name": one.name, "arguments": one.raw},
            }
            for one in message.tool_calls
        ]
        said: Found = {"role": "assistant", "content": message.text or (None if calls else EMPTY)}
        return [{**said, "tool_calls": calls} if calls else said]

    def _reply(self, found: Found, choice: Found, message: Found) -> ModelReply:
        text, inline = _split(_text(message.get("content")))
        refusal = message.get("refusal")
        calls = [
            {**call, "id": call.get("id") or f"call_{n}"}
            for n, call in enumerate(as_objects(message.get("tool_calls")))
        ]
        finish: Finish = "tools" if calls else "stop"
        if choice.get("finish_reason") == "length":
            finish = "length"
        if refusal or choice.get("finish_reason") == "content_filter":
            finish = "refusal"
        whole = finish in ("stop", "tools")
        return ModelReply(
            text=text or (refusal if isinstance(refusal, str) else ""),
            model=found.get("model") or self._at.model,
            finish=finish,
            # A call that was cut off may well read as another one.
            tool_calls=tuple(map(_call, calls)) if whole else (),
            thought=_text(message.get("reasoning_content") or message.get("reasoning"))
            or inline
            or None,
            native=self._at.tagged(_own(message, text, calls)) if finish == "tools" else None,
        )


def _used(found: Found) -> Usage:
    return usage_of(found, "prompt", "completion")


def _user(message: Message) -> list[Found]:
    results = [
        {
            "role": "tool",
            "tool_call_id": one.call_id,
            "content": f"Error: {one.text}" if one.is_error else one.text,
        }
        for one in message.tool_results
    ]
    images = [
        {"type": "image_url", "image_url": {"url": data_url(one)}} for one in message.attachments
    ]
    if images:
        content = [*images, {"type": "text", "text": message.text}]
        return [*results, {"role": "user", "content": content}]
    return [*results, {"role": "user", "content": message.text}] if message.text else results


def _own(message: Found, text: str, calls: list[Found]) -> Found:
    """The turn as it is sent back: no more than servers take, but calls to the letter.

    Some put a signature beside a call, or their thoughts into `reasoning_details`, and want
    it again.
    """
    own: Found = {"role": "assistant", "content": text or None, "tool_calls": calls}
    details = message.get("reasoning_details")
    return {**own, "reasoning_details": details} if details else own


def _call(call: Found) -> ToolCall:
    function = as_object(call.get("function"))
    return tool_call(call["id"], str(function.get("name") or ""), function.get("arguments"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in as_objects(content))


def _split(text: str) -> tuple[str, str]:
    """The text, and the thinking that some models write in front of it."""
    thinking = _THINKING.match(text)
    return (text[thinking.end() :], thinking[1].strip()) if thinking else (text, "")
