"""What a person sees while the reference host works: one line for each solver call."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from atlas_mcp.core.cleaning import clean, one_line
from atlas_mcp.host.orchestrator import Explore, Outcome
from atlas_mcp.host.purse import Purse
from atlas_mcp.host.replies import Amounts, Capsule, Ledger
from atlas_mcp.settings import Look

RELIABLE_SHARE = 3 / 8
"""Below this share of the votes an answer is called not reliable: at 3 of 8 votes the answers
of the 1.5B embedded model were right in 30 % of cases, at 1 or 2 in 4 % (n = 96, GSM8K)."""

_STYLES = {"dim": "2", "bold": "1", "green": "32", "red": "31", "yellow": "33"}
_STATUS_STYLE = {"ok": "green", "failed": "red", "timeout": "red", "lost": "red"}


_PLAIN_COLUMNS = 100
"""Where there is no terminal whose width could be asked."""

_LEAST_ANSWER, _MOST_ANSWER = 12, 40

_SHORT = 60
"""A longer final answer, or one of several lines, has lines of its own."""


class Terminal:
    """A `Watch` that writes to a terminal, or plain lines where there is none.

    Leaving it takes away the line that moves.
    """

    def __init__(self, out: TextIO, *, indent: str = "  ", look: Look = "color") -> None:
        self._out = out
        self._live = out.isatty() and look != "plain"
        self._colored = self._live and look == "color"
        self._indent = indent
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def thought(self, text: str) -> None:
        self.line(self.style(f"{self._indent}{one_line(text, 160)}", "dim"))

    def dispatched(self, step: Explore) -> None:
        who = f"{step.solver}/{step.effort}/{step.strategy}"
        self._transient(f"{self._indent}→ {step.draws} × {who} dispatched")

    def progress(self, line: str) -> None:
        self._transient(f"{self._indent}… {one_line(line)}")

    def found(self, capsule: Capsule) -> None:
        choice = one_line(f"{capsule.solver}/{capsule.effort}/{capsule.strategy}", 60)
        head = f"{self._indent}#{capsule.draw:<3}{choice:<24}"
        status = f"{capsule.status:<9}"
        tokens = "     – tok" if capsule.tokens is None else f"{capsule.tokens:>6,} tok"
        tail = f" {tokens} {capsule.seconds:6.1f} s"
        room = self._columns() - len(f"{head} {status} {tail}")
        if room < _LEAST_ANSWER:  # on a narrow terminal the answer counts for more
            tail, room = "", max(room + len(tail), _LEAST_ANSWER)
        room = min(room, _MOST_ANSWER)
        style = _STATUS_STYLE.get(capsule.status, "yellow")
        answer = one_line(capsule.answer or "", room)
        self.line(f"{head} {self.style(status, style)} {answer:<{room}}{tail}".rstrip())
        if capsule.error:  # whole, since its cure comes last
            self.line(f"{self._indent}    {one_line(capsule.error)}")

    def counted(self, ledger: Ledger) -> None:
        if not ledger.answers:
            self.line(f"{self._indent}ledger  no readable answer in {ledger.asked} calls")
            return
        sure = ledger.leader_probability
        alone = sure is None or ledger.ok < 2
        leads = "" if alone else f"   leads with P {_probability(sure or 0.0)}"
        head = f"{self._indent}ledger  "
        length, bar = (16, 12) if self._columns() >= 80 else (10, 5)
        votes = [
            f"{one_line(one.answer, length)} {'■' * min(one.count, bar)} {one.count}"
            for one in ledger.answers
        ]
        room = self._columns() - len(head + leads)
        self.line(self.style(f"{head}{_as_many_as_fit(votes, room)}{leads}", "dim"))

    def concluded(self, outcome: Outcome) -> None:
        name = f"{self._indent}{self.style(outcome.orchestrator, 'bold')}"
        if outcome.answer is None:
            because = one_line(outcome.because)
            self.line(f"{name}: {self.style('abstains', 'yellow')}, {because}")
            return
        forced = " (forced)" if outcome.forced else ""
        why = f"{one_line(outcome.because)}{confidence_words(outcome)}{forced}"
        answer = clean(outcome.answer)
        if len(answer) > _SHORT or "\n" in answer:
            self.line(f"{name}: {why}")
            self.line(self.style(answer, "bold"))
        else:
            self.line(f"{name}: {self.style(answer, 'bold')}  {why}")

    def line(self, text: str = "") -> None:
        self._clear()
        self._out.write(text + "\n")
        self._out.flush()

    def style(self, text: str, name: str) -> str:
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self._colored else text

    def _columns(self) -> int:
        return shutil.get_terminal_size().columns if self._live else _PLAIN_COLUMNS

    def _transient(self, text: str) -> None:
        if not self._live:
            return
        self._clear()
        self._out.write(text[: self._columns() - 1])
        self._out.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[2K")
            self._out.flush()
            self._shown = False


def _probability(value: float) -> str:
    return "> 0.99" if value > 0.99 else f"= {value:.2f}"


def confidence_words(outcome: Outcome) -> str:
    """The share of votes in words; a single answer has none."""
    if outcome.confidence is None or outcome.ledger.ok < 2:
        return ""
    doubt = ", not reliable" if outcome.confidence < RELIABLE_SHARE else ""
    return f"; confidence {outcome.confidence:.2f}{doubt}"


def amount_words(spent: Amounts) -> str:
    """An amount on one line; unknown parts say so."""
    seconds = "unknown" if spent.seconds is None else f"{spent.seconds:.1f}"
    cost = f"{_tokens(spent.tokens)}, {_usd(spent.usd)}"
    return f"{_calls(spent.calls)}, {cost}, {seconds} solver seconds"


def own_words(purse: Purse) -> str:
    """What the orchestrator spent itself, and what it comes to with its solvers."""
    turns, own, whole = purse.own.usage.requests, purse.own, purse.spent
    return (
        f"{turns} turn{'' if turns == 1 else 's'}, {_tokens(own.usage.total_tokens)}, "
        f"{_usd(own.usd)}; with this run's solvers {_tokens(whole.tokens)}, {_usd(whole.usd)}"
    )


def _tokens(count: int | None) -> str:
    return "unknown tokens" if count is None else f"{count:,} tokens"


def _usd(amount: float | None) -> str:
    if amount is None:
        return "unknown cost"
    # What was paid must not read as free.
    return f"${max(amount, 1e-6):.6f}" if 0 < amount < 0.0001 else f"${amount:.4f}"


def _calls(count: int | None) -> str:
    return "unknown calls" if count is None else f"{count} call{'' if count == 1 else 's'}"


def _as_many_as_fit(votes: Sequence[str], room: int) -> str:
    """The first votes that fit, at least one and at most five, and how many are left out."""
    shown = min(len(votes), 5)
    while True:
        more = len(votes) - shown
        line = "  ".join(votes[:shown]) + (f"  +{more} more" if more else "")
        if len(line) <= room or shown == 1:
            return line
        shown -= 1
