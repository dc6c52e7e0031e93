"""The solvers that an orchestrating model may choose among, as the server lists them."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.client import Client
from pydantic import BaseModel, ConfigDict, ValidationError

from atlas_mcp.core.cleaning import one_line
from atlas_mcp.core.errors import SetupError
from atlas_mcp.host.explore_tool import Candidate, with_calls
from atlas_mcp.host.replies import RefusedError

CALLS = 8
"""How often each solver may be asked, unless the user says otherwise."""

LISTING = "atlas://solvers"


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    model: str = ""
    description: str = ""
    missing: str | None = None


class _Listing(BaseModel):
    model_config = ConfigDict(extra="ignore")

    solvers: list[_Row]


async def candidates(client: Client, calls: Mapping[str, int]) -> tuple[Candidate, ...]:
    """The solvers that are ready, with the user's caps on their calls.

    Raises:
        SetupError: none is ready; the message says what is missing.
        BadRequestError: a cap names no such solver.
        RefusedError: the listing cannot be read.
    """
    contents = (await client.read_resource(LISTING)).contents
    try:
        rows = _Listing.model_validate_json(getattr(contents[0], "text", "")).solvers
    except ValidationError as error:
        raise RefusedError(f"{LISTING} of the server cannot be read: {error}") from error
    ready = [row for row in rows if row.missing is None]
    if not ready:
        lacks = "; ".join(f"{row.name}: {row.missing}" for row in rows)
        raise SetupError(f"no solver of the server is ready: {lacks}")
    found = [Candidate(name=one.name, calls=CALLS, description=_words(one)) for one in ready]
    return with_calls(found, calls)


def _words(row: _Row) -> str:
    return one_line(", ".join(one for one in (row.model, row.description) if one), 300)
