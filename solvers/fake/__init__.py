"""A fake provider: a server on loopback that speaks the APIs of Anthropic and OpenAI.

    async with fake_provider("Hello.") as provider:
        client = AsyncAnthropic(base_url=provider.url, api_key="any", max_retries=0)
        ...
        assert len(provider.journal.calls) == 1

It is for tests, benchmarks and dry runs: what it says is scripted, every fault can be had by
name, and its journal tells all that it was sent.
"""

from solvers.fake.exchange import Asked, Reply, Said, Script
from solvers.fake.faults import FAULTS, Fault
from solvers.fake.journal import Journal, Seen
from solvers.fake.latency import Latency
from solvers.fake.provider import Provider, fake_provider
from solvers.fake.script import structured

__all__ = [
    "FAULTS",
    "Asked",
    "Fault",
    "Journal",
    "Latency",
    "Provider",
    "Reply",
    "Said",
    "Script",
    "Seen",
    "fake_provider",
    "structured",
]
