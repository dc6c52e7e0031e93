"""What only Claude Code can show: that it runs the example of this repository as it stands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from clients.conversation import LAST_WORD, PROBLEM, HostModel, Move, Told
from clients.hosts import configured_claude_code
from programs import ROOT, environment, scripted_atlas

from solvers.fake import fake_provider

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_the_example_for_a_project_gives_its_model_the_tools(tmp_path: Path) -> None:
    def rule(told: Sequence[Told]) -> Move | str:
        return LAST_WORD if told else Move("explore", problem=PROBLEM)

    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "atlas-mcp").symlink_to(Path(sys.executable).parent / "atlas-mcp")
    example = shutil.copy(ROOT / ".mcp.json", tmp_path)

    # The host hands on its own environment; of the example's variables, none need be set.
    env = environment(tmp_path, ATLAS_ROSTER=scripted_atlas(tmp_path)["ATLAS_ROSTER"])
    model = HostModel(rule)
    async with fake_provider(model) as provider:
        assert await configured_claude_code(Path(example), env, provider) == LAST_WORD

    [told] = model.told
    assert [one["answer"] for one in told.found["evidence"]] == ["42"]
    assert (tmp_path / ".local" / "share" / "atlas-mcp" / "evidence.db").exists()
