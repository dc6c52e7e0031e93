"""A fake provider: a server on loopback that speaks the APIs of Anthropic and OpenAI.

    async with fake_provider("Hello.") as provider:
        client = AsyncAnthropic(base_url=provider.url, api_key="any", max_retries=0)
        ...
        assert len(provider.journal.calls) == 1

It is for tests, benchmarks and dry runs: what it says is scripted, or right as often as it is
told to be; every fault can be had by name, from a script or by a model id such as
"f529x2:large"; and its journal tells all that it was sent. Nobody listens at `nobody()`.
"""

from solvers.fake.accuracy import Accurate, read_answers
from solvers.fake.exchange import Asked, Reply, Said, Script
from solvers.fake.faults import FAULTS, Fault
from solvers.fake.journal import Journal, Seen
from solvers.fake.latency import Latency, read_latency
from solvers.fake.models import Model
from solvers.fake.provider import Provider, fake_provider, nobody
from solvers.fake.quota import Quota
from solvers.fake.script import structured

__all__ = [
    "FAULTS",
    "Accurate",
    "Asked",
    "Fault",
    "Journal",
    "Latency",
    "Model",
    "Provider",
    "Quota",
    "Reply",
    "Said",
    "Script",
    "Seen",
    "fake_provider",
    "nobody",
    "read_answers",
    "read_latency",
    "structured",
]
