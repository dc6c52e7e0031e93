"""Every way in which a provider can fail: what becomes of it, what is sent, what is booked.

Faults strike the first call of a conversation; what may pass then works at the second.
"""

from __future__ import annotations

import anyio
import pytest
from providing import APIS, KEY, Access, ask, spec_of
from support import WAIT

from solvers import registry
from solvers.errors import (
    AuthenticationError,
    BrokenReplyError,
    BudgetSpentError,
    ConnectionLostError,
    ContextOverflowError,
    FixRequestError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    SolverError,
    TimedOutError,
    UnknownModelError,
)
from solvers.fake import FAULTS, fake_provider
from solvers.types import UNKNOWN_USAGE, Meter, Shared, Usage

pytestmark = pytest.mark.anyio

FREE = Usage(requests=1)
LOST = UNKNOWN_USAGE

HOPELESS: dict[str, type[SolverError]] = {
    "400": FixRequestError,
    "bad-effort": FixRequestError,
    "bad-parameter": FixRequestError,
    "401": AuthenticationError,
    "402": BudgetSpentError,
    "403": AuthenticationError,
    "404": UnknownModelError,
    "retired": UnknownModelError,
    "413": RequestTooLargeError,
    "overflow": ContextOverflowError,
    "html": BrokenReplyError,
    "surprise-tool": BrokenReplyError,
}
"""What is never sent again."""

PASSING: dict[str, tuple[type[SolverError], Usage]] = {
    "408": (TimedOutError, FREE),
    "409": (OverloadedError, FREE),
    "429": (RateLimitedError, FREE),
    "429-seconds": (RateLimitedError, FREE),
    "429-date": (RateLimitedError, FREE),
    "429-absurd": (RateLimitedError, FREE),
    "429-negative": (RateLimitedError, FREE),
    "429-junk": (RateLimitedError, FREE),
    "500": (OverloadedError, LOST),
    "503": (OverloadedError, FREE),
    "504": (TimedOutError, LOST),
    "529": (OverloadedError, FREE),
    "reset": (ConnectionLostError, LOST),
    "stall": (TimedOutError, LOST),
    "empty": (ConnectionLostError, LOST),
    "broken-json": (ConnectionLostError, LOST),
}
"""What is sent again, and what a first attempt that fails so has used."""

BROKEN_OFF = {
    "cut": ConnectionLostError,
    "reset-body": ConnectionLostError,
    "stall-body": TimedOutError,
}
"""What breaks off a reply that had begun: only a stream has told by then what it read, and
none what it wrote."""

STREAM_ONLY = {"no-stop": ConnectionLostError, "stream-error": OverloadedError}
RESULTS = {
    "refusal": "refused",
    "truncated": "truncated",
    "context-stop": "truncated",
    "broken-answer": "ok",  # by its repair
    "no-usage": "ok",
    "pause": "ok",
}
HARMLESS = {"wrong-type"}
OF_ONE_API = {"no-choices", "failed", "quota"}


def test_the_tables_name_every_fault() -> None:
    named = {*HOPELESS, *PASSING, *BROKEN_OFF, *STREAM_ONLY, *RESULTS, *HARMLESS, *OF_ONE_API}
    assert named == set(FAULTS)


async def fails(access: Access, api: str, fault: str, **options: int) -> tuple[SolverError, Meter]:
    """Solve with a model that always fails so."""
    meter = Meter()
    with pytest.raises(SolverError) as failure:
        await access.solver(api, f"f{fault}:m", **options).solve(ask(), meter)
    return failure.value, meter


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", HOPELESS)
async def test_what_cannot_pass_is_told_at_once(access: Access, api: str, fault: str) -> None:
    error, meter = await fails(access, api, fault)
    assert type(error) is HOPELESS[fault]
    assert KEY not in f"{error} {error!r}"
    assert len(access.provider.journal.calls) == meter.usage.requests
    if not (api == "chat" and type(error) is FixRequestError):  # where plainer ones are tried
        assert meter.usage.requests == 1


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", PASSING)
async def test_what_may_pass_is_sent_again(access: Access, api: str, fault: str) -> None:
    error, alone = await fails(access, api, fault, attempts=1)
    kind, used = PASSING[fault]
    assert (type(error), alone.usage) == (kind, used)
    assert (alone.usd == 0) == (used is FREE)

    meter = Meter()
    result = await access.solver(api, f"f{fault}x1:m").solve(ask("Again?"), meter)
    assert (result.status, result.answer, meter.usage.requests) == ("ok", "42", 2)
    told = access.provider.journal.calls[-1].usage
    assert told is not None
    assert meter.usage == used + told


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_a_reply_that_breaks_off_books_what_it_had_told(
    access: Access, api: str, fault: str
) -> None:
    error, meter = await fails(access, api, fault, attempts=1)
    assert type(error) is BROKEN_OFF[fault]
    assert (meter.usage.output_tokens, meter.usd) == (None, None)
    if api == "anthropic":
        assert meter.usage.input_tokens
    else:
        assert meter.usage == UNKNOWN_USAGE


@pytest.mark.parametrize("fault", STREAM_ONLY)
async def test_a_stream_without_an_end_is_no_reply(access: Access, fault: str) -> None:
    error, meter = await fails(access, "anthropic", fault, attempts=1)
    assert type(error) is STREAM_ONLY[fault]
    assert meter.usage.input_tokens
    assert (meter.usage.output_tokens, meter.usd) == (None, None)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", RESULTS)
async def test_what_a_model_does_is_a_result(access: Access, api: str, fault: str) -> None:
    meter = Meter()
    result = await access.solver(api, f"f{fault}x1:m").solve(ask(), meter)
    assert result.status == RESULTS[fault]
    calls = access.provider.journal.calls
    assert meter.usage.requests == len(calls)
    told = sum((one.usage or UNKNOWN_USAGE for one in calls), Usage())
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (
        told.input_tokens,
        told.output_tokens,
    )


@pytest.mark.parametrize("api", APIS)
async def test_a_wrong_content_type_does_no_harm(access: Access, api: str) -> None:
    meter = Meter()
    result = await access.solver(api, "fwrong-type:m").solve(ask(), meter)
    assert (result.answer, meter.usage.requests) == ("42", 1)
    assert meter.usage.output_tokens


async def test_an_error_in_place_of_choices_is_read(access: Access) -> None:
    error, meter = await fails(access, "chat", "no-choices", attempts=1)
    assert isinstance(error, OverloadedError)
    assert meter.usage == UNKNOWN_USAGE


@pytest.mark.parametrize("api", ["openai", "chat"])
async def test_a_rate_limit_that_is_an_empty_account_is_told_at_once(
    access: Access, api: str
) -> None:
    error, meter = await fails(access, api, "quota")
    assert isinstance(error, BudgetSpentError)
    assert meter.usage == FREE


async def test_a_failed_response_is_an_error_that_may_pass(access: Access) -> None:
    error, meter = await fails(access, "openai", "failed", attempts=1)
    assert isinstance(error, OverloadedError)
    assert meter.usage.input_tokens


@pytest.mark.parametrize("api", APIS)
async def test_what_may_have_been_billed_is_sent_again_only_once(access: Access, api: str) -> None:
    _, meter = await fails(access, api, "500", attempts=9)
    assert meter.usage.requests == 2


@pytest.mark.parametrize("api", APIS)
async def test_what_was_turned_away_is_tried_to_the_last_attempt(access: Access, api: str) -> None:
    _, meter = await fails(access, api, "529", attempts=4)
    assert meter.usage == Usage(requests=4)
    assert meter.usd == 0


@pytest.mark.parametrize("api", APIS)
async def test_a_refused_connection_has_used_nothing(api: str) -> None:
    async with fake_provider() as provider:
        gone = provider.url
    shared, meter = Shared(), Meter()
    solver = registry.build(spec_of(api, gone, attempts=1), shared)
    with anyio.fail_after(WAIT):
        with pytest.raises(ConnectionLostError, match="nothing answers at http://127"):
            await solver.solve(ask(), meter)
        await shared.aclose()
    assert (meter.usage, meter.usd) == (Usage(requests=1), 0.0)
