"""A language model whose replies hold no keys: what it says is shown, kept and sent on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from atlas_mcp.core.redaction import Redactor
from solvers.errors import SolverError
from solvers.model import LanguageModel, ModelReply, ModelRequest, ToolCall
from solvers.types import Meter, WorstCase


class MaskedModel:
    """A `LanguageModel` that masks keys in all that another one says, its faults included."""

    def __init__(self, model: LanguageModel, redact: Redactor) -> None:
        self._model = model
        self._redact = redact

    @property
    def name(self) -> str:
        return self._model.name

    def worst_case(self, request: ModelRequest) -> WorstCase:
        return self._model.worst_case(request)

    async def reply(self, request: ModelRequest, meter: Meter) -> ModelReply:
        try:
            reply = await self._model.reply(request, meter)
        except SolverError as error:
            error.args = (self._redact(str(error)),)
            raise
        return replace(
            reply,
            text=self._redact(reply.text),
            thought=None if reply.thought is None else self._redact(reply.thought),
            tool_calls=tuple(self._call(one) for one in reply.tool_calls),
            native=self._masked(reply.native),
        )

    def _call(self, call: ToolCall) -> ToolCall:
        return replace(call, arguments=self._masked(call.arguments), raw=self._redact(call.raw))

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, dict):
            return {key: self._masked(one) for key, one in value.items()}
        return [self._masked(one) for one in value] if isinstance(value, list) else value
