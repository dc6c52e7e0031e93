"""Every error that an SDK can raise has a counterpart of ours."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from solvers.endpoint import Endpoint
from solvers.errors import SolverError
from solvers.faults import translate

AT = Endpoint(api="chat", model="m", base_url="http://h/v1", key="secret-key-123")
REQUEST = httpx2.Request("POST", "http://h/v1")

NOT_OURS = {
    "CredentialsError",  # we hand over a key, and look for no credential files
    "IdentityTokenFileError",
    "SubjectTokenProviderError",
    "WorkloadIdentityError",
    "RetryableError",  # raised by middleware, of which there is none
    "LengthFinishReasonError",  # raised by parse(), which we do not call
    "ContentFilterFinishReasonError",
    "InvalidWebhookSignatureError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
}
"""What cannot happen in the calls that we make."""


def raised_by(sdk: ModuleType) -> list[Any]:
    root = sdk.APIError.__mro__[1]
    public = {name: one for name, one in vars(sdk).items() if not name.startswith("_")}
    kinds = [one for one in public.values() if inspect.isclass(one) and issubclass(one, root)]
    return [one for one in kinds if one is not root and one.__name__ not in NOT_OURS]


def made(kind: Any) -> Exception:
    """An error of this class, with a body that holds the key."""
    status = getattr(kind, "status_code", None)
    known = {
        "message": "no: secret-key-123",
        "request": REQUEST,
        "response": httpx2.Response(status if isinstance(status, int) else 418, request=REQUEST),
        "body": {"error": {"message": "no: secret-key-123"}},
    }
    wanted = inspect.signature(kind).parameters
    error: Exception = kind(**{name: value for name, value in known.items() if name in wanted})
    return error


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
def test_no_error_of_an_sdk_is_unknown_to_us(sdk: ModuleType) -> None:
    kinds = raised_by(sdk)
    assert len(kinds) > 10
    for kind in kinds:
        error, _ = translate(made(kind), sdk, AT)
        assert isinstance(error, SolverError), kind
        assert "secret-key-123" not in str(error)


def test_a_bug_of_ours_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        translate(ZeroDivisionError(), openai, AT)
