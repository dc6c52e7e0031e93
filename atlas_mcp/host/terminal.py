"""What a person sees while the reference host works: one line for each solver call."""

from __future__ import annotations

import shutil
from typing import TextIO

from atlas_mcp.host.orchestrator import Explore, Outcome
from atlas_mcp.host.replies import Amounts, Capsule, Ledger

RELIABLE_SHARE = 3 / 8
"""Below this share of the votes an answer is called not reliable: at 3 of 8 votes the answers
of the 1.5B embedded model were right in 30 % of cases, at 1 or 2 in 4 % (n = 96, GSM8K)."""

_STYLES = {"dim": "2", "bold": "1", "green": "32", "red": "31", "yellow": "33"}
_STATUS_STYLE = {"ok": "green", "failed": "red", "timeout": "red", "lost": "red"}


class Terminal:
    """A `Watch` that writes to a terminal, or plain lines where there is none."""

    def __init__(self, out: TextIO, *, indent: str = "  ") -> None:
        self._out = out
        self._live = out.isatty()
        self._indent = indent
        self._shown = False

    def dispatched(self, step: Explore) -> None:
        who = f"{step.solver}/{step.effort}/{step.strategy}"
        self._transient(f"{self._indent}→ {step.draws} × {who} dispatched")

    def progress(self, line: str) -> None:
        self._transient(f"{self._indent}… {line}")

    def found(self, capsule: Capsule) -> None:
        choice = f"{capsule.solver}/{capsule.effort}/{capsule.strategy}"
        status = self.style(f"{capsule.status:<9}", _STATUS_STYLE.get(capsule.status, "yellow"))
        what = capsule.answer if capsule.answer is not None else capsule.error or ""
        tokens = "     – tok" if capsule.tokens is None else f"{capsule.tokens:>6,} tok"
        self.line(
            f"{self._indent}#{capsule.draw:<3}{choice:<30} {status} {_short(what, 24):<24} "
            f"{tokens} {capsule.seconds:6.1f} s"
        )

    def counted(self, ledger: Ledger) -> None:
        if not ledger.answers:
            self.line(f"{self._indent}ledger  no readable answer in {ledger.asked} calls")
            return
        votes = "  ".join(
            f"{_short(one.answer, 16)} {'■' * min(one.count, 12)} {one.count}"
            for one in ledger.answers[:5]
        )
        more = f"  +{len(ledger.answers) - 5} more" if len(ledger.answers) > 5 else ""
        sure = ledger.leader_probability
        alone = sure is None or ledger.ok < 2
        leads = "" if alone else f"   leads with P {_probability(sure or 0.0)}"
        self.line(self.style(f"{self._indent}ledger  {votes}{more}{leads}", "dim"))

    def concluded(self, outcome: Outcome) -> None:
        name = f"{self._indent}{self.style(outcome.orchestrator, 'bold')}"
        if outcome.answer is None:
            self.line(f"{name}: {self.style('abstains', 'yellow')}, {outcome.because}")
            return
        forced = " (stopped by the cap)" if outcome.forced else ""
        self.line(
            f"{name}: {self.style(_short(outcome.answer, 60), 'bold')}  {outcome.because}"
            f"{confidence_words(outcome)}{forced}"
        )

    def line(self, text: str = "") -> None:
        self._clear()
        self._out.write(text + "\n")
        self._out.flush()

    def style(self, text: str, name: str) -> str:
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self._live else text

    def _transient(self, text: str) -> None:
        if not self._live:
            return
        self._clear()
        self._out.write(text[: shutil.get_terminal_size().columns - 1])
        self._out.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[2K")
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
    tokens = "unknown tokens" if spent.tokens is None else f"{spent.tokens:,} tokens"
    usd = "unknown cost" if spent.usd is None else f"${spent.usd:.4f}"
    return f"{spent.calls} calls, {tokens}, {usd}, {spent.seconds or 0:.1f} solver seconds"


def _short(text: str, most: int) -> str:
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return line if len(line) <= most else line[: most - 1] + "…"
