"""The frontier as a figure: accuracy over cost, with a line for each rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO

from atlas_mcp.core.errors import BadRequestError, SetupError

FORMATS = ("svg", "png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Where a rule stands at each place of its dial: mean costs, and shares of right answers."""

    name: str
    costs: Sequence[float]
    accuracies: Sequence[float]
    dashed: bool = False
    wide: bool = False


def check(form: str) -> None:
    """See that a figure of this format can be drawn, before anything is played for it.

    Raises:
        BadRequestError: the format is none of `FORMATS`.
        SetupError: matplotlib is missing.
    """
    if form not in FORMATS:
        raise BadRequestError(f"a figure is a file that ends in {' or '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise SetupError("figures need matplotlib: pip install matplotlib")


def drawn(lines: Iterable[Line], unit: str, form: str) -> bytes:
    """The figure in a format; the same lines give the same bytes. `unit` is what costs are in.

    Raises:
        BadRequestError, SetupError: as `check`.
    """
    check(form)
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    with rc_context({"svg.hashsalt": "atlas-mcp", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        for one in lines:
            axes.plot(
                one.costs,
                [100 * share for share in one.accuracies],
                label=one.name,
                marker=".",
                linestyle="--" if one.dashed else "-",
                linewidth=2.5 if one.wide else 1,
                alpha=0.7 if one.dashed else 1,
            )
        axes.set(xscale="log", xlabel=f"{unit} for each question", ylabel="accuracy, %")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(fontsize="small", ncols=2)
        found = BytesIO()
        figure.savefig(found, format=form, metadata={"Date": None} if form == "svg" else None)
    return found.getvalue()
