"""`atlas-mcp fake-provider`: a provider on loopback that costs nothing, for dry runs."""

from __future__ import annotations

import argparse
import errno
import json
from collections import Counter
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from atlas_mcp.cli.options import command
from atlas_mcp.core.errors import BadRequestError

if TYPE_CHECKING:
    from solvers.fake import Accurate, Journal, Latency, Provider, Quota

_KEPT = 1_000  # bodies in the journal; a benchmark must not fill the memory


def add_command(commands: Any) -> None:
    parser = command(
        commands, "fake-provider", run, "serve fake models over the APIs of Anthropic and OpenAI"
    )
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: any)")
    parser.add_argument(
        "--accuracy",
        default="1",
        metavar="P",
        help="probability of a right answer, or MODEL=P,... and 1 for others (default: 1)",
    )
    parser.add_argument(
        "--latency",
        default="0",
        metavar="SECONDS",
        help="seconds to the first byte, or lognormal:MEDIAN:SIGMA; "
        "+SECONDS after either is between the events of a stream",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="right answers by problem, in JSON or TOML"
    )
    parser.add_argument(
        "--quota", metavar="RPM:TPM", help="requests and tokens per minute and model; 0 is any"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON at the start and at the end"
    )


def run(args: argparse.Namespace) -> int:
    import anyio

    from solvers.fake import read_latency

    if not 0 <= args.port < 2**16:
        raise BadRequestError("--port must be from 0 to 65535")
    script, quota = _script(args), _quota(args.quota)
    try:
        pace = read_latency(args.latency)
    except ValueError as error:
        raise BadRequestError(f"--latency {args.latency}: {error}") from error
    try:
        anyio.run(_serve, args, script, pace, quota)
    except KeyboardInterrupt:
        return 0  # the only way to end it
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise BadRequestError(f"--port {args.port}: {error.strerror}") from error
    return 0


async def _serve(args: argparse.Namespace, script: Accurate, pace: Latency, quota: Quota) -> None:
    import anyio

    from solvers.fake import fake_provider

    async with fake_provider(
        script, latency=pace, seed=args.seed, quota=quota, keep=_KEPT, port=args.port
    ) as provider:
        _print_start(provider, as_json=args.json)
        try:
            await anyio.sleep_forever()
        finally:
            _print_summary(provider.journal, as_json=args.json)


def _script(args: argparse.Namespace) -> Accurate:
    from solvers.fake import Accurate, read_answers

    try:
        answers = read_answers(args.answers) if args.answers else {}
    except (OSError, ValueError) as error:
        raise BadRequestError(f"--answers {args.answers}: {error}") from error
    return Accurate(answers, accuracy=_accuracy(args.accuracy), seed=args.seed)


def _accuracy(text: str) -> float | dict[str, float]:
    try:
        pairs = [pair.split("=", 1) for pair in text.split(",")]
        named = {name: float(value) for name, value in pairs} if "=" in text else {"": float(text)}
    except ValueError as error:
        raise BadRequestError(f"--accuracy must be P or MODEL=P,..., not {text!r}") from error
    if not all(0 <= value <= 1 for value in named.values()):
        raise BadRequestError("--accuracy is a probability, from 0 to 1")
    return named if "=" in text else named[""]


def _quota(text: str | None) -> Quota:
    from solvers.fake import Quota

    try:
        requests, tokens = map(int, (text or "0:0").split(":"))
    except ValueError as error:
        raise BadRequestError(f"--quota must be RPM:TPM, not {text!r}") from error
    if requests < 0 or tokens < 0:
        raise BadRequestError("--quota must not be negative")
    return Quota(requests=requests or None, tokens=tokens or None)


def _print_start(provider: Provider, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"url": provider.url, "environment": provider.environment}), flush=True)
        return
    from solvers.fake import FAULTS

    print(f"fake provider at {provider.url}; set these, and end it with Ctrl-C:\n")
    for name, value in provider.environment.items():
        print(f"export {name}={value}")
    print("\nA model id may order a fault, always (f529:large) or at first (f529x2:large):")
    print(fill(" ".join(FAULTS), width=88, break_on_hyphens=False))
    print(f"\njournal: {provider.url}/journal", flush=True)


def _print_summary(journal: Journal, *, as_json: bool) -> None:
    outcomes = dict(Counter(one.outcome for one in journal.calls))
    tokens = journal.usage.total_tokens
    summary = {
        "calls": len(journal.calls),
        "outcomes": outcomes,
        "most_in_flight": journal.most_in_flight,
        "tokens": tokens,
    }
    if as_json:
        print(json.dumps(summary))
        return
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none"
    print(
        f"served {summary['calls']} calls ({told}), at most {summary['most_in_flight']} at once, "
        f"{'an unknown number of' if tokens is None else tokens} tokens reported"
    )
