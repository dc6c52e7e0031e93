"""What a proposer reads of the rounds so far, as text."""

from __future__ import annotations

from collections.abc import Iterator

from atlas_mcp.discovery.points import Points
from atlas_mcp.discovery.proposer import Brief, Tried

SHOWN = 3
"""Sources that are shown whole: the best, and the last where it is not among them."""


def feedback(brief: Brief) -> str:
    """Scores on the train questions, the best sources, and excerpts, as Markdown."""
    return "\n".join(_lines(brief)) + "\n"


def _lines(brief: Brief) -> Iterator[str]:
    yield f"# Round {brief.round}"
    yield f"\nThe score is the {brief.goal}, on the train questions; higher is better."
    yield f"\n## Baselines: accuracy in % at {brief.unit} for each question\n"
    for name, points in brief.baselines.items():
        yield f"- {name}: {frontier(points)}"
    yield "\n## Rounds\n"
    for one in brief.tried:
        yield f"- round {one.number}: {outcome(one)}\n  change: {one.proposal.change[:500]}"
    for one in _shown(brief):
        yield f"\n## Source of round {one.number}\n\n```python\n{one.proposal.source.rstrip()}\n```"
    if brief.excerpts:
        yield f"\n## Episodes of the last round that was played\n\n{brief.excerpts}"


def outcome(one: Tried) -> str:
    """A line that says where a controller stands, or why it was refused."""
    if one.points is None or one.score is None:
        return f"refused: {one.refused}"
    bounds = f"[{100 * one.score.low:.1f}, {100 * one.score.high:.1f}]"
    odd = "" if _rises(one.points) else "; its cost does not rise with the dial, as it must"
    return f"score {100 * one.score.value:.2f} {bounds}; {frontier(one.points)}{odd}"


def frontier(points: Points) -> str:
    """A line with accuracy and cost at each place of the dial."""
    return ", ".join(
        f"{100 * accuracy:.1f} at {spent:,.0f} (dial {dial:g})"
        for dial, accuracy, spent in points.frontier
    )


def _rises(points: Points) -> bool:
    cost = points.cost.mean(axis=0)
    return bool((cost[1:] >= cost[:-1] * 0.98).all())


def _shown(brief: Brief) -> list[Tried]:
    best = brief.ranked[: SHOWN - 1]
    last = brief.tried[-1:]
    return [*best, *(one for one in last if one not in best and one.proposal.source)]
