"""What the official conformance suite calls by name, mounted on the product's own server.

The suite proves a protocol implementation, so it asks for tools, resources and prompts that no
product has. They live here; transport, security, subscriptions and everything else under test
is the product's. Some fixtures use what the newest revision deprecates: the suite still does.
"""

from __future__ import annotations

import base64
import io
import json
import wave
import zlib
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context, Message, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import (
    AudioContent,
    ClientCapabilities,
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from atlas_mcp.server.context import App, AtlasServer

MISSING_CAPABILITY = -32021
PAUSE = 0.05
"""Between two notifications, as the suite asks, so that they come one by one."""

Region = Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]

SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def add_fixtures(server: AtlasServer) -> None:
    """Mount everything that the suite calls by name."""
    _add_content(server)
    _add_notices(server)
    _add_questions(server)
    _add_rounds(server)
    _add_schemas(server)
    _add_resources(server)
    _add_prompts(server)


def _add_content(server: AtlasServer) -> None:
    """One tool for each kind of content."""

    @server.tool(description="Answers with text", structured_output=False)
    async def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool(description="Answers with an image", structured_output=False)
    async def test_image_content() -> list[ContentBlock]:
        return [_image()]

    @server.tool(description="Answers with sound", structured_output=False)
    async def test_audio_content() -> list[ContentBlock]:
        sound = base64.b64encode(_silence()).decode()
        return [AudioContent(type="audio", data=sound, mime_type="audio/wav")]

    @server.tool(description="Answers with a resource inside", structured_output=False)
    async def test_embedded_resource() -> list[ContentBlock]:
        text = "This is an embedded resource content."
        return [_embedded("test://embedded-resource", text, "text/plain")]

    @server.tool(description="Answers with three kinds of content", structured_output=False)
    async def test_multiple_content_types() -> list[ContentBlock]:
        data = json.dumps({"test": "data", "value": 123})
        return [
            TextContent(type="text", text="Multiple content types test:"),
            _image(),
            _embedded("test://mixed-content-resource", data, "application/json"),
        ]

    @server.tool(description="Always fails", structured_output=False)
    async def test_error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")


def _add_notices(server: AtlasServer) -> None:
    """Tools that tell the client something while they run."""

    @server.tool(description="Reports progress three times", structured_output=False)
    async def test_tool_with_progress(ctx: Context[App]) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await anyio.sleep(PAUSE)
        return "progress was reported"

    @server.tool(description="Logs three times", structured_output=False)
    async def test_tool_with_logging(ctx: Context[App]) -> str:
        return await _log_thrice(ctx)

    @server.tool(description="Logs three times to who asked for it", structured_output=False)
    async def test_logging_tool(ctx: Context[App]) -> str:
        return await _log_thrice(ctx)

    @server.tool(description="Says that the tools have changed", structured_output=False)
    async def test_trigger_tool_change(ctx: Context[App]) -> str:
        await ctx.notify_tools_changed()
        return "told"

    @server.tool(description="Says that the prompts have changed", structured_output=False)
    async def test_trigger_prompt_change(ctx: Context[App]) -> str:
        await ctx.notify_prompts_changed()
        return "told"

    async def set_level(ctx: Any, params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    server._lowlevel_server.add_request_handler(
        "logging/setLevel", SetLevelRequestParams, set_level
    )


def _add_questions(server: AtlasServer) -> None:
    """Tools of the handshake era, which ask the client in the middle of a call."""

    @server.tool(description="Asks the client's model", structured_output=False)
    async def test_sampling(prompt: str, ctx: Context[App]) -> str:
        _need(ctx, "sampling")
        reply = await ctx.session.create_message(
            [_said(prompt)], max_tokens=100, related_request_id=ctx.request_id
        )
        return f"LLM response: {_text(reply)}"

    @server.tool(description="Asks the user", structured_output=False)
    async def test_elicitation(message: str, ctx: Context[App]) -> str:
        form = _form(
            username={"type": "string", "description": "User's response"},
            email={"type": "string", "description": "User's email address"},
        )
        return "User response: " + await _asked(ctx, message, form)

    @server.tool(description="Asks with default values", structured_output=False)
    async def test_elicitation_sep1034_defaults(ctx: Context[App]) -> str:
        form = _form(
            name={"type": "string", "default": "John Doe"},
            age={"type": "integer", "default": 30},
            score={"type": "number", "default": 95.5},
            status={
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            verified={"type": "boolean", "default": True},
        )
        return "Elicitation completed: " + await _asked(ctx, "Check these values", form)

    @server.tool(description="Asks with every form of choice", structured_output=False)
    async def test_elicitation_sep1330_enums(ctx: Context[App]) -> str:
        plain = ["option1", "option2", "option3"]
        form = _form(
            untitledSingle={"type": "string", "enum": plain},
            titledSingle={"type": "string", "oneOf": _titled("Option")},
            legacyEnum={
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            untitledMulti={"type": "array", "items": {"type": "string", "enum": plain}},
            titledMulti={"type": "array", "items": {"anyOf": _titled("Choice")}},
        )
        return "Elicitation completed: " + await _asked(ctx, "Choose", form)

    @server.tool(description="Needs a capability of the client", structured_output=False)
    async def test_missing_capability(ctx: Context[App]) -> str:
        _need(ctx, "sampling")
        return "the client declared sampling"


def _add_rounds(server: AtlasServer) -> None:
    """Tools of the modern era, which answer with what they still need to know."""

    @server.tool(description="Needs the user's name", structured_output=False)
    async def test_input_required_result_elicitation(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        name = _given(ctx, "user_name", "name")
        if name is None:
            return InputRequiredResult(input_requests={"user_name": _ask_name()})
        return f"Hello, {name}!"

    @server.tool(description="Asks the user while it streams", structured_output=False)
    async def test_streaming_elicitation(ctx: Context[App]) -> str | InputRequiredResult:
        await ctx.report_progress(1, 2)
        name = _given(ctx, "user_name", "name")
        if name is None:
            return InputRequiredResult(input_requests={"user_name": _ask_name()})
        return f"Hello, {name}!"

    @server.tool(description="Needs a word from the client's model", structured_output=False)
    async def test_input_required_result_sampling(ctx: Context[App]) -> str | InputRequiredResult:
        reply = _responses(ctx).get("capital_question")
        if not isinstance(reply, CreateMessageResult):
            question = _sample("What is the capital of France?", 100)
            return InputRequiredResult(input_requests={"capital_question": question})
        return _text(reply)

    @server.tool(description="Needs the client's folders", structured_output=False)
    async def test_input_required_result_list_roots(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        reply = _responses(ctx).get("client_roots")
        if not isinstance(reply, ListRootsResult):
            return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
        return "roots: " + ", ".join(str(root.uri) for root in reply.roots)

    @server.tool(description="Carries state over a round", structured_output=False)
    async def test_input_required_result_request_state(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        if ctx.request_state != "asked" or "confirm" not in _responses(ctx):
            return _ask_ok("asked")
        return "state-ok"

    @server.tool(description="Asks three things at once", structured_output=False)
    async def test_input_required_result_multiple_inputs(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        questions: dict[str, InputRequest] = {
            "user_name": _ask_name(),
            "greeting": _sample("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        if ctx.request_state != "asked" or questions.keys() - _responses(ctx).keys():
            return InputRequiredResult(input_requests=questions, request_state="asked")
        return "all three were answered"

    @server.tool(description="Asks twice, one after the other", structured_output=False)
    async def test_input_required_result_multi_round(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        answered = _responses(ctx)
        if ctx.request_state == "second" and "step2" in answered:
            return "both steps were answered"
        if ctx.request_state == "first" and "step1" in answered:
            step = _ask("Step 2: What is your favorite color?", color={"type": "string"})
            return InputRequiredResult(input_requests={"step2": step}, request_state="second")
        step = _ask("Step 1: What is your name?", name={"type": "string"})
        return InputRequiredResult(input_requests={"step1": step}, request_state="first")

    @server.tool(description="Refuses state that was changed", structured_output=False)
    async def test_input_required_result_tampered_state(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        return "state is whole" if ctx.request_state == "sealed" else _ask_ok("sealed")

    @server.tool(description="Asks only what the client can answer", structured_output=False)
    async def test_input_required_result_capabilities(
        ctx: Context[App],
    ) -> str | InputRequiredResult:
        able = ctx.client_capabilities or ClientCapabilities()
        questions: dict[str, InputRequest] = {}
        if able.sampling is not None:
            questions["greeting"] = _sample("Generate a greeting", 50)
        if able.elicitation is not None:
            questions["user_name"] = _ask_name()
        if not questions or questions.keys() <= _responses(ctx).keys():
            return "nothing left to ask"
        return InputRequiredResult(input_requests=questions)


def _add_schemas(server: AtlasServer) -> None:
    """Input schemas that must reach the client whole."""

    @server.tool(description="Has a parameter that is a header too", structured_output=False)
    async def test_custom_header(region: Region = "") -> str:
        return f"region {region}"

    @server.tool(
        name="json_schema_2020_12_tool",
        description="Tool with JSON Schema 2020-12 features",
        structured_output=False,
    )
    async def json_schema() -> str:
        return "called"

    # A function's signature cannot say all this, and the SDK has no public door for a schema.
    tool = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert tool is not None
    tool.parameters = SCHEMA_2020_12


def _add_resources(server: AtlasServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain", description="A text")
    async def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png", description="An image")
    async def static_binary() -> bytes:
        return _png()

    @server.resource("test://watched-resource", mime_type="text/plain", description="To watch")
    async def watched_resource() -> str:
        return "Watch me."

    @server.resource(
        "test://template/{id}/data", mime_type="application/json", description="Data by id"
    )
    async def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _add_prompts(server: AtlasServer) -> None:
    @server.prompt(description="Text alone")
    async def test_simple_prompt() -> list[Message]:
        return [UserMessage("This is a simple prompt for testing.")]

    @server.prompt(description="Two arguments")
    async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[Message]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @server.prompt(description="A resource inside")
    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
        text = "Embedded resource content for testing."
        return [
            UserMessage(_embedded(resourceUri, text, "text/plain")),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt(description="An image inside")
    async def test_prompt_with_image() -> list[Message]:
        return [UserMessage(_image()), UserMessage("Please analyze the image above.")]

    @server.prompt(description="Needs to know more")
    async def test_input_required_result_prompt(
        ctx: Context,
    ) -> list[Message] | InputRequiredResult:
        context = _given(ctx, "user_context", "context")
        if context is None:
            question = _ask("What context should the prompt use?", context={"type": "string"})
            return InputRequiredResult(input_requests={"user_context": question})
        return [UserMessage(f"Use this context: {context}")]


def _responses(ctx: Context[Any]) -> dict[str, Any]:
    return dict(ctx.input_responses or {})


def _given(ctx: Context[Any], question: str, field: str) -> object:
    """What the user put into a field, or None when there is no usable reply."""
    reply = _responses(ctx).get(question)
    if not isinstance(reply, ElicitResult) or reply.action != "accept":
        return None
    return (reply.content or {}).get(field)


def _need(ctx: Context[App], capability: str) -> None:
    if getattr(ctx.client_capabilities, capability, None) is None:
        raise MCPError(
            MISSING_CAPABILITY,
            f"this tool needs the client capability {capability}",
            {"requiredCapabilities": {capability: {}}},
        )


async def _asked(ctx: Context[App], message: str, form: dict[str, Any]) -> str:
    _need(ctx, "elicitation")
    reply = await ctx.session.elicit_form(message, form, related_request_id=ctx.request_id)
    return f"action={reply.action}, content={json.dumps(reply.content)}"


async def _log_thrice(ctx: Context[App]) -> str:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await anyio.sleep(PAUSE)
    return "logged"


def _ask(message: str, **fields: dict[str, Any]) -> ElicitRequest:
    params = ElicitRequestFormParams(message=message, requested_schema=_form(**fields))
    return ElicitRequest(params=params)


def _ask_name() -> ElicitRequest:
    return _ask("What is your name?", name={"type": "string"})


def _ask_ok(state: str) -> InputRequiredResult:
    question = _ask("Please confirm", ok={"type": "boolean"})
    return InputRequiredResult(input_requests={"confirm": question}, request_state=state)


def _sample(prompt: str, max_tokens: int) -> CreateMessageRequest:
    params = CreateMessageRequestParams(messages=[_said(prompt)], max_tokens=max_tokens)
    return CreateMessageRequest(params=params)


def _said(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=text))


def _text(reply: CreateMessageResult) -> str:
    return reply.content.text if isinstance(reply.content, TextContent) else ""


def _form(**fields: dict[str, Any]) -> dict[str, Any]:
    """A form whose fields are all required, except those with a default."""
    required = [name for name, field in fields.items() if "default" not in field]
    return {"type": "object", "properties": fields, "required": required}


def _titled(what: str) -> list[dict[str, str]]:
    words = ("First", "Second", "Third")
    return [{"const": f"value{n}", "title": f"{word} {what}"} for n, word in enumerate(words, 1)]


def _embedded(uri: str, text: str, mime_type: str) -> EmbeddedResource:
    inside = TextResourceContents(uri=uri, text=text, mime_type=mime_type)
    return EmbeddedResource(type="resource", resource=inside)


def _image() -> ImageContent:
    data = base64.b64encode(_png()).decode()
    return ImageContent(type="image", data=data, mime_type="image/png")


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return len(data).to_bytes(4, "big") + kind + data + check.to_bytes(4, "big")

    one = (1).to_bytes(4, "big")
    head = chunk(b"IHDR", one + one + bytes((8, 2, 0, 0, 0)))
    pixel = chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    return b"\x89PNG\r\n\x1a\n" + head + pixel + chunk(b"IEND", b"")


def _silence() -> bytes:
    """Ten milliseconds of it."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8_000)
        sound.writeframes(bytes([128] * 80))
    return made.getvalue()
