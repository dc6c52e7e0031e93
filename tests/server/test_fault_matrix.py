"""Every way in which a provider can fail, as the host that explores through it sees it.

The whole stack is there, from the MCP client to a fake provider behind a socket; only the
waits between attempts take no time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from mcp.client import Client
from providing import APIS, KEY, KEY_ENV, PRICE, Time, pass_time, spec_of
from support import WAIT, Host, text_of

from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.fake import FAULTS, Journal, fake_provider, nobody, structured
from solvers.registry import SolverSpec
from solvers.roster import Roster

pytestmark = pytest.mark.anyio

# The model that is asked orders the fault: "429" always, "429x2" for the first two attempts.
# `sent` are the requests on the wire. `booked` is what the evidence says was used: nothing,
# told (the provider's own sum) or unknown. The last column is what the host must read.
MATRIX = """
fault          api        status     kind              sent  booked   reads

# what a person must mend: never sent again, and free
401            all        failed     authentication    1     nothing  set TEST_PROVIDER_KEY
402            all        failed     budget_spent      1     nothing  add credit
403            all        failed     authentication    1     nothing  set TEST_PROVIDER_KEY
404            all        failed     unknown_model     1     nothing  check `model`
retired        all        failed     unknown_model     1     nothing  model: it is retired
quota          openai     failed     budget_spent      1     nothing  add credit
quota          chat       failed     budget_spent      1     nothing  add credit
html           all        failed     broken_reply      1     unknown  check `base_url`

# what the host must ask otherwise; a chat server is asked in plainer ways before that is told
400            anthropic  failed     bad_request       1     nothing  The request is not valid
400            openai     failed     bad_request       1     nothing  The request is not valid
400            chat       failed     bad_request       5     nothing  The request is not valid
bad-effort     anthropic  failed     bad_request       1     nothing  say which efforts
bad-effort     openai     failed     bad_request       1     nothing  say which efforts
bad-effort     chat       failed     bad_request       5     nothing  say which efforts
bad-effortx2   chat       ok         -                 3     told     42
bad-parameter  anthropic  failed     bad_request       1     nothing  temperature
bad-parameter  openai     failed     bad_request       1     nothing  temperature
bad-parameter  chat       failed     bad_request       5     nothing  temperature
413            all        failed     too_large         1     nothing  send a shorter problem
overflow       all        failed     context_overflow  1     nothing  send a shorter problem
context-stop   all        truncated  truncated         1     told     a shorter problem
truncated      all        truncated  truncated         1     told     more effort

# what may pass and was turned away: tried five times, and free
408            all        failed     timed_out         5     nothing  408
409            all        failed     overloaded        5     nothing  409
429            all        failed     rate_limited      5     nothing  429
429-seconds    all        failed     rate_limited      5     nothing  429
429-date       all        failed     rate_limited      5     nothing  429
429-absurd     all        failed     rate_limited      5     nothing  429
429-negative   all        failed     rate_limited      5     nothing  429
429-junk       all        failed     rate_limited      5     nothing  429
quota          anthropic  failed     rate_limited      5     nothing  check your plan
503            all        failed     overloaded        5     nothing  503
529            all        failed     overloaded        5     nothing  529
408x2          all        ok         -                 3     told     42
409x2          all        ok         -                 3     told     42
429x2          all        ok         -                 3     told     42
429-secondsx2  all        ok         -                 3     told     42
429-datex2     all        ok         -                 3     told     42
429-absurdx2   all        ok         -                 3     told     42
429-negativex2 all        ok         -                 3     told     42
429-junkx2     all        ok         -                 3     told     42
503x2          all        ok         -                 3     told     42
529x2          all        ok         -                 3     told     42

# what may pass and may have been billed: tried twice, and what it used is not known
500            all        failed     overloaded        2     unknown  500
504            all        failed     timed_out         2     unknown  504
reset          all        failed     connection_lost   2     unknown  broke
reset-body     all        failed     connection_lost   2     unknown  broke
cut            all        failed     connection_lost   2     unknown  broke
stall          all        failed     timed_out         2     unknown  no answer in time
stall-body     all        failed     timed_out         2     unknown  no answer in time
empty          all        failed     connection_lost   2     unknown  empty
broken-json    anthropic  failed     connection_lost   2     unknown  garbled
broken-json    openai     failed     connection_lost   2     unknown  broken off
broken-json    chat       failed     connection_lost   2     unknown  broken off
no-choices     anthropic  failed     connection_lost   2     unknown  garbled
no-choices     openai     failed     overloaded        2     unknown  502
no-choices     chat       failed     overloaded        2     unknown  502
no-stop        anthropic  failed     connection_lost   2     unknown  ended before the reply did
stream-error   anthropic  failed     overloaded        2     unknown  Overloaded
failed         anthropic  failed     overloaded        2     unknown  500
failed         openai     failed     overloaded        2     told     failed to produce
failed         chat       failed     overloaded        2     unknown  500
500x1          all        ok         -                 2     unknown  42
500x2          all        failed     overloaded        2     unknown  500
504x1          all        ok         -                 2     unknown  42
resetx1        all        ok         -                 2     unknown  42
reset-bodyx1   all        ok         -                 2     unknown  42
cutx1          all        ok         -                 2     unknown  42
stallx1        all        ok         -                 2     unknown  42
stall-bodyx1   all        ok         -                 2     unknown  42
emptyx1        all        ok         -                 2     unknown  42
broken-jsonx1  all        ok         -                 2     unknown  42
no-choicesx1   all        ok         -                 2     unknown  42
no-stopx1      anthropic  ok         -                 2     unknown  42
stream-errorx1 anthropic  ok         -                 2     unknown  42
failedx1       openai     ok         -                 2     told     42

# what the model itself does
refusal        all        refused    refused           1     told     declined
broken-answer  all        unparsed   unparsed          2     told     no readable answer
broken-answerx1 all       ok         -                 2     told     42
surprise-tool  all        failed     broken_reply      1     told     called a tool where none was
no-usage       all        ok         -                 1     unknown  42
pause          anthropic  failed     broken_reply      2     told     paused again and again
pausex1        anthropic  ok         -                 2     told     42

# what an api or a whole reply does not suffer from
pause          openai     ok         -                 1     told     42
pause          chat       ok         -                 1     told     42
no-stop        openai     ok         -                 1     told     42
no-stop        chat       ok         -                 1     told     42
stream-error   openai     ok         -                 1     told     42
stream-error   chat       ok         -                 1     told     42
wrong-type     all        ok         -                 1     told     42
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix, for one api."""

    fault: str
    api: str
    status: str
    kind: str
    sent: int
    booked: str
    reads: str

    def __str__(self) -> str:
        return f"{self.api}-{self.fault}"


def _rows() -> list[Row]:
    cells = [line.split(maxsplit=6) for line in MATRIX.splitlines() if line[:1] not in ("", "#")]
    return [
        Row(fault, one, status, kind, int(sent), booked, reads)
        for fault, api, status, kind, sent, booked, reads in cells[1:]
        for one in (APIS if api == "all" else [api])
    ]


ROWS = _rows()


def test_the_matrix_has_every_fault_of_every_api_once() -> None:
    named = [(row.fault, row.api) for row in ROWS]
    assert len(named) == len(set(named))
    assert {(fault, api) for fault in FAULTS for api in APIS} <= set(named)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


@asynccontextmanager
async def hosted(settings: Settings, time: Time, *specs: SolverSpec) -> AsyncIterator[Host]:
    """A host whose server has these solvers, which wait by this clock; the first is the default."""
    roster = Roster(default=specs[0].name, specs={one.name: one for one in specs})
    server = create_server(settings, roster=roster)
    with anyio.fail_after(WAIT):
        async with Client(server) as client:
            assert server.app is not None
            for spec in specs:
                pass_time(time, spec, server.app.explorer.dispatcher.shared)
            yield Host(client, server)


def paid(journal: Journal) -> tuple[int | None, Any]:
    """The tokens and dollars that the provider has told in all."""
    used = journal.usage
    if used.input_tokens is None or used.output_tokens is None:
        return None, None
    usd = (used.input_tokens * PRICE["input"] + used.output_tokens * PRICE["output"]) / 1e6
    return used.total_tokens, pytest.approx(usd)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_fault_is_told_counted_and_booked(settings: Settings, row: Row) -> None:
    timeout = 0.2 if "stall" in row.fault else WAIT
    async with fake_provider(structured("42")) as provider:
        spec = spec_of(row.api, provider.url, f"f{row.fault}:m", timeout=timeout)
        async with hosted(settings, Time(), spec) as host:
            result = await host.call("explore", problem="What is 6 × 7?")
    found = host.structured(result)
    [one] = found["evidence"]
    ledger = found["ledger"]

    assert one["status"] == row.status
    assert one["answer"] == ("42" if row.status == "ok" else None)
    assert (one["error"] or "-").split(":")[0] == row.kind
    assert row.reads in (one["error"] or one["answer"])
    assert row.reads in text_of(result)
    assert KEY not in str(result)

    assert len(provider.journal.calls) == row.sent
    booked = {"nothing": (0, 0.0), "unknown": (None, None), "told": paid(provider.journal)}
    assert (one["tokens"], one["usd"]) == booked[row.booked]
    assert ledger["spent"]["calls"] == 1
    assert ledger["spent"]["tokens"] == one["tokens"]
    assert ledger["spent"]["usd"] == (one["usd"] and pytest.approx(one["usd"]))

    counts = {"ok": (1, 0, 0), "unparsed": (0, 0, 1)}.get(row.status, (0, 1, 0))
    assert (ledger["ok"], ledger["failed"], ledger["unparsed"]) == counts
    assert (ledger["asked"], ledger["pending"], found["status"]) == (1, 0, "done")


RETRY_AFTER = {
    "429": (0.0, 1.0),
    "429-seconds": (1.0, 2.0),
    "429-date": (0.2, 3.0),
    "429-absurd": (0.0, 1.0),
    "429-negative": (0.0, 1.0),
    "429-junk": (0.0, 1.0),
}
"""The first wait, from and to, in seconds: what makes no sense is as if it were not there."""


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", RETRY_AFTER)
async def test_the_wait_is_what_the_provider_asks_for_where_that_makes_sense(
    settings: Settings, api: str, fault: str
) -> None:
    time = Time()
    async with fake_provider(structured("42")) as provider:
        async with hosted(settings, time, spec_of(api, provider.url, f"f{fault}x1:m")) as host:
            await host.explore()
    least, most = RETRY_AFTER[fault]
    assert least <= time.slept[0] <= most


@pytest.mark.parametrize("api", APIS)
async def test_where_nobody_answers_the_address_is_told(settings: Settings, api: str) -> None:
    url = nobody()
    async with hosted(settings, Time(), spec_of(api, url)) as host:
        [one] = (await host.explore())["evidence"]
    assert one["error"].startswith("connection_lost: ")
    assert f"nothing answers at {url}" in one["error"]
    assert (one["tokens"], one["usd"]) == (0, 0.0)


class Night(Time):
    """A clock whose sleepers sleep until morning."""

    def __init__(self) -> None:
        super().__init__()
        self.fallen = anyio.Event()
        self.morning = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.fallen.set()
        await self.morning.wait()
        await super().sleep(seconds)


@pytest.mark.parametrize("api", APIS)
async def test_a_call_that_waits_to_be_sent_again_holds_no_slot(
    settings: Settings, api: str
) -> None:
    one_slot = settings.model_copy(update={"parallel": 1})
    waits: dict[str, Any] = {}
    night = Night()

    async def first(host: Host) -> None:
        waits.update(await host.explore("first"))

    async with fake_provider(structured("42")) as provider:
        limited = replace(spec_of(api, provider.url, "f529x1:m"), name="limited")
        other = replace(spec_of(api, provider.url), name="other")
        async with hosted(one_slot, night, limited, other) as host:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(first, host)
                await night.fallen.wait()
                found = await host.explore("second", solver="other")
                assert not waits
                night.morning.set()
    assert found["evidence"][0]["answer"] == waits["evidence"][0]["answer"] == "42"


async def test_a_rate_limit_holds_back_its_provider_and_no_other(settings: Settings) -> None:
    time = Time()
    async with fake_provider(structured("42")) as provider, fake_provider(structured("42")) as away:
        limited = spec_of("openai", provider.url, "f429-seconds:m", attempts=1)
        same = replace(spec_of("openai", provider.url), name="same")
        other = replace(spec_of("openai", away.url), name="other")
        async with hosted(settings, time, limited, same, other) as host:
            assert (await host.explore("1"))["ledger"]["failed"] == 1
            await host.explore("2", solver="other")
            assert time.slept == []
            await host.explore("3", solver="same")
            assert time.now >= 1
