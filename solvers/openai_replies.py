"""What OpenAI's two apis have in common: a request is made once, and its JSON read by us.

We read the JSON ourselves, since the SDK hands a web page on as text, and leaves holes in
its types where a compatible server leaves something out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from solvers.endpoint import Endpoint, writable
from solvers.errors import BrokenReplyError, SolverError
from solvers.faults import not_json, translate
from solvers.model import ToolCall
from solvers.provided import NOTHING_USED, Receipt
from solvers.types import UNKNOWN_USAGE, Usage

Found = dict[str, Any]


async def ask(
    create: Callable[..., Awaitable[Any]],
    body: Found,
    at: Endpoint,
    receipt: Receipt,
    usage: Callable[[Found], Usage],
) -> Found:
    """Make one request by the SDK's raw `create` and return the object that came back.

    Raises:
        SolverError: there was no reply, or it is no JSON object.
    """
    import openai

    used = UNKNOWN_USAGE
    try:
        found = _object((await create(**writable(body))).http_response, at)
        used = usage(found)
    except SolverError:
        raise
    except Exception as error:
        fault, nothing_used = translate(error, openai, at)
        used = NOTHING_USED if nothing_used else used
        raise fault from error
    finally:
        receipt.usage += used
    return found


def _object(response: Any, at: Endpoint) -> Found:
    try:
        found = json.loads(response.content)
    except ValueError as error:
        kind = response.headers.get("content-type", "")
        raise not_json(response.content, kind, at) from error
    if not isinstance(found, dict):
        raise BrokenReplyError(f"{at.api}: the reply is no JSON object; check `base_url`")
    return found


def usage_of(found: Found, prompt: str, reply: str) -> Usage:
    """The usage of a reply, by the names that this api has for prompt and reply.

    A count that is not told is unknown; the kinds of tokens that a server's details leave
    out do not exist there.
    """
    counts = as_object(found.get("usage"))
    read, written = counts.get(f"{prompt}_tokens_details"), counts.get(f"{reply}_tokens_details")
    return Usage(
        requests=1,
        input_tokens=_count(counts, f"{prompt}_tokens"),
        output_tokens=_count(counts, f"{reply}_tokens"),
        cached_tokens=_part(read, "cached_tokens"),
        cache_write_tokens=_part(read, "cache_write_tokens"),
        reasoning_tokens=_part(written, "reasoning_tokens"),
    )


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    found = counts.get(name)
    return found if isinstance(found, int) and found >= 0 else None


def _part(details: Any, name: str) -> int | None:
    if not isinstance(details, dict):
        return None
    return 0 if details.get(name) is None else _count(details, name)


def tool_call(id: str, name: str, arguments: Any) -> ToolCall:
    """A call whose arguments came as the text of a JSON object, or as one already."""
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    try:
        found = json.loads(raw or "{}")
    except ValueError:
        found = None
    return ToolCall(id=id, name=name, arguments=found if isinstance(found, dict) else None, raw=raw)


def as_object(found: Any) -> Found:
    return found if isinstance(found, dict) else {}


def as_objects(found: Any) -> list[Found]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
