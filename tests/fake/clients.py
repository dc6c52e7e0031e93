"""The official clients, without retries, against a fake provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from support import WAIT

from solvers.fake import Provider


@asynccontextmanager
async def anthropic_of(provider: Provider, timeout: float = WAIT) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(
        base_url=provider.url, api_key="sk-secret", max_retries=0, timeout=timeout
    ) as client:
        with anyio.fail_after(WAIT):
            yield client


@asynccontextmanager
async def openai_of(provider: Provider, timeout: float = WAIT) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{provider.url}/v1", api_key="sk-secret", max_retries=0, timeout=timeout
    ) as client:
        with anyio.fail_after(WAIT):
            yield client
