"""What a run has found: the winner as a file, a report, and a figure where matplotlib is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from atlas_mcp.core.errors import SetupError
from atlas_mcp.core.intervals import Estimate
from atlas_mcp.discovery.folder import ABLATIONS
from atlas_mcp.discovery.lab import Lab
from atlas_mcp.discovery.points import Points
from atlas_mcp.discovery.rounds import Round, Run, winner
from atlas_mcp.discovery.source import write
from atlas_mcp.replay.frontier import Line, drawn

FIGURE = "frontier.svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run has found so far. `gain` is the winner's score minus the start's."""

    rounds: Sequence[Round]
    best: Round | None
    gain: Estimate | None
    file: Path | None


def conclude(run: Run) -> Found:
    """Write the winner's file, the report and the figure."""
    rounds = run.done()
    best = winner(rounds)
    found = Found(
        rounds=rounds, best=best, gain=_gain(run.lab, rounds, best), file=_save(run, best)
    )
    run.folder.keep("report.md", "\n".join(_report(run, found, _figure(run, rounds))) + "\n")
    return found


def _gain(lab: Lab, rounds: Sequence[Round], best: Round | None) -> Estimate | None:
    start = rounds[0].trial.points if rounds else None
    if best is None or best.trial.points is None or start is None:
        return None
    return lab.goal.gain(best.trial.points, start, lab.split.selection)


def _save(run: Run, best: Round | None) -> Path | None:
    if best is None:
        return None
    assert best.trial.train is not None
    assert best.trial.selection is not None
    info = run.folder.info()
    provenance = {
        "pool": info.world,
        "proposer": info.proposer,
        "round": best.number,
        "rounds": run.folder.rounds() - 1,
        "terms": asdict(info.terms),
        "without": info.without,
        "goal": run.lab.goal.text,
        "train": asdict(best.trial.train),
        "selection": asdict(best.trial.selection),
        "questions": {"train": len(run.lab.split.train), "selection": len(run.lab.split.selection)},
        "dial": _dial(best.trial.points, run.lab.goal.unit),
    }
    return run.folder.keep("best.py", write(best.proposal.source, provenance))


def _dial(points: Points | None, unit: str) -> list[dict[str, float]]:
    if points is None:
        return []
    return [
        {"dial": dial, "accuracy": accuracy, unit: spent}
        for dial, accuracy, spent in points.frontier
    ]


# --- the report


def _report(run: Run, found: Found, figure: str) -> Iterator[str]:
    lab, info = run.lab, run.folder.info()
    train, selection = len(lab.split.train), len(lab.split.selection)
    yield f"# Discovery by {info.proposer}"
    yield (
        f"\n{train + selection} questions, {len(lab.split.world.arms)} arms, {lab.terms.seeds} "
        f"orders of their branches. Rounds compete in the {lab.goal.text}, on {selection} "
        f"questions that no proposer is told of; scores in %, with 95 % intervals over questions."
    )
    if run.without:
        yield f"\nAblation: without {run.without}."
    yield f"\n{_won(found)}"
    yield f"\n{figure}"
    yield f"\n| controller | train (n = {train}) | selection (n = {selection}) | what changed |"
    yield "|---|---|---|---|"
    for name, points in lab.baselines.items():
        trial = lab.scored(points)
        yield f"| {name} | {_score(trial.train)} | {_score(trial.selection)} | baseline |"
    for one in found.rounds:
        yield f"| {_named(one)} | {_outcome(one)} | {_cell(one.proposal.change)} |"
    yield from _ablations(run, found.best)
    yield f"\n## Frontier on all {train + selection} questions\n"
    yield f"| controller | dial | accuracy, % | {lab.goal.unit} |\n|---|---|---|---|"
    for name, points in [*lab.baselines.items(), *_played(found.rounds)]:
        for row in _dial(points, lab.goal.unit):
            accuracy, spent = 100 * row["accuracy"], row[lab.goal.unit]
            yield f"| {name} | {row['dial']:g} | {accuracy:.2f} | {spent:,.1f} |"
    paid = run.spent
    tokens, usd = _amount(paid.tokens, "tokens"), _amount(paid.usd, "dollars")
    yield f"\nProposals cost at most {tokens}, {usd}."


def _ablations(run: Run, best: Round | None) -> Iterator[str]:
    """What won without the dial and without traces, where that was run on the same terms."""
    rows = []
    for without in ABLATIONS:
        folder = run.folder.within(without)
        if run.without is None and folder.exists() and folder.info().terms == run.lab.terms:
            other = winner(replace(run, folder=folder, without=without).done())
            if other is not None and other.trial.points is not None:
                rows.append(f"| {without} | {_outcome(other)} | {_minus(run.lab, other, best)} |")
    if rows:
        yield "\n## Ablations: what won without it\n"
        yield "| without | train | selection | minus the winner, on selection |\n|---|---|---|---|"
        yield from rows


def _minus(lab: Lab, one: Round, best: Round | None) -> str:
    if best is None or best.trial.points is None or one.trial.points is None:
        return "unknown"
    gain = lab.goal.gain(one.trial.points, best.trial.points, lab.split.selection)
    return _score(gain, sign="+")


def _won(found: Found) -> str:
    if found.best is None:
        return "No round could be played."
    text = f"Round {found.best.number} won: {_score(found.best.trial.selection)} on selection."
    if found.gain is None or found.best.number == 0:
        return text
    sure = "" if found.gain.low > 0 else " That is not distinguishable from the start."
    return (
        f"{text} Minus the start, on the same questions: {_score(found.gain, sign='+')}.{sure} The "
        f"best of {len(found.rounds)} scores is biased upwards: judge it on questions of their own."
    )


def _played(rounds: Sequence[Round]) -> list[tuple[str, Points]]:
    return [(_named(one), one.trial.points) for one in rounds if one.trial.points is not None]


def _named(one: Round) -> str:
    return f"round {one.number}" if one.number else "start"


def _outcome(one: Round) -> str:
    if one.trial.refused is not None:
        return f"refused | {_cell(one.trial.refused)}"
    return f"{_score(one.trial.train)} | {_score(one.trial.selection)}"


def _score(one: Estimate | None, sign: str = "") -> str:
    if one is None:
        return "unknown"
    return f"{100 * one.value:{sign}.2f} [{100 * one.low:{sign}.1f}, {100 * one.high:{sign}.1f}]"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:300]


def _amount(value: float | None, what: str) -> str:
    return f"an unknown number of {what}" if value is None else f"{value:,g} {what}"


# --- the figure


def _figure(run: Run, rounds: Sequence[Round]) -> str:
    """Draw it, and return what stands for it in the report."""
    try:
        svg = drawn(_lines(run, rounds), run.lab.goal.unit, "svg")
    except SetupError as error:
        return f"No figure: {error}, and give the same command once more."
    run.folder.keep(FIGURE, svg.decode())
    return f"![frontier]({FIGURE})"


def _lines(run: Run, rounds: Sequence[Round]) -> Iterator[Line]:
    for name, points in run.lab.baselines.items():
        yield _line(name, points, dashed=True)
    best = winner(list(rounds))
    for one in rounds:
        if one.trial.points is not None:
            yield _line(_named(one), one.trial.points, wide=one is best)


def _line(name: str, points: Points, **style: bool) -> Line:
    _, right, cost = zip(*points.frontier, strict=True)
    return Line(name=name, costs=cost, accuracies=right, **style)
