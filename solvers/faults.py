"""From what a provider's SDK raises, or what its reply says, to our own errors.

Both SDKs have the same classes by the same names, so one table serves both. Messages hold
neither keys nor headers.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from solvers.endpoint import Endpoint
from solvers.errors import (
    AuthenticationError,
    BrokenReplyError,
    BudgetSpentError,
    ConnectionLostError,
    ContextOverflowError,
    FixRequestError,
    FixSetupError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    SolverError,
    TimedOutError,
    UnknownModelError,
)
from solvers.retry import read_retry_after

_OVERFLOW = re.compile(
    r"context.{0,12}(length|window|size|limit|overflow)|prompt is too long|maximum context"
    r"|input token count.{0,30}exceeds|too many input tokens",
    re.I | re.S,
)
_NO_MONEY = re.compile(r"insufficient_quota|credit balance is too low|billing_", re.I)

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error inside a reply of status 200 would have been as a status of its own."""

_TURNED_AWAY = frozenset({*range(400, 500), 503, 529})
"""Statuses that a provider answers before a model has begun, so that nothing was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """An error as a provider tells it."""

    status: int
    kind: str = ""
    said: str = ""
    retry_after: float | None = None


def complaint_of(found: Any) -> Complaint:
    """The error object inside a reply of status 200; of an unknown kind, it may pass."""
    error = found if isinstance(found, dict) else {"message": str(found or "no reason given")}
    kind = str(error.get("code") or error.get("type") or "")
    by_number = int(kind) if kind.isdigit() and 400 <= int(kind) < 600 else None
    status = (
        by_number
        or _STATUS_OF_TYPE.get(str(error.get("type") or ""))
        or (_STATUS_OF_TYPE.get(kind, 500))
    )
    return Complaint(status=status, kind=kind, said=str(error.get("message") or kind))


def error_of(complaint: Complaint, at: Endpoint) -> SolverError:
    """The error of ours that a complaint amounts to, naming the cure where there is one."""
    status, retry_after = complaint.status, complaint.retry_after
    said = at.quote(complaint.said)
    what = f"{at.api} answered {status}: {said}"
    if status == 402 or (
        status in (400, 403, 429) and _NO_MONEY.search(f"{complaint.kind} {said}")
    ):
        return BudgetSpentError(f"{at.api}: the account has no money left; add credit ({said})")
    if status in (401, 403):
        return AuthenticationError(_key_cure(status, at))
    if status == 404:
        return UnknownModelError(
            f"{at.api}: no model {at.model!r} at {at.base_url}; "
            f"check `model` and `base_url` of the roster entry ({said})"
        )
    if status == 413:
        return RequestTooLargeError(f"{what}; send a shorter problem or smaller images")
    if status in (400, 422, 500) and _OVERFLOW.search(f"{complaint.kind} {said}"):
        return ContextOverflowError(
            f"{at.model}: problem and reply do not fit into the context; send a shorter problem, "
            f"or ask for less effort or a model with a larger context ({said})"
        )
    if status == 429:
        return RateLimitedError(what, retry_after=retry_after)
    if status in (408, 504):
        return TimedOutError(what, retry_after=retry_after)
    if status == 409 or status >= 500:
        return OverloadedError(what, retry_after=retry_after)
    if "effort" in said:
        what += "; say which efforts the model has by `efforts` in its roster entry"
    return FixRequestError(what)


def _key_cure(status: int, at: Endpoint) -> str:
    if at.key_env is None:
        return f"{at.base_url} wants a key ({status}): name its variable as the option key_env"
    fault = "does not accept the key" if status == 401 else "does not let the key use this model"
    return f"{at.api} {fault} in {at.key_env} ({status}): set {at.key_env} to one that may"


def translate(error: Exception, sdk: ModuleType, at: Endpoint) -> tuple[SolverError, bool]:
    """Our error for one that an SDK or its transport raised, and whether nothing was used.

    Raises:
        Exception: the error itself, where it is none of theirs: a bug of ours.
    """
    import httpx2

    if isinstance(error, sdk.APIStatusError):
        return error_of(_complaint(error), at), error.status_code in _TURNED_AWAY
    if isinstance(error, sdk.APIConnectionError | httpx2.HTTPError):
        return _broken_wire(list(_causes(error)), at)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return ConnectionLostError(f"{at.api}: the reply is broken off or garbled"), False
    if isinstance(error, sdk.APIError):
        return BrokenReplyError(f"{at.api}: {at.quote(str(error))}"), False
    raise error


def _complaint(error: Any) -> Complaint:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error") if isinstance(body.get("error"), dict) else body
    told = complaint_of(inner)
    headers = error.response.headers
    page = "html" in headers.get("content-type", "").lower()
    return Complaint(
        # An error event inside a stream comes with the status of the stream.
        status=error.status_code if error.status_code >= 400 else told.status,
        kind=told.kind,
        said="a web page" if page else told.said or str(error.message),
        retry_after=read_retry_after(headers.get("retry-after"), datetime.now(UTC)),
    )


def _broken_wire(causes: Sequence[BaseException], at: Endpoint) -> tuple[SolverError, bool]:
    """Told by what lies beneath: a transport may call a reset a time-out while connecting."""
    import httpx2

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in causes)

    if among(ssl.SSLCertVerificationError):
        return FixSetupError(
            f"{at.base_url}: its certificate is not trusted; install the system's CA certificates"
        ), True
    if among(ConnectionRefusedError, socket.gaierror):
        cure = f"{at.api}: nothing answers at {at.base_url}; is it running?"
        return ConnectionLostError(cure), True
    if among(TimeoutError):
        slow = f"{at.api}: {at.base_url} gave no answer in time"
        return TimedOutError(slow), among(httpx2.ConnectTimeout)
    return ConnectionLostError(f"{at.api}: the connection to {at.base_url} broke"), False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__


def not_json(content: bytes, content_type: str, at: Endpoint) -> SolverError:
    """What to make of a reply that is no JSON: a web page is not the api, a fragment may pass."""
    if "html" in content_type.lower() or content.lstrip()[:1] == b"<":
        return web_page(at)
    return ConnectionLostError(f"{at.api}: the reply is empty or broken off")


def web_page(at: Endpoint) -> BrokenReplyError:
    """The error of a reply that comes from something else than the api."""
    return BrokenReplyError(
        f"{at.api}: what answers at {at.base_url} is not this api; check `base_url`"
    )
