"""The figure of a report: accuracy over calls."""

from __future__ import annotations

from pathlib import Path

from atlas_mcp.bench.report import Summary
from atlas_mcp.core.errors import BadRequestError, SetupError


def draw(found: Summary, suite: str, path: Path) -> None:
    """Draw each method with its interval, as PNG or SVG by the file's ending. Blocks.

    Raises:
        SetupError: matplotlib is missing.
        BadRequestError: another ending.
    """
    if path.suffix not in (".png", ".svg"):
        raise BadRequestError(f"--figure {path}: name a file that ends in .png or .svg")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SetupError("figures need matplotlib: pip install 'atlas-mcp[bench]'") from error
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    for one in found.standings:
        if one.accuracy is not None:
            value, low, high = (
                100 * x for x in (one.accuracy.value, one.accuracy.low, one.accuracy.high)
            )
            axes.errorbar(
                one.calls, value, yerr=[[value - low], [high - value]],
                fmt="o", capsize=3, label=f"{one.method} (n = {one.questions})",
            )  # fmt: skip
    axes.set(
        title=suite,
        xlabel="solver calls per question (mean)",
        ylabel="accuracy, % (Wilson interval of 95 %)",
        ylim=(0, 100),
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
