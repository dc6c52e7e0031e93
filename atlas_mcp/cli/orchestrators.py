"""The orchestrator of `atlas-mcp ask`: a rule, a controller, or a model of the roster."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from atlas_mcp.core.errors import BadRequestError

if TYPE_CHECKING:
    from mcp.client import Client

    from atlas_mcp.discovery.loading import Loaded
    from atlas_mcp.host.conversation import Conversation
    from atlas_mcp.host.orchestrator import Explore, Orchestrator
    from atlas_mcp.replay.state import Controller
    from atlas_mcp.settings import Settings
    from solvers.registry import SolverSpec

VARIANTS = ("plain", "mm", "mi", "mm+mi")
HOST_EFFORTS = ("low", "medium", "high")
CALLS, CALLS_MM = 8, 20


def add_orchestrators(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who decides, and on what."""
    parser.add_argument(
        "--orchestrator",
        default="agree:3",
        metavar="WHO",
        help="greedy, vote:CALLS, agree:ANSWERS, confident:PROBABILITY, controller:NAME[:DIAL] of "
        "`atlas-mcp replay list` or controller:FILE[:DIAL], a .py file as `atlas-mcp discover` "
        "saves it, run in the sandbox (live, a branch is one draw, which cannot be probed before "
        "its end), or model[:SOLVER], a language model of the roster (default: agree:3)",
    )
    parser.add_argument(
        "--arm",
        action="append",
        default=[],
        metavar="NAME",
        help="solver that a controller chooses among, in this order; may be given several times "
        "(default: the one of --solver)",
    )
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        default="plain",
        metavar="VARIANT",
        help="what a model decides beside when to stop: plain (nothing), mm (the solver), mi (an "
        "instruction), mm+mi (default: plain)",
    )
    parser.add_argument(
        "--host-effort",
        choices=HOST_EFFORTS,
        default="medium",
        metavar="EFFORT",
        help="how much agreement a model looks for before it stops: "
        f"{', '.join(HOST_EFFORTS)} (default: medium)",
    )
    parser.add_argument(
        "--calls-of",
        action="append",
        default=[],
        metavar="SOLVER=N",
        help="cap on the calls of one solver, with mm; may be given several times (default: 8, "
        "and 4 for the dearest of three prices or more)",
    )
    parser.add_argument(
        "--draws", type=int, default=1, metavar="N", help="solvers that one explore of a model asks"
    )


def check(args: argparse.Namespace, chosen: Settings) -> None:
    """See that there is such an orchestrator, before anything is started.

    Raises:
        BadRequestError, SetupError: there is none; the message says which there are.
    """
    if not 1 <= args.draws <= 8:
        raise BadRequestError("--draws must be from 1 to 8")
    from atlas_mcp.host.explore_tool import read_caps

    read_caps(args.calls_of)
    if args.arm and not _is(args, "controller"):
        raise BadRequestError(
            "--arm is for a controller: --orchestrator controller:NAME[:DIAL] or controller:FILE"
        )
    if len(set(args.arm)) < len(args.arm) or "auto" in args.arm[1:] + args.arm[:-1]:
        raise BadRequestError("--arm names solvers of the roster, each once")
    if _is(args, "model"):
        _spec(args, chosen)
        return
    if _is(args, "controller"):
        _controller(args, chosen)
    else:
        _rule(args)
    if args.variant != "plain":
        raise BadRequestError(
            f"--variant {args.variant} is for a model: --orchestrator model[:SOLVER]"
        )


def pinned(args: argparse.Namespace, chosen: Settings) -> str:
    """The orchestrator as it is found again from anywhere, and is known to be the same."""
    written = str(args.orchestrator)
    if not _is(args, "controller"):
        return written
    from atlas_mcp.discovery.loading import Loaded

    found = _controller(args, chosen)
    return f"controller:{found.pinned}" if isinstance(found, Loaded) else written


def opened(
    args: argparse.Namespace,
    chosen: Settings,
    client: Client,
    talk: Conversation | None,
    attachments: Sequence[str],
) -> AbstractAsyncContextManager[Orchestrator]:
    """Make the orchestrator that the options ask for, and close it.

    Raises:
        BadRequestError, SetupError, FixSetupError: it cannot be made.
    """
    if _is(args, "model"):
        return _model(args, chosen, client, talk, attachments)
    if _is(args, "controller"):
        return _controlled(args, chosen)
    return nullcontext(_rule(args))


def _is(args: argparse.Namespace, kind: str) -> bool:
    return bool(args.orchestrator.partition(":")[0] == kind)


def _rule(args: argparse.Namespace) -> Orchestrator:
    from atlas_mcp.host.rules import rule

    return rule(args.orchestrator, _explore(args))


def _controller(args: argparse.Namespace, chosen: Settings) -> Controller | Loaded:
    from atlas_mcp.discovery.loading import named

    return named(args.orchestrator.partition(":")[2], isolation=chosen.sandbox)


@asynccontextmanager
async def _controlled(args: argparse.Namespace, chosen: Settings) -> AsyncIterator[Orchestrator]:
    from atlas_mcp.discovery.loading import opened as opened_controller
    from atlas_mcp.host.controlled import Controlled

    async with opened_controller(_controller(args, chosen)) as controller:
        yield Controlled(
            controller=controller,
            arms=tuple(_explore(args, solver=name) for name in args.arm or [args.solver]),
            kind=args.answer_kind,
            calls=args.max_calls,
        )


@asynccontextmanager
async def _model(
    args: argparse.Namespace,
    chosen: Settings,
    client: Client,
    talk: Conversation | None,
    attachments: Sequence[str],
) -> AsyncIterator[Orchestrator]:
    from anyio import move_on_after, to_thread

    from atlas_mcp.core.redaction import Redactor
    from atlas_mcp.host.explore_tool import ExploreTool, read_caps
    from atlas_mcp.host.masking import MaskedModel
    from atlas_mcp.host.menu import candidates
    from atlas_mcp.host.model_orchestrator import ModelOrchestrator
    from atlas_mcp.server.attachments import load_attachments
    from solvers.registry import build_model
    from solvers.types import Shared

    shared = Shared(live=chosen.allow_live_calls)
    try:
        model = await to_thread.run_sync(build_model, _spec(args, chosen), shared)
        chooses = "mm" in args.variant
        tool = ExploreTool(
            base=_explore(args, draws=args.draws),
            candidates=await candidates(client, read_caps(args.calls_of)) if chooses else (),
            instructs="mi" in args.variant,
        )
        yield ModelOrchestrator(
            MaskedModel(model, Redactor(chosen.secrets)),
            tool,
            calls=args.max_calls or (CALLS_MM if chooses else CALLS),
            effort=args.host_effort,
            answer_kind=args.answer_kind,
            attachments=await load_attachments(attachments, None),
            talk=talk,
        )
    finally:
        with move_on_after(5, shield=True):
            await shared.aclose()


def _explore(args: argparse.Namespace, **more: Any) -> Explore:
    from atlas_mcp.host.orchestrator import Explore

    asked = {"solver": args.solver, "effort": args.effort, "strategy": args.strategy}
    return Explore(**{**asked, **more})


def _spec(args: argparse.Namespace, chosen: Settings) -> SolverSpec:
    from atlas_mcp.roster import read_roster

    roster = read_roster(chosen)
    named = args.orchestrator.partition(":")[2] or roster.default
    if named not in roster.specs:
        raise BadRequestError(
            f"no solver {named!r} in the roster to orchestrate; known: {', '.join(roster.specs)}"
        )
    return roster.specs[named]
