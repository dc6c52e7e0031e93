"""Everything that can go wrong at a provider, by name.

A model id may start with a fault: "f529:large" always fails so, "f529x2:large" fails for the
first two calls of each conversation and then works. A script can return a fault instead of
a reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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


_LIMITED = Fault(name="429", status=429, message="Rate limit reached.", code="rate_limit_exceeded")
_ERRORS = (
    Fault(name="400", status=400, message="The request is not valid."),
    Fault(
        name="bad-effort",
        status=400,
        message="output_config.effort: This model does not support this level.",
        openai="Unsupported value: the effort is not supported with this model.",
        code="unsupported_value",
        param="reasoning.effort",
    ),
    Fault(
        name="bad-parameter",
        status=400,
        message="temperature: This model does not support this parameter.",
        openai="Unsupported parameter: 'temperature' is not supported with this model.",
        code="unsupported_parameter",
        param="temperature",
    ),
    Fault(
        name="overflow",
        status=400,
        message="prompt is too long: 1000001 tokens > 1000000 maximum",
        openai="Your input exceeds the context window of this model.",
        code="context_length_exceeded",
        param="input",
    ),
    Fault(name="401", status=401, message="The key is not valid.", code="invalid_api_key"),
    Fault(name="402", status=402, message="Your credit balance is too low."),
    Fault(name="403", status=403, message="Your key may not use this resource."),
    Fault(name="404", status=404, message="model: there is no such", code="model_not_found"),
    Fault(name="retired", status=404, message="model: it is retired", code="model_not_found"),
    Fault(name="408", status=408, message="The request took too long to arrive."),
    Fault(name="409", status=409, message="Another request is changing the resource."),
    Fault(name="413", status=413, message="The request exceeds the maximum size."),
    _LIMITED,
    replace(_LIMITED, name="429-seconds", retry_after="1"),
    replace(_LIMITED, name="429-date", retry_after=DATE),
    replace(_LIMITED, name="429-absurd", retry_after="999999999"),
    replace(_LIMITED, name="429-negative", retry_after="-5"),
    replace(_LIMITED, name="429-junk", retry_after="soon"),
    Fault(
        name="quota",
        status=429,
        message="You exceeded your current quota; check your plan and billing details.",
        code="insufficient_quota",
    ),
    Fault(name="500", status=500, message="Internal server error", code="server_error"),
    Fault(name="503", status=503, message="The service is not available."),
    Fault(name="504", status=504, message="The model did not answer in time."),
    Fault(name="529", status=529, message="Overloaded"),
)

FAULTS = {
    **{fault.name: fault for fault in _ERRORS},
    **{name: Fault(name=name, breaks=name) for name in get_args(Break)},
    **{name: Fault(name=name, garbles=name) for name in get_args(Garble)},
    **{name: Fault(name=name, spoils=name) for name in get_args(Spoil)},
}
"""Every fault by its name."""
