"""Solvers of other packages: found by entry point, and unable to take the rest down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.server import MCPServer

from atlas_mcp.server.app import create_server
from atlas_mcp.settings import Settings
from solvers.errors import FixSetupError, MissingPackageError
from solvers.registry import SolverSpec, build, missing
from solvers.roster import parse_roster
from solvers.scripted import ScriptedSolver
from solvers.types import Shared

pytestmark = pytest.mark.anyio

GOOD = "from solvers.scripted import build, missing\n"
SICK = "def missing(spec): return None\ndef build(spec, shared): return 1 / 0\n"
MODULES = {
    "fails_at_import": "raise RuntimeError('no licence')\n",
    "fails_when_asked": "def missing(spec): return spec.options['key']\n",
    "lacks_a_function": "def build(spec, shared): return None\n",
}
MISTAKEN = {
    "offers_nonsense": GOOD + "def offer(spec): return {'price': 1}\n",
    "fails_to_offer": GOOD + "def offer(spec): return 1 / 0\n",
    "has_odd_notices": GOOD + "def notices(spec, today): return None\n",
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, whose solvers are called what their modules are called."""
    modules = {
        **MODULES,
        **MISTAKEN,
        "good": GOOD,
        "sick": SICK,
        "lacks_a_package": "import no_such_package\n",
    }
    for name, source in modules.items():
        (tmp_path / f"outside_{name}.py").write_text(source)
    about = tmp_path / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    entries = "\n".join(f"{name} = outside_{name}" for name in modules)
    (about / "entry_points.txt").write_text(f"[atlas_mcp.solvers]\n{entries}\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def spec_of(api: str) -> SolverSpec:
    return SolverSpec(name="theirs", api=api, options={"answers": ["42"]})


@pytest.mark.usefixtures("installed")
def test_a_solver_of_another_package_is_found_by_its_entry_point() -> None:
    assert missing(spec_of("good")) is None
    assert isinstance(build(spec_of("good"), Shared()), ScriptedSolver)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("module", MODULES)
def test_a_broken_module_is_what_its_solver_lacks(module: str) -> None:
    lack = missing(spec_of(module))
    assert lack is not None
    assert lack.startswith(f"solver 'theirs': module outside_{module} ")


@pytest.mark.usefixtures("installed")
def test_a_module_that_fails_to_build_is_a_fault_of_the_set_up_with_its_cause() -> None:
    with pytest.raises(FixSetupError, match=r"'theirs': module outside_sick .*ZeroDiv") as caught:
        build(spec_of("sick"), Shared())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.usefixtures("installed")
def test_a_package_that_a_module_lacks_is_named() -> None:
    with pytest.raises(MissingPackageError, match=r"outside_lacks_a_package .*no_such_package"):
        build(spec_of("lacks_a_package"), Shared())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("module", MISTAKEN)
async def test_a_module_that_cannot_say_what_it_offers_is_unknown_and_still_solves(
    module: str, settings: Settings
) -> None:
    roster = parse_roster({"solvers": {"theirs": {"api": module, "answers": ["42"]}}}, "the roster")
    async with Client(create_server(settings, roster=roster)) as client:
        read = await client.read_resource("atlas://solvers")
        (row,) = json.loads(getattr(read.contents[0], "text", ""))["solvers"]
        assert (row["usd_per_million"], row["notices"], row["missing"]) == (None, [], None)
        assert not (await client.call_tool("explore", {"problem": "P"})).is_error


def test_what_a_model_offers_is_told_without_its_sdk() -> None:
    script = (
        "import sys\n"
        "from solvers.registry import SolverSpec, offer\n"
        "assert offer(SolverSpec(name='a', api='anthropic', model='claude-opus-5-5')).price\n"
        "assert offer(SolverSpec(name='o', api='openai', model='gpt-6.1-sol')).price\n"
        "assert not {'anthropic', 'openai', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.fixture
def server(installed: None, settings: Settings) -> MCPServer:
    """A server whose roster holds a good solver among broken ones."""
    names = [*MODULES, "good", "sick"]
    entries = {name: {"api": name, "answers": ["42"]} for name in names}
    return create_server(settings, roster=parse_roster({"solvers": entries}, "the roster"))


async def test_a_broken_solver_does_not_hide_the_others(server: MCPServer) -> None:
    async with Client(server) as client:
        read = await client.read_resource("atlas://solvers")
        rows = json.loads(getattr(read.contents[0], "text", ""))["solvers"]
        assert {row["name"] for row in rows if row["missing"]} == set(MODULES)
        broken = await client.call_tool("explore", {"problem": "P", "solver": "sick"})
        assert "module outside_sick" in getattr(broken.content[0], "text", "")
        whole = await client.call_tool("explore", {"problem": "P", "solver": "good"})
        assert not whole.is_error
