"""Everything that can go wrong in a solver, split by what the caller can do about it.

SolverError
├── RetryLaterError          the same request may work later
│   ├── RateLimitedError     the provider asks us to slow down
│   ├── OverloadedError      the provider is busy or down
│   ├── ConnectionLostError  the wire broke
│   └── TimedOutError        no answer within the time limit
├── FixRequestError          this request can never work
│   ├── ContextOverflowError the problem does not fit into the model's context
│   └── RequestTooLargeError the provider takes no request of this size
├── FixSetupError            the user's set-up lacks something; the message names the cure
│   ├── MissingPackageError  an optional package is not installed
│   ├── MissingWeightsError  the model's weights are not on this machine
│   ├── UnknownModelError    no model of that name
│   ├── AuthenticationError  the provider does not accept the key
│   └── BudgetSpentError     the account at the provider has no money left
└── GiveUpError              nothing the caller can change
    ├── RecordingMissError   a pool holds no further recorded draw for this request
    └── BrokenReplyError     the reply could not be read
"""

from __future__ import annotations


class SolverError(Exception):
    """An attempt that gave no result. `kind` is the word stored with the evidence."""

    kind = "error"


class RetryLaterError(SolverError):
    """The same request may work later."""

    kind = "retry_later"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the provider asked us to wait, if it said so."""


class RateLimitedError(RetryLaterError):
    """The provider asks us to slow down."""

    kind = "rate_limited"


class OverloadedError(RetryLaterError):
    """The provider is busy or down."""

    kind = "overloaded"


class ConnectionLostError(RetryLaterError):
    """The wire broke before a whole reply had arrived."""

    kind = "connection_lost"


class TimedOutError(RetryLaterError):
    """No answer came within the time limit."""

    kind = "timed_out"


class FixRequestError(SolverError):
    """This request can never work; another one may."""

    kind = "bad_request"


class ContextOverflowError(FixRequestError):
    """The problem does not fit into the model's context."""

    kind = "context_overflow"


class RequestTooLargeError(FixRequestError):
    """The provider takes no request of this size."""

    kind = "too_large"


class FixSetupError(SolverError):
    """The user's set-up lacks something; the message names the cure."""

    kind = "setup"


class MissingPackageError(FixSetupError):
    """An optional package is not installed."""

    kind = "missing_package"


class MissingWeightsError(FixSetupError):
    """The model's weights are not on this machine."""

    kind = "missing_weights"


class UnknownModelError(FixSetupError):
    """No model goes by that name."""

    kind = "unknown_model"


class AuthenticationError(FixSetupError):
    """The provider does not accept the key, or the key lacks a permission."""

    kind = "authentication"


class BudgetSpentError(FixSetupError):
    """The account at the provider has no money left."""

    kind = "budget_spent"


class GiveUpError(SolverError):
    """Nothing that the caller can change."""

    kind = "gave_up"


class RecordingMissError(GiveUpError):
    """A pool holds no further recorded draw for this request."""

    kind = "recording_miss"


class BrokenReplyError(GiveUpError):
    """The reply could not be read."""

    kind = "broken_reply"
