"""Everything that can go wrong at a provider, by name.

A model id may start with a fault: "f529:large" always fails so, "f529x2:large" fails for the
first two calls of each conversation and then works. A script can return a fault instead of
a reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Break = Literal["reset", "stall", "reset-body", "stall-body", "cut"]
Garble = Literal[
    "html", "empty", "broken-json", "wrong-type", "no-choices", "no-stop", "stream-error"
]
Spoil = Literal[
    "refusal",
    "truncated",
    "context-stop",
    "pause",
    "failed",
    "broken-answer",
    "surprise-tool",
    "no-usage",
]


BEFORE_HEADERS: tuple[Break, ...] = ("reset", "stall")
"""Breaks that strike before anything was sent."""

DATE = "date"
"""As `retry_after`: the HTTP date two seconds from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail; exactly one of `status`, `breaks`, `garbles` and `spoils` is set.

    `status` is an HTTP error, `breaks` something that happens to the connection, `garbles`
    to the bytes of the reply, `spoils` to what the model says. `openai` is the message
    where that api has other words than Anthropic's.
    """

    name: str
    status: int | None = None
    message: str = ""
    openai: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: str | None = None
    breaks: Break | None = None
    garbles: Garble | None = None
    spoils: Spoil | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A fault that a model id asks for, and how often; None is always."""

    fault: Fault
    times: int | None
    model: str


_PREFIX = re.compile(r"f([a-z0-9-]{2,}?)(?:x(\d+))?:(.+)", re.DOTALL)


def ordered(model: str) -> Ordered | None:
    """The fault that a model id asks for, or None.

    Raises:
        KeyError: it names a fault that does not exist.
    """
    match = _PREFIX.fullmatch(model)
    if match is None:
        return None
    name, times, rest = match.groups()
    return Ordered(FAULTS[name], None if times is None else int(times), rest)


def _http(name: str, status: int, message: str, **more: str) -> Fault:
    return Fault(name=name, status=status, message=message, **more)  # type: ignore[arg-type]


def _limited(name: str, retry_after: str) -> Fault:
    return _http(
        name, 429, "Rate limit reached.", code="rate_limit_exceeded", retry_after=retry_after
    )


_ALL = (
    _http("400", 400, "The request is not valid."),
    _http(
        "bad-effort",
        400,
        "output_config.effort: This model does not support this level.",
        openai="Unsupported value: the effort is not supported with this model.",
        code="unsupported_value",
        param="reasoning.effort",
    ),
    _http(
        "bad-parameter",
        400,
        "temperature: This model does not support this parameter.",
        openai="Unsupported parameter: 'temperature' is not supported with this model.",
        code="unsupported_parameter",
        param="temperature",
    ),
    _http("401", 401, "invalid x-api-key", openai="Incorrect API key.", code="invalid_api_key"),
    _http("402", 402, "Your credit balance is too low.", code="billing_not_active"),
    _http(
        "quota",
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        code="insufficient_quota",
    ),
    _http("403", 403, "Your key may not use this resource."),
    _http("404", 404, "model: no such model", code="model_not_found"),
    _http("retired", 404, "model: it has been retired", code="model_not_found"),
    _http("408", 408, "The request took too long to arrive."),
    _http("409", 409, "The resource is being changed by another request."),
    _http("413", 413, "Request exceeds the maximum size"),
    _http("429", 429, "Rate limit reached.", code="rate_limit_exceeded"),
    _limited("429-seconds", "1"),
    _limited("429-date", DATE),
    _limited("429-absurd", "999999999"),
    _limited("429-negative", "-5"),
    _limited("429-junk", "soon"),
    _http("500", 500, "Internal server error"),
    _http("503", 503, "The service is not available."),
    _http("504", 504, "The model did not answer in time."),
    _http("529", 529, "Overloaded"),
    _http(
        "overflow",
        400,
        "prompt is too long: 1000001 tokens > 1000000 maximum",
        openai="Your input exceeds the context window of this model.",
        code="context_length_exceeded",
    ),
    *(Fault(name=name, breaks=name) for name in get_args(Break)),
    *(Fault(name=name, garbles=name) for name in get_args(Garble)),
    *(Fault(name=name, spoils=name) for name in get_args(Spoil)),
)

FAULTS = {fault.name: fault for fault in _ALL}
"""Every fault by its name."""
