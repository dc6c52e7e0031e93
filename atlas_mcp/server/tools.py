"""The three tools: explore, collect, conclude."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atlas_mcp.core.errors import AtlasError, BadRequestError
from atlas_mcp.core.types import Caps, Choice, Conclusion, Problem
from atlas_mcp.explore.service import Moment
from atlas_mcp.server import wire
from atlas_mcp.server.attachments import load_attachments
from atlas_mcp.server.context import App, AtlasServer
from atlas_mcp.strategies import STRATEGIES
from solvers.types import AnswerKind, Effort

SCOPE_META = "atlas-mcp/scope"
"""The request's `_meta` key that keeps runs apart which must not share evidence.

It is for hosts that run experiments; a model cannot set it.
"""

ALLOWANCE_META = "atlas-mcp/allowance"
"""The request's `_meta` key for what the calls of one explore may cost: {tokens, usd}.

It is for hosts that hold a budget of their own over several problems or models.
"""

MAX_PROBLEM_CHARS = 200_000
MAX_WAIT_SECONDS = 3_600.0

Seconds = Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS)]
ProblemId = Annotated[str, Field(max_length=64)]

_EXPLORE = f"""\
Send the original problem to a fresh, independent solver and get evidence back. The solver sees \
the problem, never earlier evidence. First call: `problem`, complete and verbatim; later calls: \
the `problem_id` of the reply. Reply: evidence, a ledger that counts agreeing answers, and what \
is left of the budget. Calls still pending after `wait_seconds`: use collect. Strategies: \
{", ".join(STRATEGIES)}."""

_COLLECT = "Wait for pending calls of a problem, re-read its evidence, or stop calls with `cancel`."

_CONCLUDE = """\
Record your final answer to a problem, or `abstain`. Returns what it took and whether the answer \
agrees with the majority."""


class _Allowance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)

    @property
    def caps(self) -> Caps:
        return Caps(tokens=self.tokens, usd=self.usd)


def add_tools(server: AtlasServer) -> None:
    """Register the tools on the server."""

    @server.tool(
        title="Explore",
        description=_EXPLORE,
        annotations=ToolAnnotations(
            read_only_hint=False,
            destructive_hint=False,
            idempotent_hint=False,
            open_world_hint=True,
        ),
    )
    async def explore(
        ctx: Context[App],
        problem: Annotated[str, Field(max_length=MAX_PROBLEM_CHARS)] = "",
        problem_id: ProblemId = "",
        attachments: Annotated[
            list[str], Field(max_length=8, description="paths or data: URIs, first call only")
        ] = [],  # noqa: B006  the schema needs a plain default; it is never changed
        answer_kind: AnswerKind = "auto",
        solver: Annotated[str, Field(description="a name from atlas://solvers")] = "auto",
        effort: Effort = "medium",
        strategy: str = "direct",
        instruction: Annotated[
            str, Field(max_length=4_000, description="what this solver should look at")
        ] = "",
        draws: Annotated[
            int, Field(ge=1, le=8, description="fresh solvers to dispatch at once")
        ] = 1,
        wait_seconds: Seconds = 45,
    ) -> CallToolResult:
        app = ctx.request_context.lifespan_context
        app.board.seen(ctx.session, ctx.protocol_version)
        with _told():
            asked = await _problem(app, problem, problem_id, attachments, answer_kind, _scope(ctx))
            await app.outbox.settled(asked.id)
            choice = Choice(
                solver=solver, effort=effort, strategy=strategy, instruction=instruction or None
            )
            report = await app.explorer.explore(
                asked,
                choice,
                draws=draws,
                wait_seconds=wait_seconds,
                allowance=_allowance(ctx),
                watch=_progress(ctx, wait_seconds),
            )
        result, shown = wire.explored(report)
        await app.explorer.undelivered([e.id for e in report.evidence if e.id not in shown])
        return app.outbox.send(result, report.problem.id, shown)

    @server.tool(
        title="Collect",
        description=_COLLECT,
        annotations=ToolAnnotations(
            read_only_hint=False,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )
    async def collect(
        ctx: Context[App],
        problem_id: ProblemId,
        wait_seconds: Seconds = 45,
        evidence_ids: Annotated[list[str], Field(max_length=200)] = [],  # noqa: B006
        detail: Literal["concise", "full"] = "concise",
        cancel: bool = False,
    ) -> CallToolResult:
        app = ctx.request_context.lifespan_context
        with _told():
            report = await app.explorer.collect(
                await app.explorer.problem(problem_id),
                evidence_ids=evidence_ids or None,
                wait_seconds=wait_seconds,
                cancel=cancel,
                watch=_progress(ctx, wait_seconds),
            )
        result, shown = wire.explored(report, full=detail == "full")
        return app.outbox.send(result, report.problem.id, shown)

    @server.tool(
        title="Conclude",
        description=_CONCLUDE,
        annotations=ToolAnnotations(
            read_only_hint=False,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )
    async def conclude(
        ctx: Context[App],
        problem_id: ProblemId,
        answer: Annotated[str, Field(max_length=20_000)],
        because: Annotated[str, Field(max_length=20_000)],
        evidence_ids: Annotated[list[str], Field(max_length=200)] = [],  # noqa: B006
        abstain: bool = False,
    ) -> CallToolResult:
        app = ctx.request_context.lifespan_context
        with _told():
            stop = await app.explorer.conclude(
                Conclusion(
                    problem_id=problem_id,
                    answer=app.redact(answer),
                    because=app.redact(because),
                    evidence_ids=tuple(evidence_ids),
                    abstain=abstain,
                )
            )
        await app.board.concluded(problem_id)
        return wire.stopped(stop)


async def _problem(
    app: App,
    text: str,
    problem_id: str,
    attachments: list[str],
    answer_kind: AnswerKind,
    scope: str,
) -> Problem:
    if text and problem_id:
        raise BadRequestError("pass `problem` on the first call or `problem_id` later, not both")
    if problem_id:
        if attachments:
            raise BadRequestError("attachments belong to the first call, beside `problem`")
        return await app.explorer.problem(problem_id)
    files = await load_attachments(attachments, app.attachments_folder)
    return Problem(text=text, answer_kind=answer_kind, attachments=files, scope=scope)


def _scope(ctx: Context[App]) -> str:
    meta = ctx.request_context.meta or {}
    return str(meta.get(SCOPE_META, ""))[:200]


def _allowance(ctx: Context[App]) -> Caps:
    said = (ctx.request_context.meta or {}).get(ALLOWANCE_META)
    if said is None:
        return Caps()
    try:
        return _Allowance.model_validate(said).caps
    except ValidationError as error:
        raise BadRequestError(
            f"_meta {ALLOWANCE_META}: {error.errors()[0]['msg']}; write tokens and usd, such as "
            '{"tokens": 20000, "usd": 0.5}'
        ) from error


def _progress(ctx: Context[App], total: float) -> Callable[[Moment], Awaitable[None]]:
    last = -1.0

    async def watch(moment: Moment) -> None:
        nonlocal last
        # The protocol wants rising values; two ticks may fall into the same instant.
        last = max(moment.seconds, last + 0.001)
        await ctx.report_progress(round(last, 3), max(total, last), moment.line)

    return watch


@contextmanager
def _told() -> Iterator[None]:
    """Let the model read what it can act on."""
    try:
        yield
    except AtlasError as error:
        raise ToolError(str(error)) from error
