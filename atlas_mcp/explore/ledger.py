"""The counts over a problem's evidence: who answered what, how often, and how sure that makes us.

Pure arithmetic on votes in order of dispatch, so that the same evidence gives the same counts
whichever call ended first. It counts and never decides: whether to stop is the host's affair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from atlas_mcp.equivalence import canonical
from solvers.types import AnswerKind

MAX_APPROACHES = 5
_RECENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What the ledger needs to know of one solver call.

    `status` is one of "ok", "unparsed", "pending", and the failures "truncated", "refused",
    "failed", "timeout", "cancelled", "lost". Only an "ok" vote is counted for its answer.
    """

    id: str
    status: str
    answer: str | None
    solver: str
    approach: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Equivalent answers. `answer` is the wording seen first, `share` the part of the ok votes.

    `solvers` and `approaches` are distinct, in order of dispatch; of the approaches only the
    first few are kept. `confidence` is the mean of what was reported, None if nothing was.
    """

    answer: str
    count: int
    share: float
    solvers: tuple[str, ...]
    approaches: tuple[str, ...]
    confidence: float | None
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What the last ok votes changed.

    `last` is the change of the leader probability by the last vote, None if it is the first.
    `new_in_last_3` counts the answers among the last three votes that were not seen before
    them. `same_leader_for` is how many of the last votes, in a row, left the same leader.
    """

    last: float | None
    new_in_last_3: int
    same_leader_for: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The counts; asked = ok + failed + pending + unparsed.

    `groups` are ordered by count, then by dispatch. `leader_probability` and `gain` are None
    while there is no ok vote.
    """

    asked: int
    ok: int
    failed: int
    pending: int
    unparsed: int
    groups: tuple[Group, ...]
    leader_probability: float | None
    gain: Gain | None


def count(votes: Sequence[Vote], kind: AnswerKind, problem: str) -> Ledger:
    """Count votes, given in order of dispatch. Any status unknown to us counts as failed."""
    poll = _poll(votes, kind, problem)
    pending = sum(vote.status == "pending" for vote in votes)
    unparsed = sum(vote.status == "unparsed" for vote in votes)
    return Ledger(
        asked=len(votes),
        ok=len(poll.keys),
        failed=len(votes) - len(poll.keys) - pending - unparsed,
        pending=pending,
        unparsed=unparsed,
        groups=tuple(_group(members, len(poll.keys)) for members in _ranked(poll)),
        leader_probability=_probability(poll.keys),
        gain=_gain(poll),
    )


def majority_since(votes: Sequence[Vote], kind: AnswerKind, problem: str) -> int | None:
    """The ok vote, counted from 1, at which the majority of today was reached for good.

    From that vote on the final leader has led without a break, and at that vote it first
    held more than half of the ok votes within that lead. None if it holds no more than half
    in the end.
    """
    poll = _poll(votes, kind, problem)
    if not poll.keys:
        return None
    final = poll.leaders[-1]
    first = len(poll.keys) - _unbroken(poll.leaders) + 1
    held = 0
    since = None
    for place, key in enumerate(poll.keys, start=1):
        held += key == final
        if since is None and place >= first and 2 * held > place:
            since = place
    return since if 2 * held > len(poll.keys) else None


def leader_probability(first: int, second: int) -> float:
    """The probability that the leader truly is more frequent than the runner-up.

    `first` and `second` are their counts. Under a uniform prior it is P(p > 1/2) for
    p ~ Beta(first + 1, second + 1), which equals P(Binomial(first + second + 1, 1/2) <= first)
    (Aggarwal et al. 2023, Adaptive-Consistency). Exact up to the final rounding.
    """
    draws = first + second + 1
    low, high = sorted((first, second))
    term = tail = 1
    for chosen in range(low):
        term = term * (draws - chosen) // (chosen + 1)
        tail += term
    favourable = (1 << draws) - tail if first == high else tail
    return favourable / (1 << draws)


@dataclass(slots=True, kw_only=True)
class _Poll:
    """The ok votes with the keys of their answers, and who led after each of them."""

    votes: list[Vote] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    leaders: list[str] = field(default_factory=list)


def _poll(votes: Sequence[Vote], kind: AnswerKind, problem: str) -> _Poll:
    poll = _Poll(votes=[vote for vote in votes if vote.status == "ok"])
    known: dict[str, str] = {}
    for vote in poll.votes:
        answer = vote.answer or ""
        if answer not in known:
            known[answer] = canonical(answer, kind, problem)
        poll.keys.append(known[answer])
    poll.leaders.extend(_leaders(poll.keys))
    return poll


def _leaders(keys: Sequence[str]) -> Iterator[str]:
    """The most frequent key after each vote; between equals the one that came first."""
    counts: dict[str, int] = {}
    seen: dict[str, int] = {}
    leader: str | None = None
    for place, key in enumerate(keys):
        counts[key] = counts.get(key, 0) + 1
        seen.setdefault(key, place)
        if leader is None or (counts[key], -seen[key]) > (counts[leader], -seen[leader]):
            leader = key
        yield leader


def _ranked(poll: _Poll) -> list[list[Vote]]:
    members: dict[str, list[Vote]] = {}
    for vote, key in zip(poll.votes, poll.keys, strict=True):
        members.setdefault(key, []).append(vote)
    return sorted(members.values(), key=len, reverse=True)


def _group(members: Sequence[Vote], ok: int) -> Group:
    approaches = dict.fromkeys(vote.approach for vote in members if vote.approach)
    reported = [vote.confidence for vote in members if vote.confidence is not None]
    return Group(
        answer=members[0].answer or "",
        count=len(members),
        share=len(members) / ok,
        solvers=tuple(dict.fromkeys(vote.solver for vote in members)),
        approaches=tuple(approaches)[:MAX_APPROACHES],
        confidence=math.fsum(reported) / len(reported) if reported else None,
        ids=tuple(vote.id for vote in members),
    )


def _probability(keys: Sequence[str]) -> float | None:
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    first, second = (*sorted(counts.values(), reverse=True), 0, 0)[:2]
    return leader_probability(first, second) if counts else None


def _gain(poll: _Poll) -> Gain | None:
    now, before = _probability(poll.keys), _probability(poll.keys[:-1])
    if now is None:
        return None
    earlier, recent = poll.keys[:-_RECENT], poll.keys[-_RECENT:]
    return Gain(
        last=None if before is None else now - before,
        new_in_last_3=len(set(recent) - set(earlier)),
        same_leader_for=_unbroken(poll.leaders),
    )


def _unbroken(leaders: Sequence[str]) -> int:
    """How many of the last leaders, in a row, are the final one."""
    for length, leader in enumerate(reversed(leaders)):
        if leader != leaders[-1]:
            return length
    return len(leaders)
