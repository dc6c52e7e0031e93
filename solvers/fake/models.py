"""What the models of a fake provider can do, and how they refuse the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from solvers.fake.exchange import Asked, Rejected
from solvers.fake.tokens import prompt_tokens

_BEGAN = date(2026, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The abilities of one model; what it lacks it answers with a 400.

    No `efforts` means that effort is no parameter of this model. `completion_tokens` says
    that Chat Completions must bound the reply by `max_completion_tokens` and not by
    `max_tokens`; `refuses` names other fields that a request may not have. `context` and
    `output` are in tokens. A model that retires is deprecated.
    """

    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    schema: bool = True
    tools: bool = True
    images: bool = True
    completion_tokens: bool = False
    refuses: tuple[str, ...] = ()
    context: int = 1_000_000
    output: int = 128_000
    retires: date | None = None


ANY: Mapping[str, Model] = {"small": Model(), "medium": Model(), "large": Model()}
"""What is listed where every model id is taken."""


def check(asked: Asked, model: Model) -> None:
    """Hold a request against the abilities of its model.

    Raises:
        Rejected: the model lacks something that the request needs.
    """
    if asked.effort is not None and asked.effort not in model.efforts:
        raise _unsupported_effort(asked, model)
    if asked.schema is not None and not model.schema:
        raise _unsupported(asked, _SCHEMA[asked.api])
    if asked.tools and not model.tools:
        raise _unsupported(asked, "tools")
    if any(message.attachments for message in asked.messages) and not model.images:
        raise Rejected("This model does not take images.", code="invalid_value", param="messages")
    if asked.api == "chat" and model.completion_tokens and "max_tokens" in asked.body:
        raise _unsupported(asked, "max_tokens", " Use 'max_completion_tokens' instead.")
    for name in model.refuses:
        if name in asked.body:
            raise _unsupported(asked, name)
    _check_lengths(asked, model)


def as_anthropic(name: str, model: Model) -> dict[str, Any]:
    """The model as the Anthropic Models API describes it."""
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": f"{_BEGAN}T00:00:00Z",
        "max_input_tokens": model.context,
        "max_tokens": model.output,
        "lifecycle": "deprecated" if model.retires else "active",
        "deprecated_at": f"{_BEGAN}T00:00:00Z" if model.retires else None,
        "retires_at": f"{model.retires}T00:00:00Z" if model.retires else None,
        "capabilities": _capabilities(model),
    }


def as_openai(name: str, model: Model) -> dict[str, Any]:
    """The model as the OpenAI Models API describes it."""
    retires = {"shutdown_date": str(model.retires)} if model.retires else {}
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "fake", **retires}


_SCHEMA = {
    "messages": "output_config.format",
    "responses": "text.format",
    "chat": "response_format",
}
_EFFORT = {
    "messages": "output_config.effort",
    "responses": "reasoning.effort",
    "chat": "reasoning_effort",
}


def _unsupported_effort(asked: Asked, model: Model) -> Rejected:
    name = _EFFORT[asked.api]
    if not model.efforts:
        return _unsupported(asked, name)
    if asked.api == "messages":
        return Rejected(f"{name}: Input should be one of {', '.join(model.efforts)}")
    return Rejected(
        f"Unsupported value: '{name}' does not support '{asked.effort}' with this model. "
        f"Supported values are: {', '.join(model.efforts)}.",
        code="unsupported_value",
        param=name,
    )


def _unsupported(asked: Asked, name: str, cure: str = "") -> Rejected:
    if asked.api == "messages":
        return Rejected(f"{name}: This model does not support this parameter.")
    return Rejected(
        f"Unsupported parameter: '{name}' is not supported with this model.{cure}",
        code="unsupported_parameter",
        param=name,
    )


def _check_lengths(asked: Asked, model: Model) -> None:
    prompt = prompt_tokens(asked)
    if prompt > model.context:
        raise Rejected(
            f"prompt is too long: {prompt} tokens > {model.context} maximum"
            if asked.api == "messages"
            else "Your input exceeds the context window of this model.",
            code=None if asked.api == "messages" else "context_length_exceeded",
        )
    if asked.max_tokens is not None and asked.max_tokens > model.output:
        raise Rejected(
            f"max_tokens: {asked.max_tokens} > {model.output}, which is the maximum allowed "
            "number of output tokens of this model",
            code=None if asked.api == "messages" else "invalid_value",
        )


def _capabilities(model: Model) -> dict[str, Any]:
    def can(supported: bool) -> dict[str, Any]:
        return {"supported": supported}

    efforts = {one: can(one in model.efforts) for one in ("low", "medium", "high", "xhigh", "max")}
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    return {
        "batch": can(False),
        "citations": can(False),
        "code_execution": can(False),
        "context_management": can(False),
        "effort": {**can(bool(model.efforts)), **efforts},
        "image_input": can(model.images),
        "pdf_input": can(False),
        "server_tools": {**can(False), "code_execution": can(False), "web_search": can(False)},
        "structured_outputs": can(model.schema),
        "thinking": {**can(True), "types": {one: can(one == "adaptive") for one in kinds}},
    }
