"""The report in words and tables. Losses are told as plainly as gains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from atlas_mcp.bench.reporting.blocks import Block, Heading, Items, Paragraph, Picture, table
from atlas_mcp.bench.reporting.matching import Matched, Unmatched
from atlas_mcp.bench.reporting.pairs import Difference, Reading
from atlas_mcp.bench.reporting.quality import KINDS, Quality
from atlas_mcp.bench.reporting.standing import Standing
from atlas_mcp.bench.reporting.stopping import Stop
from atlas_mcp.bench.reporting.summary import Summary
from atlas_mcp.bench.reporting.telling import amount, binned, interval, points, share
from atlas_mcp.bench.rows import Spent


def document(found: Summary, suite: str) -> tuple[Block, ...]:
    """The whole report; its pictures are named as `figures` names them."""
    return (
        Heading(suite, 1),
        *_standings(found.standings),
        *_own(found.standings),
        *_grading(found.grading),
        *_matches(found.matched, found.unmatched),
        *_stops(found.stops),
        *_quality(found.quality),
        *_explores(found.standings),
        *_differences(found.differences),
    )


# --- methods


def _standings(standings: Sequence[Standing]) -> Iterator[Block]:
    greedy = any(one.greedy for one in standings)
    beside = " | greedy" if greedy else ""
    yield table(
        f"method | n | accuracy | first call{beside} | calls | tokens | dollars | seconds "
        "| no answer",
        (_standing_cells(one, greedy) for one in standings),
    )
    yield Paragraph(
        "Accuracy in %, with the Wilson interval of 95 % over questions. “First call” is the "
        "accuracy of the method's first call alone: what a single call would have given. "
        + ("“Greedy” is the run that does not sample, on the same questions. " if greedy else "")
        + "Calls of solvers, and tokens, dollars and seconds of everything, are means for one "
        "question; “?” is unknown, and “out” means that only output tokens are known. "
        "“No answer” is the share of questions without a final answer, in %, which count as wrong."
    )
    if remarks := tuple(_remarks(standings)):
        yield Items(remarks)
    yield Picture(
        "calls",
        "Accuracy of each method over its mean number of solver calls, with "
        "intervals; the table above has the numbers.",
    )
    yield Picture(
        "cost",
        "Accuracy of each method over its mean cost, with intervals and the "
        "line of those that no other beats; the table above has the numbers.",
    )


def _standing_cells(one: Standing, greedy: bool) -> tuple[str, ...]:
    times = f" × {one.epochs}" if one.epochs > 1 else ""
    return (
        one.method,
        f"{one.questions}{times}",
        interval(one.accuracy),
        interval(one.first_call),
        *([share(one.greedy)] if greedy else []),
        f"{one.calls:.2f}",
        _tokens(one.tokens, one.output_tokens),
        amount(one.usd, 5),
        amount(one.seconds, 2),
        share(one.abstention),
    )


def _tokens(total: float | None, output: float | None) -> str:
    return f"{output:,.1f} out" if total is None and output is not None else amount(total, 1)


def _remarks(standings: Iterable[Standing]) -> Iterator[str]:
    """What went wrong, method by method."""
    for one in standings:
        counts = {
            "without an answer": one.abstained,
            "not graded": one.ungraded,
            "calls failed or lost": one.failed_calls,
            "draws not recorded": one.missing_draws,
            "answers forced by a cap or a fault": one.forced,
            "questions of other methods not run": one.not_run,
        }
        if said := "; ".join(f"{what}: {count:,}" for what, count in counts.items() if count):
            yield f"{one.method} – {said}"


# --- own models


def _own(standings: Sequence[Standing]) -> Iterator[Block]:
    if not any(one.own.calls for one in standings):
        return
    yield Heading("What the methods' own models took")
    yield table(
        "method | calls: solvers | own | own share | tokens: solvers | own | own share "
        "| dollars: solvers | own | own share",
        (
            (
                one.method,
                *_parts(one.solvers.calls, one.own.calls, 2),
                *_parts(one.solvers.tokens, one.own.tokens, 1),
                *_parts(one.solvers.usd, one.own.usd, 5),
            )
            for one in standings
        ),
    )
    yield Paragraph(
        "Means for one question. A method's own models orchestrate, select or judge; what they "
        "took is in the tokens and dollars of the table above, and their calls are not in its "
        "calls."
    )


def _parts(solvers: float | None, own: float | None, places: int) -> tuple[str, str, str]:
    part = None
    if solvers is not None and own is not None and solvers + own > 0:
        part = own / (solvers + own)
    return (
        amount(solvers, places),
        amount(own, places),
        "?" if part is None else f"{100 * part:.0f} %",
    )


# --- judges


def _grading(judges: Mapping[str, Spent]) -> Iterator[Block]:
    parts = [
        f"{one.calls:,} calls of {judge}, {amount(one.tokens, 0)} tokens, "
        f"{amount(one.usd, 5)} dollars"
        for judge, one in judges.items()
    ]
    if parts:
        yield Paragraph(f"Grading, in no cost of a method: {'; '.join(parts)}.")


# --- pairs


def _differences(differences: Sequence[Difference]) -> Iterator[Block]:
    if not differences:
        return
    yield Heading("Differences on the same questions")
    yield table(
        "first | second | n | difference | more calls | first only right | second only right "
        "| p | reading",
        map(_difference_cells, differences),
        "first",
        "second",
        "reading",
    )
    yield Paragraph(
        "Second minus first, in points, with a bootstrap interval of 95 % over questions. p is "
        "McNemar's exact test; “–” where questions were asked several times. A gain or a loss "
        "needs an interval without zero, p below 0.05 where there is one, and at least six "
        "questions that differ; an interval without width means that all questions gained the "
        "same, not that this is certain. " + _tally([one.reading for one in differences])
    )
    yield Picture(
        "differences",
        "Paired differences with their intervals around zero; the tables have the numbers.",
    )


def _difference_cells(one: Difference) -> tuple[str, ...]:
    return (
        one.first,
        one.second,
        str(one.questions),
        points(one.accuracy),
        f"{one.calls:+.2f}",
        "–" if one.first_only is None else str(one.first_only),
        "–" if one.second_only is None else str(one.second_only),
        "–" if one.p is None else f"{one.p:.3g}",
        one.reading,
    )


def _tally(readings: Sequence[Reading]) -> str:
    counts = Counter(readings)
    said = (
        f"Pairs: {len(readings)}. Gains: {counts['gain']}. Losses: {counts['loss']}. "
        f"Cannot be distinguished: {counts['cannot be distinguished']}."
    )
    if len(readings) < 5:
        return said
    chance = f"{0.05 * len(readings):.1f}".removesuffix(".0")
    return f"{said} Of so many, up to about {chance} would look established by chance alone."


# --- at equal calls and cost


def _matches(matched: Sequence[Matched], unmatched: Sequence[Unmatched]) -> Iterator[Block]:
    if not matched and not unmatched:
        return
    yield Heading("Against self-consistency at equal calls and at equal cost")
    if matched:
        yield table(
            "method | at equal | each | votes | drawn from | n | method, % | vote, % | difference "
            "| reading",
            map(_match_cells, matched),
            "at equal",
            "drawn from",
            "reading",
        )
        yield Paragraph(
            "Method minus vote, in points, on the same questions, with a bootstrap interval of "
            "95 % over questions. The vote is recomputed from the first draws of a longer run, "
            "ties to the answer seen first. Between two whole numbers of votes it is their "
            "mixture with the same mean, and its accuracy what that mixture gives on average; a "
            "second vote, as any even one, can only tie, so it adds little. "
            "Each draw of a question is counted at the mean of its draws. Calls are those of "
            "solvers. Cost is in dollars where these are known and not zero, else in tokens, else "
            "in output tokens, with those of the method's own models. The interval takes the "
            "number of votes as given."
        )
    if unmatched:
        yield Items(tuple(_unmatched(unmatched)))


def _unmatched(unmatched: Iterable[Unmatched]) -> Iterator[str]:
    methods: dict[tuple[str, str], list[str]] = {}
    for one in unmatched:
        methods.setdefault((one.what, one.why), []).append(one.method)
    for (what, why), named in methods.items():
        yield f"Not compared at equal {what}: {', '.join(named)} ({why})"


def _match_cells(one: Matched) -> tuple[str, ...]:
    places = 5 if one.measure == "dollars" else 2 if one.measure == "calls" else 1
    return (
        one.method,
        one.measure,
        amount(one.spent, places),
        f"{one.votes:.2f}",
        one.against,
        str(one.questions),
        share(one.accuracy),
        f"{100 * one.vote_accuracy:.1f}",
        points(one.difference),
        one.reading,
    )


# --- stopping


def _stops(stops: Sequence[Stop]) -> Iterator[Block]:
    if not stops:
        return
    yield Heading("Where methods stopped")
    yield table(
        "method | runs | reached | exactly there | a call later | later | exactly, % "
        "| null, % | times | null onwards, %",
        map(_stop_cells, stops),
    )
    yield Paragraph(
        "A correct majority exists after t draws, t at least 2, where at least two answers so "
        "far are right and these are more than half of those that could be read: our reading of "
        "figure 7a of the ATLAS paper (arXiv 2606.01667). “Reached” are the runs in which it "
        "existed within the draws that were taken. The null stops at each of 1 to the most calls "
        "equally often, whatever was drawn; “null onwards” does so among those from that "
        "moment on, which is fairer, since only runs that came so far are counted."
    )
    early = [(one.method, one.too_early) for one in stops if one.too_early is not None]
    if early:
        yield table(
            "method | stopped with none | a later one in | longer run | its draws",
            (
                (
                    method,
                    str(one.stopped),
                    f"{one.later} of {one.stopped}",
                    one.against,
                    "the same first" if one.same_draws else "others of the same solver",
                )
                for method, one in early
            ),
            "longer run",
            "its draws",
        )
        yield Paragraph(
            "Stopped too early: runs that stopped before any correct majority, and in how many of "
            "them the longer run of the same question had one after a later draw."
        )
    left = tuple(
        f"{one.method}: {one.left_out:,} runs left out, with draws that were not graded "
        "or not recorded"
        for one in stops
        if one.left_out
    )
    if left:
        yield Items(left)


def _stop_cells(one: Stop) -> tuple[str, ...]:
    times = one.share.value / one.null if one.share and one.null else None
    return (
        one.method,
        str(one.runs),
        str(one.reached),
        str(one.exactly),
        str(one.one_later),
        str(one.later),
        interval(one.share),
        "?" if one.null is None else f"{100 * one.null:.1f}",
        amount(times, 1),
        "?" if one.null_onwards is None else f"{100 * one.null_onwards:.1f}",
    )


# --- evidence


def _quality(quality: Sequence[Quality]) -> Iterator[Block]:
    if not quality:
        return
    by_method: dict[str, list[Quality]] = {}
    for one in quality:
        by_method.setdefault(one.method, []).append(one)
    yield Heading("Accuracy by the evidence that a method had")
    yield table(
        " | ".join(["method", *(part for kind in KINDS for part in (kind, "n"))]),
        (
            (method, *(cell for one in some for cell in (interval(one.accuracy), str(one.runs))))
            for method, some in by_method.items()
        ),
    )
    yield Paragraph(
        "The share of right answers among the draws that could be read: none, up to a half, more "
        "than a half. Accuracy of the final answer in %, with the Wilson interval of 95 %; n is "
        "how many runs had such evidence, and “?” stands where none had."
    )


# --- explores


def _explores(standings: Sequence[Standing]) -> Iterator[Block]:
    varying = [one for one in standings if len(one.explores) > 1]
    constant = [
        f"{one.method} ({calls})"
        for one in standings
        if len(one.explores) == 1
        for calls in one.explores
    ]
    yield Heading("Explores per question")
    if varying:
        yield table(
            "method | calls | runs | share | of all runs",
            (row for one in varying for row in _bars(one)),
            "of all runs",
        )
    if constant:
        yield Paragraph(f"Always the same number of calls: {', '.join(constant)}.")
    yield Picture(
        "explores",
        "Histograms of the solver calls for one question, a panel for each "
        "method; the table above has the numbers.",
    )


def _bars(one: Standing) -> Iterator[tuple[str, ...]]:
    runs = sum(one.explores.values())
    for place, (calls, count) in enumerate(binned(one.explores)):
        bar = "█" * round(20 * count / runs) or ("▏" if count else "")
        yield (
            "" if place else one.method,
            calls,
            str(count),
            f"{100 * count / runs:.0f} %",
            bar,
        )
