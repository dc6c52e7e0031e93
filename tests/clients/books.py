"""What the store holds once a host has ended, to be held against what its model was told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clients.conversation import PROBLEM
from clients.hosts import Place

from atlas_mcp.core.types import Account, Conclusion, Evidence
from atlas_mcp.evidence.sqlite import open_store

Pairs = list[tuple[str, str | None]]
"""Ids of evidence and their answers, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that a store holds of its only problem."""

    evidence: list[Evidence]
    account: Account
    conclusions: list[Conclusion]

    @property
    def pairs(self) -> Pairs:
        return sorted((one.id, one.answer) for one in self.evidence)

    def only_paid_for_what_had_begun(self, draws: int) -> None:
        """There are so many draws, made one by one until they were cut off, and no others."""
        statuses = [one.status for one in self.evidence]
        finished = statuses.count("ok")
        assert statuses == ["ok"] * finished + ["cancelled"] * (draws - finished)
        assert self.account.spent.calls in (finished, finished + 1)


async def books(place: Place) -> Books:
    """The books of the product that a host ran at this place."""
    async with open_store(Path(place.variables["ATLAS_STORE"])) as store:
        assert await store.verify() == []
        [problem] = await store.problems()
        assert problem.text == PROBLEM
        assert await store.pending(problem.id) == []
        return Books(
            evidence=await store.evidence(problem.id),
            account=await store.account(problem.id),
            conclusions=await store.conclusions(problem.id),
        )
