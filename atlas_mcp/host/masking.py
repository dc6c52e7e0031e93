"""A language model whose words hold no keys: what it says is shown, kept and sent to solvers."""

from __future__ import annotations

from dataclasses import replace

from atlas_mcp.core.redaction import Redactor
from solvers.errors import SolverError
from solvers.model import LanguageModel, ModelReply, ModelRequest, ToolCall
from solvers.types import Meter, WorstCase


class MaskedModel:
    """A `LanguageModel` that masks keys in all that another one says, its faults included.

    The `native` form of a reply goes back to its provider alone, and stays as it came.
    """

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
        )

    def _call(self, call: ToolCall) -> ToolCall:
        arguments = call.arguments
        if arguments is not None:
            arguments = {
                name: self._redact(value) if isinstance(value, str) else value
                for name, value in arguments.items()
            }
        return replace(call, arguments=arguments, raw=self._redact(call.raw))
