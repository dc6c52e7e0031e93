"""What is configured, reachable and missing on this machine, as findings."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import anyio

from atlas_mcp.cli.clients import Launch, server_command
from atlas_mcp.evidence.inspection import inspect_store
from atlas_mcp.settings import Settings, variables
from solvers import outlook, registry
from solvers.errors import FixSetupError, SolverError
from solvers.facts import SOON, makers
from solvers.registry import SolverSpec
from solvers.roster import Roster, is_set
from solvers.weights import WEIGHTS, present

Mark = Literal["ok", "note", "bad"]

_NETWORK = {
    "HTTP_PROXY": "calls go through it",
    "HTTPS_PROXY": "calls go through it",
    "ALL_PROXY": "calls go through it",
    "NO_PROXY": "calls go there without a proxy",
    "SSL_CERT_FILE": "says whom to trust",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. What is "bad" has a cure, and a "note" may have one."""

    mark: Mark
    name: str
    text: str
    cure: str | None = None


def program() -> list[Finding]:
    """The program itself, its packages and its extras."""
    needed, extras = _requirements()
    where = " ".join(server_command()[:-1])
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return [
        Finding(mark="ok", name="atlas-mcp", text=f"{version('atlas-mcp')}  {where}"),
        Finding(mark="ok", name="python", text=f"{system}  {sys.executable}"),
        _packages(needed),
        *(_extra(name, packages) for name, packages in extras.items() if name != "test"),
    ]


def store(path: Path) -> Finding:
    """The evidence file, looked at without changing it."""
    state = inspect_store(path)
    if state.fault is not None:
        return Finding(mark="bad", name="store", text=str(path), cure=state.fault)
    if not state.exists:
        return Finding(mark="ok", name="store", text=f"{path}  is made at first use")
    said = f"{state.problems} problems, {state.size / 1e6:.1f} MB, schema {state.schema}"
    return Finding(mark="ok", name="store", text=f"{path}  {said}")


def roster_file(path: Path | None) -> Finding:
    """Where the solvers are named."""
    text = "the default one: the makers whose key is set, and the embedded models"
    return Finding(mark="ok", name="roster", text=text if path is None else str(path))


def solvers(roster: Roster, today: date) -> list[Finding]:
    """Every entry of the roster: ready, or what it lacks."""
    return [_solver(spec, today) for spec in roster.specs.values()]


def weights(folder: Path) -> Finding:
    """Which embedded models are here."""
    here = [name for name in WEIGHTS if present(name, folder)]
    if here:
        return Finding(mark="ok", name="weights", text=f"{', '.join(here)}  in {folder}")
    cure = "atlas-mcp models pull qwen2.5-coder-1.5b"
    return Finding(mark="note", name="weights", text=f"none in {folder}", cure=cure)


def surroundings(environ: Mapping[str, str], roster: Roster) -> list[Finding]:
    """Keys by name, and the variables that silently change where calls go."""
    keys = [name for name in key_names(roster) if is_set(environ.get(name))]
    found = [Finding(mark="ok", name=name, text="is set") for name in keys]
    for name, meaning in _diversions().items():
        for spelling in (name, name.lower()):
            if is_set(value := environ.get(spelling)):
                text = f"{without_password(str(value))}  {meaning}"
                found.append(Finding(mark="note", name=spelling, text=text))
    return found or [Finding(mark="note", name="keys", text="no provider's key is set")]


async def providers(roster: Roster) -> list[Finding]:
    """Ask each provider of the roster for its models: reachable, key accepted, models there."""
    groups: dict[tuple[str, str, str | None], list[SolverSpec]] = {}
    for spec in roster.specs.values():
        if outlook.is_provided(spec) and registry.missing(spec) is None:
            at = outlook.where(spec)
            groups.setdefault((at.api, at.base_url, at.key_env), []).append(spec)
    found: list[Finding] = []

    async def ask(address: str, specs: list[SolverSpec]) -> None:
        found.extend(await _ask(address, specs))

    async with anyio.create_task_group() as tasks:
        for (_, address, _), specs in groups.items():
            tasks.start_soon(ask, address, specs)
    nobody = Finding(mark="note", name="providers", text="the roster has none that could be asked")
    return sorted(found, key=lambda one: one.name) or [nobody]


def launch(
    settings: Settings, given: Iterable[str], environ: Mapping[str, str], roster: Roster
) -> Launch:
    """How a client should start the server so that it works as it does here.

    `given` are the settings named on the command line; those in the environment are added.
    """
    wanted = {*given, *(name for name in variables() if environ.get(name, "").strip())}
    env = {name: _value(settings, name, environ) for name in variables() if name in wanted}
    addresses = [one.base_url_env for one in makers() if one.base_url_env]
    names = [*key_names(roster), *addresses]
    keys = [name for name in names if is_set(environ.get(name))]
    runs = any(spec.api == "command" for spec in roster.specs.values())
    path = environ.get("PATH") if runs else None
    return Launch(command=server_command(), env=env, keys=keys, path=path)


def key_names(roster: Roster) -> list[str]:
    """Every variable that may hold a key: the makers' and those that entries name."""
    own = [_key_name(spec) for spec in roster.specs.values() if outlook.is_provided(spec)]
    names = [*(one.key_env for one in makers()), *own]
    return list(dict.fromkeys(name for name in names if name))


def without_password(address: str) -> str:
    """An address without the name and password that may stand in it."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _diversions() -> dict[str, str]:
    """Variables that change where calls go, and how."""
    addresses = [one.base_url_env for one in makers() if one.base_url_env]
    return dict.fromkeys(addresses, "the default roster's calls go there") | _NETWORK


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """The packages that are always needed, and those of each extra."""
    needed: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in requires("atlas-mcp") or ():
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        (extras.setdefault(extra[1], []) if extra else needed).append(name)
    return needed, extras


def _packages(names: list[str]) -> Finding:
    have = {name: _version(name) for name in names}
    lacking = [name for name, found in have.items() if found is None]
    text = ", ".join(f"{name} {found}" for name, found in have.items() if found)
    if not lacking:
        return Finding(mark="ok", name="packages", text=text)
    cure = f"pip install {' '.join(lacking)}"
    return Finding(mark="bad", name="packages", text=text, cure=cure)


def _extra(name: str, packages: list[str]) -> Finding:
    if all(_version(package) for package in packages):
        return Finding(mark="ok", name=f"extra {name}", text="is installed")
    cure = f"pip install 'atlas-mcp[{name}]'"
    return Finding(mark="note", name=f"extra {name}", text="is not installed", cure=cure)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _solver(spec: SolverSpec, today: date) -> Finding:
    text = f"{spec.api} {spec.model}".strip()
    lack = registry.missing(spec)
    if lack is not None:
        return Finding(mark="bad", name=spec.name, text=text, cure=lack)
    if not outlook.is_provided(spec):
        return Finding(mark="ok", name=spec.name, text=text)
    ends = outlook.retires(spec)
    if ends is not None and ends - today <= SOON:
        said = f"{text}  the provider ends this model on {ends}"
        return Finding(mark="note", name=spec.name, text=said, cure="name a newer one")
    if registry.offer(spec).price is None:
        cure = "give its price in the roster, else caps on dollars refuse it"
        return Finding(mark="note", name=spec.name, text=f"{text}  price unknown", cure=cure)
    return Finding(mark="ok", name=spec.name, text=text + (f"  until {ends}" if ends else ""))


async def _ask(address: str, specs: list[SolverSpec]) -> list[Finding]:
    name = without_password(address)
    try:
        served = await outlook.served(specs[0])
    except TimeoutError:
        return [Finding(mark="bad", name=name, text="no answer", cure="check the network")]
    except SolverError as error:
        return [Finding(mark="bad", name=name, text="does not answer", cure=str(error))]
    have = [spec.name for spec in specs if spec.model in served]
    said = f"answers, the key is accepted; it lists {', '.join(have) or 'none of the roster'}"
    return [
        Finding(mark="ok", name=name, text=said),
        *(
            Finding(
                mark="bad",
                name=name,
                text=f"does not list {spec.model}",
                cure=f"name another model for solver {spec.name!r}",
            )
            for spec in specs
            if spec.model not in served
        ),
    ]


def _key_name(spec: SolverSpec) -> str | None:
    try:
        return outlook.key_name(spec)
    except FixSetupError:
        return None  # what is wrong with the entry is said where solvers are listed


def _value(settings: Settings, name: str, environ: Mapping[str, str]) -> str:
    value = getattr(settings, name.removeprefix("ATLAS_").lower())
    return str(value.absolute()) if isinstance(value, Path) else environ.get(name, str(value))
