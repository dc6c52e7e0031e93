"""Compatible servers differ in what they take: it is found out once and remembered."""

from __future__ import annotations

from typing import Any

import pytest
from providing import Serve, ask

from solvers.errors import FixRequestError
from solvers.fake import Asked, structured
from solvers.fake.exchange import Said
from solvers.fake.faults import Fault
from solvers.types import Meter

pytestmark = pytest.mark.anyio


class Server:
    """A server that takes only some requests, and may say why."""

    def __init__(self, refuses: Any, message: str) -> None:
        self.refuses = refuses
        self.message = message
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Said:
        self.bodies.append(dict(asked.body))
        if self.refuses(asked.body):
            return Fault(name="refused", status=400, message=self.message)
        return structured("42")


def form(body: Any) -> Any:
    return body.get("response_format", {}).get("type")


TASTES: dict[str, tuple[Any, str]] = {
    "no schema": (lambda body: form(body) == "json_schema", "response_format: unknown type"),
    "no form": (lambda body: form(body) is not None, "response_format is not supported"),
    "no effort": (lambda body: "reasoning_effort" in body, "m does not support thinking"),
    "other limit": (
        lambda body: "max_tokens" in body,
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    ),
    "no words": (lambda body: "reasoning_effort" in body or form(body), "Bad request"),
    "nothing but the least": (
        lambda body: "reasoning_effort" in body or form(body) or "max_tokens" in body,
        "Bad request",
    ),
}


@pytest.mark.parametrize("taste", TASTES)
async def test_a_taste_is_found_out_once(serve: Serve, taste: str) -> None:
    server = Server(*TASTES[taste])
    async with serve(server) as access:
        meter = Meter()
        assert (await access.solver("chat").solve(ask(), meter)).answer == "42"
        probed = len(server.bodies)
        assert 1 < probed == meter.usage.requests
        assert meter.usage.output_tokens == access.provider.journal.usage.output_tokens
        assert (await access.solver("chat").solve(ask("And 7 × 8?"), meter)).answer == "42"
        assert len(server.bodies) == probed + 1
        await access.solver("chat", "another").solve(ask(), meter)
        assert len(server.bodies) == 2 * probed + 1


async def test_a_server_that_takes_everything_is_sent_everything(serve: Serve) -> None:
    server = Server(lambda body: False, "")
    async with serve(server) as access:
        await access.solver("chat").solve(ask(effort="max"), Meter())
    [body] = server.bodies
    assert form(body) == "json_schema"
    assert body["reasoning_effort"] == "high"  # the strongest that all servers know
    assert set(body) == {
        "model",
        "messages",
        "max_tokens",
        "reasoning_effort",
        "response_format",
    }


async def test_a_request_that_is_wrong_in_itself_teaches_nothing(serve: Serve) -> None:
    wrong = Server(lambda body: True, "The image is broken")
    async with serve(wrong) as access:
        with pytest.raises(FixRequestError, match="The image is broken"):
            await access.solver("chat").solve(ask(), Meter())
        wrong.refuses = lambda body: False
        await access.solver("chat").solve(ask(), Meter())
    assert wrong.bodies[-1] == wrong.bodies[0]


async def test_the_prompt_alone_can_ask_for_an_expression(serve: Serve) -> None:
    server = Server(lambda body: False, "")
    async with serve(server) as access:
        await access.solver("chat").solve(ask(form="expression"), Meter())
    assert "response_format" not in server.bodies[0]


async def test_a_server_without_keys_needs_none(serve: Serve) -> None:
    server = Server(lambda body: False, "")
    async with serve(server, needs_key=False) as access:
        solver = access.solver("chat", key_env=None)
        assert (await solver.solve(ask(), Meter())).answer == "42"
