"""What every provider keeps: the contract, the account, the worst case, one prefix for all."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from providing import APIS, PRICE, Access, Serve, ask, spec_of
from support import WAIT

from solvers import registry
from solvers.answer import SCHEMA
from solvers.contract import check_solver
from solvers.errors import FixSetupError, RateLimitedError
from solvers.fake import FAULTS, Asked, Reply, structured
from solvers.model import Message, ModelRequest, ToolSpec
from solvers.registry import SolverSpec
from solvers.types import UNKNOWN_USAGE, Attachment, Meter, Shared, Usage

pytestmark = pytest.mark.anyio

ADD = ToolSpec(name="add", description="Adds.", schema={"type": "object", "properties": {}})


@pytest.mark.parametrize("api", APIS)
async def test_it_keeps_the_contract(serve: Serve, api: str) -> None:
    async with serve(structured("42"), latency=0.1) as access:
        await check_solver(lambda: access.solver(api), ask())


@pytest.mark.parametrize("api", APIS)
async def test_the_answer_is_read_and_every_token_counted(serve: Serve, api: str) -> None:
    usage = Usage(
        requests=1,
        input_tokens=1_000,
        output_tokens=200,
        cached_tokens=300,
        cache_write_tokens=100,
        reasoning_tokens=150,
    )
    price = {"input": 1.0, "cached": 0.1, "cache_write": 1.25, "output": 10.0}
    async with serve(Reply(text=structured("42"), thought="Hm.", usage=usage)) as access:
        meter = Meter()
        result = await access.solver(api, price=price).solve(ask(), meter)
    assert (result.status, result.answer, result.model) == ("ok", "42", "m")
    assert (result.approach, result.confidence) == ("direct", 0.9)
    told = access.provider.journal.calls[0].usage
    assert meter.usage == told
    assert told is not None
    cached, written = told.cached_tokens or 0, told.cache_write_tokens or 0
    plain = 1_000 - cached - written
    assert meter.usd == pytest.approx((plain + 0.1 * cached + 1.25 * written + 2_000) / 1e6)


@pytest.mark.parametrize("api", APIS)
async def test_an_answer_and_its_repair_are_both_booked(serve: Serve, api: str) -> None:
    async with serve("I think it is 42.", structured("42")) as access:
        meter = Meter()
        result = await access.solver(api).solve(ask(), meter)
        calls = access.provider.journal.calls
    assert (result.status, result.answer) == ("ok", "42")
    assert result.text.startswith("I think it is 42.")
    assert meter.usage.requests == 2
    assert meter.usage.input_tokens == access.provider.journal.usage.input_tokens
    assert calls[0].body["model"] == "m"


@pytest.mark.parametrize("api", APIS)
async def test_an_empty_reply_can_be_repaired(serve: Serve, api: str) -> None:
    async with serve("", structured("42")) as access:
        result = await access.solver(api).solve(ask(), Meter())
    assert result.answer == "42"


@pytest.mark.parametrize("api", APIS)
async def test_half_a_character_in_a_problem_is_replaced(access: Access, api: str) -> None:
    problem = "6 × 7 \ud83d é?"
    solver = access.solver(api)
    assert solver.worst_case(ask(problem)).tokens
    assert (await solver.solve(ask(problem), Meter())).answer == "42"
    assert "6 × 7 ? é?" in str(access.provider.journal.calls[0].body)


@pytest.mark.parametrize("api", APIS)
async def test_a_cancelled_call_is_booked(serve: Serve, api: str) -> None:
    begun = anyio.Event()

    async def never(asked: Asked) -> str:
        begun.set()
        await anyio.sleep_forever()
        return ""

    meter = Meter()
    async with serve(never) as access, anyio.create_task_group() as tasks:
        tasks.start_soon(access.solver(api).solve, ask(), meter)
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert meter.usage == UNKNOWN_USAGE
    assert meter.usd is None


async def test_a_stream_that_is_cancelled_has_told_what_it_read(serve: Serve) -> None:
    meter = Meter()
    async with serve(FAULTS["stall-body"]) as access:
        solver = access.solver("anthropic", timeout=WAIT)
        with anyio.move_on_after(0.5) as scope:
            await solver.solve(ask(), meter)
    assert scope.cancelled_caught
    assert meter.usage.requests == 1
    assert meter.usage.input_tokens


@pytest.mark.parametrize("api", APIS)
async def test_draws_share_their_whole_prompt(access: Access, api: str) -> None:
    solver = access.solver(api)
    for draw in (1, 2):
        await solver.solve(ask(draw=draw), Meter())
    first, second = (seen.body for seen in access.provider.journal.calls)
    assert first == second


async def test_one_rate_limit_slows_every_solver_of_a_provider(serve: Serve) -> None:
    async with serve(FAULTS["429-seconds"], structured("42")) as access:
        with pytest.raises(RateLimitedError):
            await access.solver("openai", "m", attempts=1).solve(ask(), Meter())
        assert access.time.now == 0
        await access.solver("openai", "other").solve(ask(), Meter())
    assert access.time.now >= 1


async def test_no_more_calls_than_allowed_are_on_the_wire(serve: Serve) -> None:
    shared = Shared()
    async with serve(structured("42"), latency=0.01) as access:
        solver = registry.build(spec_of("chat", access.provider.url, parallel=2), shared)
        async with anyio.create_task_group() as tasks:
            for draw in range(6):
                tasks.start_soon(solver.solve, ask(draw=draw), Meter())
        await shared.aclose()
    assert access.provider.journal.most_in_flight == 2


async def test_solvers_of_one_provider_share_a_client(access: Access) -> None:
    one, other = access.model("openai", "a"), access.model("openai", "b")
    assert one.name == "a"
    await one.reply(said("Hello"), Meter())
    await other.reply(said("Hello"), Meter())
    clients = [key for key in access.shared._made if isinstance(key, tuple) and key[0] == "client"]
    assert len(clients) == 1


def said(*texts: str, **more: Any) -> ModelRequest:
    roles = ("user", "assistant")
    messages = (Message(role=roles[n % 2], text=text) for n, text in enumerate(texts))  # type: ignore[arg-type]
    return ModelRequest(messages=tuple(messages), **more)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("effort", ["low", "medium", "high", "max"])
async def test_no_reply_costs_more_than_the_worst_case(serve: Serve, api: str, effort: Any) -> None:
    wordy = Reply(text="no answer " * 100_000)
    async with serve(FAULTS["500"], wordy, FAULTS["cut"], wordy) as access:
        meter = Meter()
        limits = {"low": 500, "medium": 1_000, "high": 2_000, "max": 4_000}
        solver = access.solver(api, max_tokens=limits)
        worst = solver.worst_case(ask(effort=effort))
        result = await solver.solve(ask(effort=effort), meter)
        asked = [seen.body for seen in access.provider.journal.calls]
        told = access.provider.journal.usage
    assert result.status == "truncated"
    assert worst.tokens is not None
    assert worst.usd is not None
    assert (told.total_tokens or 0) <= worst.tokens
    assert limits[effort] * len(asked) <= worst.tokens
    assert limits[effort] * len(asked) * PRICE["output"] / 1e6 <= worst.usd


@pytest.mark.parametrize("api", APIS)
async def test_the_worst_case_holds_a_repair_that_reads_the_answer_again(
    serve: Serve, api: str
) -> None:
    limit = 5_000
    first = Usage(requests=1, input_tokens=2_000, output_tokens=limit)
    second = Usage(requests=1, input_tokens=2_000 + limit, output_tokens=limit)
    async with serve(Reply(text="?", usage=first), Reply(text="?", usage=second)) as access:
        meter = Meter()
        solver = access.solver(api, max_tokens={"low": limit}, attempts=1)
        worst = solver.worst_case(ask(effort="low"))
        await solver.solve(ask(effort="low"), meter)
    assert meter.usage.total_tokens == 4_000 + 3 * limit
    assert (meter.usage.total_tokens or 0) <= (worst.tokens or 0)
    assert (meter.usd or 0) <= (worst.usd or 0)


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 3))
def test_a_longer_request_has_no_smaller_worst_case(prompt: str, more: str, images: int) -> None:
    spec = SolverSpec(
        name="m",
        api="chat",
        model="m",
        options={"base_url": "http://localhost/v1", "price": PRICE},
    )
    model = registry.build_model(spec, Shared())
    picture = Attachment(media_type="image/png", data=b"\x89PNG\r\n\x1a\n")
    short = ModelRequest(messages=(Message(role="user", text=prompt),))
    long = ModelRequest(
        messages=(Message(role="user", text=prompt + more, attachments=(picture,) * images),),
        tools=(ADD,),
        schema=SCHEMA,
    )
    one, two = model.worst_case(short), model.worst_case(long)
    assert one.tokens is not None
    assert two.tokens is not None
    assert one.tokens <= two.tokens
    assert len(prompt.encode()) < one.tokens


@pytest.mark.parametrize("api", APIS)
async def test_a_price_that_is_not_known_stays_unknown(access: Access, api: str) -> None:
    solver = access.solver(api, "model-of-nobody", price=None)
    meter = Meter()
    await solver.solve(ask(), meter)
    assert solver.worst_case(ask()).usd is None
    assert meter.usd is None
    assert meter.usage.output_tokens


@pytest.mark.parametrize(("api", "options"), [("replay", {}), ("scripted", {"answers": ["42"]})])
def test_not_every_solver_can_converse(api: str, options: dict[str, Any]) -> None:
    with pytest.raises(FixSetupError, match="cannot hold a conversation"):
        registry.build_model(SolverSpec(name="s", api=api, options=options), Shared())


async def test_a_body_never_holds_what_newer_models_refuse(access: Access) -> None:
    model = access.model("anthropic", "claude-opus-5-5")
    await model.reply(said("Hello", tools=(ADD,), schema=SCHEMA, effort="max"), Meter())
    body = access.provider.journal.calls[0].body
    assert not {"temperature", "top_p", "top_k", "thinking", "tool_choice"} & set(body)
    assert body["stream"] is True
    assert body["cache_control"] == {"type": "ephemeral"}
    assert body["output_config"]["effort"] == "max"
    assert body["max_tokens"] == 128_000


async def test_openai_keeps_nothing_of_what_it_is_sent(access: Access) -> None:
    await access.model("openai", "gpt-6-luna").reply(said("Hello", schema=SCHEMA), Meter())
    body = access.provider.journal.calls[0].body
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["reasoning"] == {"effort": "medium"}
    assert body["text"]["format"]["strict"] is True
    assert not {"temperature", "top_p", "tool_choice"} & set(body)


async def test_a_model_without_efforts_is_sent_none(access: Access) -> None:
    await access.model("openai", "gpt-4o").reply(said("Hello"), Meter())
    await access.model("anthropic", "claude-haiku-4-5").reply(said("Hello"), Meter())
    for seen in access.provider.journal.calls:
        assert not {"reasoning", "include", "output_config"} & set(seen.body)


async def test_a_call_ends_by_its_callers_deadline_and_not_in_the_middle_of_a_wait(
    serve: Serve,
) -> None:
    shared, meter = Shared(), Meter()
    async with serve(FAULTS["429-absurd"], FAULTS["429-seconds"]) as access:
        spec = spec_of("openai", access.provider.url, attempts=20)
        solver = registry.build(spec, shared)
        with anyio.fail_after(WAIT), anyio.move_on_after(0.9):
            with pytest.raises(RateLimitedError):
                await solver.solve(ask(), meter)
        await shared.aclose()
    assert meter.usage == Usage(requests=meter.usage.requests)


def test_making_a_solver_opens_nothing_and_listing_imports_nothing() -> None:
    code = (
        "import sys; from solvers import registry, roster\n"
        "registry.apis(); roster.default_roster({'ANTHROPIC_API_KEY': 'k'})\n"
        "for one in ('anthropic', 'openai'):\n"
        "    registry.missing(registry.SolverSpec(name='s', api=one, model='m'))\n"
        "print({'anthropic', 'openai', 'genai_prices', 'httpx2', 'aiohttp'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "set()", ran.stderr
