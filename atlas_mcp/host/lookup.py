"""What a host reads in the server's resources, where the replies of its tools tell less."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.client import Client

from atlas_mcp.core.cleaning import clean, one_line
from atlas_mcp.host.orchestrator import Task
from atlas_mcp.host.replies import Capsule

_SHOWN = 100
"""So much of each text the index shows at least."""


async def find_problem(client: Client, task: Task) -> str:
    """The id of the problem of a task, or an empty string where it is not among the newest.

    A problem with attachments is not looked for: the index does not tell them apart.
    """
    if task.attachments:
        return ""
    begins = one_line(task.text)[:_SHOWN]
    for row in (await _read(client, "atlas://index"))["problems"]:
        if row["scope"] == task.scope and str(row["text"]).startswith(begins):
            found = (await _read(client, f"atlas://problems/{row['id']}"))["problem"]
            if (found["text"], found["answer_kind"]) == (clean(task.text), task.answer_kind):
                return str(row["id"])
    return ""


_CUT = re.compile(r"… \[(\d+) characters\]$")


async def whole(client: Client, one: Capsule) -> Capsule:
    """The evidence with its answer in full, where the server's reply had it cut."""
    if one.answer is None or not _CUT.search(one.answer):
        return one
    found = await _read(client, f"atlas://evidence/{one.id}")
    return one.model_copy(update={"answer": found["answer"]})


async def whole_answer(client: Client, problem_id: str, answer: str) -> str:
    """An answer of a problem's ledger in full, where the server's reply had it cut."""
    cut = _CUT.search(answer)
    if cut is None:
        return answer
    begins, length = answer[: cut.start()], int(cut[1])
    for row in (await _read(client, f"atlas://problems/{problem_id}"))["ledger"]["answers"]:
        if str(row["answer"]).startswith(begins):
            found = (await _read(client, f"atlas://evidence/{row['evidence_id']}"))["answer"]
            if len(found) == length:
                return str(found)
    return answer


async def written(client: Client, evidence_id: str) -> int | None:
    """How many tokens a solver wrote for a piece of evidence; None where that is unknown.

    A capsule has those of its prompt too: it is bounded, for models to read, and cannot say both.
    """
    found: int | None = (await _read(client, f"atlas://evidence/{evidence_id}"))["output_tokens"]
    return found


async def _read(client: Client, uri: str) -> Any:
    return json.loads(getattr((await client.read_resource(uri)).contents[0], "text", ""))
