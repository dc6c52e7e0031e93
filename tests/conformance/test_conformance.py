"""The official conformance suite against the product's server, for both protocol eras."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import environment, free_port, node_tool, run, serving

SERVE = Path(__file__).with_name("serve.py")

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.parametrize(
    ("revision", "scored"),
    [
        pytest.param("2025-11-25", 30, id="2025-11-25"),
        pytest.param("2026-07-28", 37, id="2026-07-28"),
    ],
)
async def test_every_scenario_that_a_protocol_revision_scores_passes(
    revision: str, scored: int, tmp_path: Path
) -> None:
    suite, port, results = node_tool("conformance"), free_port(), tmp_path / "results"
    server = [sys.executable, str(SERVE), str(port)]
    async with serving(server, port, env=dict(os.environ), log=tmp_path / "server.log") as url:
        ended = await run(
            [suite, "server", "--url", url, "--requirements", revision, "-o", str(results)],
            env=environment(tmp_path),
            cwd=tmp_path,
        )

    summary = _summary(ended.out)
    assert summary, ended.out + ended.err
    faults = [fault for name in summary for fault in _faults(results, name)]
    assert faults == [], "\n".join(faults)
    assert all(failed == 0 and passed > 0 for passed, failed in summary.values()), summary
    assert len(summary) == scored, ended.out
    assert ended.status == 0, ended.out + ended.err


def _summary(out: str) -> dict[str, tuple[int, int]]:
    """Checks passed and failed by scenario, without those that the suite does not score."""
    _, _, text = out.partition("=== SUMMARY ===")
    text, _, rest = text.partition("Not scored for")
    unscored = set(re.findall(r"^ +\S+ (\S+) \(", rest, re.MULTILINE))
    lines = re.findall(r"^\S (\S+): (\d+) passed, (\d+) failed", text, re.MULTILINE)
    return {name: (int(good), int(bad)) for name, good, bad in lines if name not in unscored}


def _faults(results: Path, scenario: str) -> Iterator[str]:
    """What a scenario found wrong, warnings included."""
    for file in results.glob(f"server-{scenario}-20*/checks.json"):
        for check in json.loads(file.read_text(encoding="utf-8")):
            if check["status"] in ("FAILURE", "WARNING"):
                message = check.get("errorMessage") or check.get("description")
                yield f"{scenario}: {check['id']}: {message}"
