"""The figures of a report, each as the bytes of a PNG or SVG file.

Accuracy always runs from 0 to 100 %. Methods are told apart by numbers, which print and all eyes
can read; colour and shape repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Literal

from atlas_mcp.bench.reporting.forest import forest
from atlas_mcp.bench.reporting.histograms import histograms
from atlas_mcp.bench.reporting.scatter import Axis, scatter
from atlas_mcp.bench.reporting.standing import Standing
from atlas_mcp.bench.reporting.summary import Summary
from atlas_mcp.core.errors import SetupError

Format = Literal["png", "svg"]

_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6067",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": "#d5d7da",
    "grid.linewidth": 0.6,
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.hashsalt": "atlas-mcp",
}


def draw(found: Summary, suite: str, form: Format) -> dict[str, bytes]:
    """All figures for which there is something to show, by name. Blocks.

    Raises:
        SetupError: matplotlib is missing.
    """
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise SetupError("figures need matplotlib: pip install 'atlas-mcp[bench]'") from error
    with rc_context(_STYLE):
        figures = {name: make(found, suite) for name, make in _FIGURES.items()}
        return {name: _saved(one, form) for name, one in figures.items() if one is not None}


def _saved(figure: Any, form: Format) -> bytes:
    file = BytesIO()
    # A date would make the same results another file each day.
    figure.savefig(file, format=form, dpi=160, metadata={"Date": None} if form == "svg" else None)
    return file.getvalue()


def _calls(found: Summary, suite: str) -> Any:
    axis = Axis(
        label="solver calls per question (mean)",
        of=lambda one: one.calls,
        of_vote=lambda one: one.calls,
    )
    return scatter(found, f"{suite}: accuracy over calls", axis, front=False)


def _cost(found: Summary, suite: str) -> Any:
    axis = cost_axis(found.standings)
    if axis is None:
        return None
    return scatter(found, f"{suite}: accuracy over cost", axis, front=True)


_COSTS: tuple[Axis, ...] = (
    Axis(label="dollars per question (mean)", of=lambda one: one.usd, of_vote=lambda one: one.usd),
    Axis(
        label="tokens per question (mean, in and out)",
        of=lambda one: one.tokens,
        of_vote=lambda one: one.tokens,
    ),
    Axis(
        label="output tokens per question (mean)",
        of=lambda one: one.output_tokens,
        of_vote=lambda one: one.output_tokens,
    ),
)


def cost_axis(standings: Sequence[Standing]) -> Axis | None:
    """The best measure of cost that most methods have; None where nothing is known."""
    known = [(sum(bool(axis.of(one)) for one in standings), axis) for axis in _COSTS]
    best = max(count for count, _ in known)
    return next(axis for count, axis in known if count == best) if best else None


_FIGURES: dict[str, Callable[[Summary, str], Any]] = {
    "calls": _calls,
    "cost": _cost,
    "differences": forest,
    "explores": histograms,
}
