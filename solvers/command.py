"""A command-line agent as a solver: Claude Code, Codex, Gemini, or any program.

    [solvers.claude]
    api = "command"
    preset = "claude"
    model = "sonnet"

    [solvers.mine]
    api = "command"
    command = ["my-agent", "--json"]
    output = "json"
    text = "reply.text"
    input = ["reply.tokens_in"]

Options of a roster entry: preset, parallel (runs at the same time), max_output (bytes), and
all keys of `solvers.agents.Agent`. Each turn is one run of the program, which sees the prompt
and nothing else: an empty folder of its own, and of the environment only what programs need
to find their way, what the preset names and what the entry names (`environment` lists names,
`variables` sets values). Keys of providers and our own settings are not handed on. Paths in
`command` must be absolute.

What an agent spends within a run is known only as far as it says so, and cannot be bounded
beforehand: with a cap on tokens or dollars, such a solver is refused.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from fnmatch import fnmatch

from pydantic import BaseModel, ConfigDict, Field

from solvers.agent_model import CommandModel, environment
from solvers.agents import Agent, merged
from solvers.errors import FixSetupError
from solvers.offer import Offer
from solvers.process import MAX_OUTPUT
from solvers.prompted import PromptedSolver
from solvers.registry import SolverSpec, read_options
from solvers.types import EFFORTS, Shared

_LOGIN_SECONDS = 20.0


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parallel: int = Field(default=4, ge=1, le=64)
    max_output: int = Field(default=MAX_OUTPUT, ge=1)


def build(spec: SolverSpec, shared: Shared) -> PromptedSolver:
    """Make the solver of a roster entry.

    Raises:
        FixSetupError: an option is wrong, the program is not there, or it has no login.
    """
    return PromptedSolver(build_model(spec, shared), max_seconds=spec.max_seconds)


def build_model(spec: SolverSpec, shared: Shared) -> CommandModel:
    """Make the model of a roster entry. It takes turns, but calls no tools of ours."""
    agent, limits = _agent(spec), _limits(spec)
    if lack := _lack(agent):
        raise FixSetupError(lack)
    if "preset" in spec.options:
        shared.require_live(f"solver {spec.name!r} runs {agent.command[0]}")
    _check_login(agent)
    return CommandModel(
        agent,
        name=spec.model,
        max_seconds=spec.max_seconds,
        parallel=limits.parallel,
        max_output=limits.max_output,
        shared=shared,
    )


def missing(spec: SolverSpec) -> str | None:
    """Say whether the program is not there. Runs nothing."""
    return _lack(_agent(spec))


def offer(spec: SolverSpec) -> Offer:
    """What the description of the agent says; its price is its maker's own affair."""
    agent = _agent(spec)
    return Offer(
        images=any(fnmatch("image/png", kind) for kind in agent.reads),
        efforts={one: one if one in agent.effort_args else None for one in EFFORTS},
    )


def _agent(spec: SolverSpec) -> Agent:
    own = {key: value for key, value in spec.options.items() if key not in _Limits.model_fields}
    preset = own.pop("preset", None)
    if preset is None and "command" not in own:
        raise FixSetupError(f"solver {spec.name!r} needs a preset or a command")
    try:
        options = merged(preset, own)
    except FixSetupError as error:
        raise FixSetupError(f"solver {spec.name!r}: {error}") from error
    return read_options(replace(spec, options=options), Agent)


def _limits(spec: SolverSpec) -> _Limits:
    limits = {key: spec.options[key] for key in _Limits.model_fields if key in spec.options}
    return read_options(replace(spec, options=limits), _Limits)


def _lack(agent: Agent) -> str | None:
    program = agent.command[0]
    if shutil.which(program) is not None:
        return None
    cure = agent.install or "install it, or give its absolute path in the roster"
    return f"the program {program!r} is not on the PATH: {cure}"


def _check_login(agent: Agent) -> None:
    """Ask an agent that would otherwise keep trying without a login until the time is over."""
    # Own arguments may name another provider, which needs no login.
    if not agent.login or agent.args:
        return
    program = shutil.which(agent.login[0]) or agent.login[0]
    try:
        asked = subprocess.run(
            [program, *agent.login[1:]],
            env=environment(agent, os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_LOGIN_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FixSetupError(f"{' '.join(agent.login)} did not work: {error}") from error
    if asked.returncode:
        raise FixSetupError(f"{agent.login[0]} is not logged in: {agent.install}")
