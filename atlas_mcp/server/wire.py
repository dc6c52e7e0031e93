"""What a host sees: reports as bounded JSON and as short text. Nothing here decides or waits.

Hosts differ in whether their model reads `structuredContent` or the text, so both say the
same. Solver text is data: it is cleaned of control characters, cut to length and quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from mcp.types import CallToolResult, ContentBlock, ResourceLink, TextContent
from pydantic import BaseModel

from atlas_mcp.core.cleaning import clean, cut
from atlas_mcp.core.types import Call, Caps, Evidence, Fault, Problem, Spend, as_json
from atlas_mcp.explore.ledger import Group
from atlas_mcp.explore.service import Report, StopReport
from solvers.types import Usage

MAX_CHARS = 20_000
"""The most that one reply may hold, structured content, text and links together."""

MAX_LINKS = 3
_TEXT_CHARS = 4_000
_STRUCTURED_CHARS = MAX_CHARS - _TEXT_CHARS - 1_000

_FULL = (8_000, 8_000, 1_000, 60, 200)
# (reasoning, answer, approach, ledger groups, evidence): each row is a smaller reply. An error
# may be four times as long as an approach, since its cure comes last.
_FITS = (
    (1_200, 1_500, 200, 20, 64),
    (600, 800, 120, 12, 64),
    (250, 300, 80, 8, 64),
    (0, 120, 60, 5, 64),
    (0, 60, 40, 3, 32),
    (0, 30, 0, 2, 8),
)
# (reasoning, answer, whether each is told with its choice), the same for the text.
_TEXT_FITS = ((240, 200, True), (100, 120, True), (0, 120, True), (0, 40, True), (0, 30, False))


class Capsule(BaseModel):
    """One piece of evidence, short enough to read in a reply."""

    id: str
    solver: str
    effort: str
    strategy: str
    instruction: str | None
    draw: int
    status: str
    answer: str | None
    confidence: float | None
    approach: str | None
    reasoning: str | None
    error: str | None
    tokens: int | None
    usd: float | None
    seconds: float


class Waiting(BaseModel):
    """A call that has not finished."""

    id: str
    solver: str
    effort: str
    strategy: str


class AnswerGroup(BaseModel):
    """Answers that count as the same."""

    answer: str
    count: int
    share: float
    solvers: list[str]
    approaches: list[str]
    confidence: float | None


class LedgerView(BaseModel):
    """The counts over all evidence of the problem."""

    asked: int
    ok: int
    failed: int
    pending: int
    unparsed: int
    answers: list[AnswerGroup]
    answers_left_out: int
    leader_probability: float | None
    gain: dict[str, float | int | None] | None
    spent: dict[str, float | int | None]
    left: dict[str, float | int | None]


class Explored(BaseModel):
    """The reply of `explore` and `collect`."""

    problem_id: str
    status: str
    evidence: list[Capsule]
    evidence_left_out: int
    pending: list[Waiting]
    ledger: LedgerView
    next: str


class Stopped(BaseModel):
    """The reply of `conclude`."""

    problem_id: str
    recorded: str
    answer: str | None
    asked: int
    ok: int
    leader: str | None
    leader_count: int
    leader_probability: float | None
    agrees_with_leader: bool | None
    majority_since_draw: int | None
    approaches_behind_answer: list[str]
    still_running: int
    spent: dict[str, float | int | None]


def explored(report: Report, *, full: bool = False) -> tuple[CallToolResult, list[str]]:
    """The reply of `explore` and `collect`, and the ids of the evidence that it shows.

    It is never longer than `MAX_CHARS`; `full` cuts less.
    """
    view = next(
        (
            v
            for fit in (_FULL, *_FITS)[not full :]
            if len(v := _explored(report, fit).model_dump_json()) <= _STRUCTURED_CHARS
        ),
        None,
    )
    bounded = Explored.model_validate_json(view) if view else _bare(report)
    links = [
        _link(f"atlas://evidence/{one.id}", f"evidence {one.id}, full text")
        for one in report.evidence[:MAX_LINKS]
    ]
    links.append(_link(f"atlas://problems/{report.problem.id}/evidence", "all evidence"))
    shown = [one.id for one in bounded.evidence]
    return _result(bounded, _explored_text(bounded), links), shown


def stopped(stop: StopReport) -> CallToolResult:
    """The reply of `conclude`."""
    report, ledger = stop.report, stop.report.ledger
    leader = ledger.groups[0] if ledger.groups else None
    behind = leader.approaches if leader and stop.agrees_with_leader else ()
    view = Stopped(
        problem_id=report.problem.id,
        recorded="abstention" if stop.conclusion.abstain else "conclusion",
        answer=None if stop.conclusion.abstain else cut(stop.conclusion.answer, 1_500),
        asked=ledger.asked,
        ok=ledger.ok,
        leader=cut(leader.answer, 300) if leader else None,
        leader_count=leader.count if leader else 0,
        leader_probability=_rounded(ledger.leader_probability),
        agrees_with_leader=stop.agrees_with_leader,
        majority_since_draw=stop.majority_since,
        approaches_behind_answer=[cut(one, 120) for one in behind],
        still_running=len(report.pending),
        spent=_amounts(report.account.spent),
    )
    text = f"{view.recorded} recorded for {view.problem_id} after {view.asked} solver calls."
    if leader:
        text += f" Leading answer: {quoted(view.leader or '')} ({view.leader_count} of {view.ok})."
    return _result(view, text, [_link(f"atlas://problems/{view.problem_id}", "the whole record")])


def capsule(
    one: Evidence, reasoning: int = 1_200, answer: int = 1_500, short: int = 200
) -> Capsule:
    """Evidence with its texts cut to these lengths."""
    choice = one.call.choice
    return Capsule(
        id=one.id,
        solver=choice.solver,
        effort=choice.effort,
        strategy=choice.strategy,
        instruction=_maybe(choice.instruction, short),
        draw=one.call.draw,
        status=one.status,
        answer=_maybe(one.answer, answer),
        confidence=one.confidence,
        approach=_maybe(one.approach, short),
        reasoning=_maybe(one.reasoning, reasoning),
        error=_error(one.fault, max(4 * short, 120)),
        tokens=one.usage.total_tokens,
        usd=one.usd,
        seconds=round(one.seconds, 2),
    )


def ledger_view(
    report: Report, answer: int = 1_500, short: int = 200, most: int = 20
) -> LedgerView:
    """The ledger of a report as it goes over the wire."""
    ledger = report.ledger
    return LedgerView(
        asked=ledger.asked,
        ok=ledger.ok,
        failed=ledger.failed,
        pending=ledger.pending,
        unparsed=ledger.unparsed,
        answers=[_group(group, answer, short) for group in ledger.groups[:most]],
        answers_left_out=max(len(ledger.groups) - most, 0),
        leader_probability=_rounded(ledger.leader_probability),
        gain=None
        if ledger.gain is None
        else {k: _rounded(v) for k, v in asdict(ledger.gain).items()},
        spent=_amounts(report.account.spent),
        left=_amounts(report.left),
    )


def ledger_json(report: Report) -> dict[str, object]:
    """The ledger as it is shown in resources, with the evidence whose wording each answer has."""
    view = ledger_view(report).model_dump(mode="json")
    for row, group in zip(view["answers"], report.ledger.groups, strict=False):
        row["evidence_id"] = group.ids[0]
    return view


def facts(report: Report) -> str:
    """One sentence on where the problem stands. It states; it does not advise."""
    ledger = report.ledger
    parts = []
    if ledger.groups:
        leader = ledger.groups[0]
        parts.append(f"{leader.count} of {ledger.ok} answers agree on {quoted(leader.answer, 60)}")
    elif ledger.asked:
        parts.append(f"no readable answer yet from {ledger.asked} calls")
    else:
        parts.append("nothing explored yet")
    if report.pending:
        parts.append(f"{len(report.pending)} still running, collect(problem_id) waits for them")
    if report.refusal:
        parts.append(report.refusal)
    if report.left.calls is not None:
        parts.append(f"{report.left.calls:g} calls left")
    return "; ".join(parts) + "."


def quoted(text: str, most: int = 300) -> str:
    """Solver text on one line, between quotes that it cannot close."""
    return "“" + " ".join(cut(text, most).replace("“", '"').replace("”", '"').split()) + "”"


def _explored(report: Report, fit: tuple[int, int, int, int, int]) -> Explored:
    reasoning, answer, short, groups, most = fit
    shown = report.evidence[:most]
    return Explored(
        problem_id=report.problem.id,
        status="pending" if report.pending else "done",
        evidence=[capsule(one, reasoning, answer, short) for one in shown],
        evidence_left_out=len(report.evidence) - len(shown),
        pending=[_waiting(call) for call in report.pending[:most]],
        ledger=ledger_view(report, answer, short, groups),
        next=facts(report),
    )


def _bare(report: Report) -> Explored:
    """The smallest reply there is: the counts alone."""
    return Explored(
        problem_id=report.problem.id,
        status="pending" if report.pending else "done",
        evidence=[],
        evidence_left_out=len(report.evidence),
        pending=[],
        ledger=ledger_view(report, 30, 0, 1),
        next=facts(report),
    )


def _explored_text(view: Explored) -> str:
    """The view in words: the counts first, then as much of each piece of evidence as fits."""
    for fit in _TEXT_FITS:
        text = "\n".join([*_counted(view), *_listed(view, *fit)])
        if len(text) <= _TEXT_CHARS:
            break
    return text


def _counted(view: Explored) -> Iterator[str]:
    yield f"problem {view.problem_id}: {view.next}"
    ledger = view.ledger
    counts = ", ".join(f"{quoted(g.answer, 60)} × {g.count}" for g in ledger.answers[:5])
    yield (
        f"ledger: {ledger.asked} asked, {ledger.ok} answered, {ledger.failed} failed, "
        f"{ledger.unparsed} unreadable" + (f"; {counts}" if counts else "")
    )


def _listed(view: Explored, reasoning: int, answer: int, named: bool) -> Iterator[str]:
    for one in view.evidence:
        yield f"- {_called(one, named)} {one.status}: {_outcome(one, answer)}"
        if one.reasoning and reasoning:
            yield f"  {quoted(one.reasoning, reasoning)}"
    if view.evidence_left_out:
        yield f"- {view.evidence_left_out} more: read the linked resource"
    for call in view.pending:
        yield f"- pending {_called(call, named)}"


def _outcome(one: Capsule, most: int) -> str:
    if one.answer is None:
        return cut(one.error or "", 4 * most)
    sure = "" if one.confidence is None else f", says {one.confidence:.0%} sure"
    return quoted(one.answer, most) + sure


def _called(one: Capsule | Waiting, named: bool) -> str:
    return f"{one.id} {one.solver}/{one.effort}/{one.strategy}" if named else one.id


def _result(view: BaseModel, text: str, links: list[ResourceLink]) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(type="text", text=cut(text, _TEXT_CHARS)), *links]
    return CallToolResult(content=content, structured_content=view.model_dump(mode="json"))


def _link(uri: str, title: str) -> ResourceLink:
    return ResourceLink(type="resource_link", uri=uri, name=title, mime_type="application/json")


def _group(group: Group, answer: int, short: int) -> AnswerGroup:
    return AnswerGroup(
        answer=cut(group.answer, min(answer, 300)),
        count=group.count,
        share=round(group.share, 3),
        solvers=list(group.solvers[:8]),
        approaches=[cut(one, short) for one in group.approaches[:3] if short],
        confidence=_rounded(group.confidence),
    )


def _waiting(call: Call) -> Waiting:
    choice = call.choice
    return Waiting(id=call.id, solver=choice.solver, effort=choice.effort, strategy=choice.strategy)


def _maybe(text: str | None, most: int) -> str | None:
    return None if text is None or most == 0 else cut(text, most)


def _error(fault: Fault | None, most: int) -> str | None:
    return None if fault is None else cut(f"{fault.kind}: {fault.message}", most)


def _amounts(value: Spend | Caps) -> dict[str, float | int | None]:
    return {
        "calls": value.calls,
        "tokens": value.tokens,
        "usd": None if value.usd is None else round(value.usd, 6),
        "seconds": None if value.seconds is None else round(value.seconds, 1),
    }


def _rounded(value: float | int | None) -> float | int | None:
    return round(value, 4) if isinstance(value, float) else value


def usage_json(evidence: Iterable[Evidence]) -> dict[str, int | None]:
    """Tokens and wire requests of all this evidence; an amount is null where a part is unknown."""
    usage = sum((one.usage for one in evidence), Usage())
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def problem_json(problem: Problem) -> dict[str, object]:
    """A problem as it is shown in resources, without the bytes of its attachments."""
    return {
        "id": problem.id,
        "text": clean(problem.text),
        "answer_kind": problem.answer_kind,
        "scope": problem.scope,
        "attachments": [
            {"media_type": one.media_type, "name": one.name, "bytes": len(one.data)}
            for one in problem.attachments
        ],
    }


def listing(key: str, rows: Iterable[object], **more: object) -> str:
    """A JSON document that lists `rows` under `key`."""
    return as_json({key: list(rows), **more})
