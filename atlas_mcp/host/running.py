"""The loop of the reference host: ask an orchestrator, explore, and conclude.

It talks to the server through MCP alone, holds the caps, forces a conclusion when the
orchestrator does not come to one, tells a `Watch` what happens, and can go on where an earlier
run was cut off.
"""

from __future__ import annotations

import anyio
from mcp.client import Client

from atlas_mcp.core.types import Caps
from atlas_mcp.host.calling import Calls
from atlas_mcp.host.exploring import Exploring
from atlas_mcp.host.lookup import whole_answer
from atlas_mcp.host.orchestrator import (
    Abstain,
    Again,
    Answer,
    Explore,
    Explores,
    Keep,
    Orchestrator,
    Outcome,
    Progress,
    Quiet,
    Step,
    Task,
    View,
    Watch,
    forget,
    leading,
)
from atlas_mcp.host.purse import Purse
from atlas_mcp.host.replies import Ledger, check

MAX_TEXT = 20_000
"""The longest answer, or reason, that a server records."""


async def run(
    client: Client,
    task: Task,
    orchestrator: Orchestrator,
    watch: Watch | None = None,
    *,
    progress: Progress | None = None,
    keep: Keep = forget,
) -> Outcome:
    """Work on a task until the orchestrator stops, a cap stops it, or it fails.

    The conclusion or abstention is recorded on the server before this returns. With the
    `progress` of a run that was cut off this goes on from there; evidence that the cut off
    run paid for is not paid for again.

    Raises:
        BudgetError: the server's caps allow no call at all.
        RefusedError: the server refused the first call, or the conclusion.
    """
    at = progress or Progress(purse=Purse(caps=Caps(tokens=task.max_tokens, usd=task.max_usd)))
    return await _Run(Calls(client, task, watch or Quiet(), at), orchestrator, keep).run()


class _Run:
    def __init__(self, calls: Calls, orchestrator: Orchestrator, keep: Keep) -> None:
        self._calls = calls
        self._at = calls.at
        self._exploring = Exploring(calls)
        self._orchestrator = orchestrator
        self._keep = keep
        self._keeping = anyio.Lock()

    async def run(self) -> Outcome:
        if self._at.outstanding is not None:
            await self._explore(self._at.outstanding, resumed=True)
        while True:
            view = self._view()
            step = await self._orchestrator.decide(view)
            self._at.found = ()
            self._heed(step)
            if isinstance(step, Again):
                await self._kept()
            elif isinstance(step, Answer | Abstain):
                await self._kept()
                return await self._conclude(step)
            elif view.calls_left == 0 or self._was_refused(step):
                return await self._conclude(leading(self._at.ledger, "the cap was reached"))
            else:
                wanted = step if isinstance(step, Explores) else Explores(explores=(step,))
                await self._explore(self._exploring.within_caps(wanted))

    def _was_refused(self, step: Explore | Explores) -> bool:
        """Whether a rule asks again for what the server has refused; it would do so for ever.

        Raises:
            BudgetError: nothing else was ever asked.
        """
        refusal = self._exploring.refusal(step) if isinstance(step, Explore) else None
        if refusal is not None and not self._at.problem_id:
            raise refusal
        return refusal is not None

    def _view(self) -> View:
        at = self._at
        return View(
            problem=self._calls.task.text,
            evidence=at.evidence,
            ledger=at.ledger,
            calls_left=self._calls.left,
            refused=next((one.refused for one in at.found if one.refused), None),
            found=at.found,
            purse=at.purse,
            explore_seconds=self._calls.explore_seconds,
            seconds_left=self._calls.seconds_left,
            said=at.said,
            keep=self._kept,
            written=self._calls.written,
        )

    def _heed(self, step: Step) -> None:
        if isinstance(step, Explore):
            return
        if step.thought:
            self._calls.watch.thought(step.thought)
        why = None if isinstance(step, Explores) else step.because
        named = type(step).__name__.lower()
        self._calls.note(step=named, thought=step.thought or None, because=why)

    async def _explore(self, step: Explores, *, resumed: bool = False) -> None:
        self._at.outstanding = step
        await self._kept()
        self._at.found = await self._exploring.explore(step, resumed=resumed)
        self._at.outstanding = None
        await self._kept()

    async def _kept(self) -> None:
        async with self._keeping:
            self._at.seconds = self._calls.seconds
            await self._keep(self._at)

    async def _conclude(self, step: Answer | Abstain) -> Outcome:
        answer = await self._whole(step.answer) if isinstance(step, Answer) else None
        known = [one.id for one in self._at.evidence]
        cited = step.evidence_ids if isinstance(step, Answer) else ()
        leads = False
        if self._at.problem_id:
            arguments = {
                "problem_id": self._at.problem_id,
                "answer": (answer or "")[:MAX_TEXT],
                "because": step.because[:MAX_TEXT],
                "evidence_ids": ([one for one in cited if one in known] or known)[:200],
                "abstain": answer is None,
            }
            result = await self._calls.call("conclude", arguments)
            check(result)
            leads = (result.structured_content or {}).get("agrees_with_leader") is True
        outcome = Outcome(
            problem_id=self._at.problem_id,
            orchestrator=self._orchestrator.name,
            answer=answer,
            because=step.because,
            abstained=answer is None,
            forced=step.forced,
            confidence=_share(self._at.ledger, step, leads),
            own_confidence=step.confidence if isinstance(step, Answer) else None,
            evidence=self._at.evidence,
            ledger=self._at.ledger,
            purse=self._at.purse,
            seconds=self._calls.seconds,
            steps=tuple(self._at.steps),
        )
        self._calls.watch.concluded(outcome)
        return outcome

    async def _whole(self, answer: str) -> str:
        known = self._at.problem_id
        return await whole_answer(self._calls.client, known, answer) if known else answer


def _share(ledger: Ledger, step: Answer | Abstain, leads: bool) -> float | None:
    """The share of the readable answers that agree; `leads` if it is the leader, in other words."""
    answer = step.answer if isinstance(step, Answer) else None
    same = next((one for one in ledger.answers if one.answer == answer), None)
    group = ledger.leader if leads else same
    return None if group is None or not ledger.ok else group.count / ledger.ok
