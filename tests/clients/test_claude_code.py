"""Claude Code as a host, without an account: a loopback stand-in plays the model.

The stand-in answers the first request that offers the tools with a call of `explore`, and the
one that brings the result with text. What the model was sent is what the test looks at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from programs import atlas, environment, node_tool, run, scripted_atlas

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOOL = "mcp__atlas__explore"
PROBLEM = "What is 6 × 7?"


async def test_claude_code_connects_to_the_server_that_was_added(tmp_path: Path) -> None:
    claude, env = node_tool("claude"), environment(tmp_path)
    variables = scripted_atlas(tmp_path).items()
    given = [part for name, value in variables for part in ("-e", f"{name}={value}")]

    added = await run(
        [claude, "mcp", "add", "atlas", *given, "--", *atlas("serve")], env=env, cwd=tmp_path
    )
    assert added.status == 0, added.out + added.err

    listed = await run([claude, "mcp", "list"], env=env, cwd=tmp_path)
    [line] = [line for line in listed.out.splitlines() if line.startswith("atlas:")]
    assert line.endswith("Connected")


async def test_the_model_in_claude_code_reads_the_evidence_and_the_ledger(tmp_path: Path) -> None:
    claude = node_tool("claude")
    config = tmp_path / "mcp.json"
    command, *arguments = atlas("serve")
    server = {"command": command, "args": arguments, "env": scripted_atlas(tmp_path)}
    # Without alwaysLoad the host hides tools behind a search of its own.
    config.write_text(json.dumps({"mcpServers": {"atlas": {**server, "alwaysLoad": True}}}))

    with _model() as (address, asked):
        flags = ["--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", TOOL]
        ended = await run(
            [claude, "-p", "go", *flags, "--output-format", "json"],
            env=environment(
                tmp_path,
                ANTHROPIC_BASE_URL=address,
                ANTHROPIC_API_KEY="none",
                CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            ),
            cwd=tmp_path,
        )

    assert ended.json()["result"] == "The answer is 42."
    instructions = json.dumps(asked[0]["system"]) + json.dumps(asked[0]["messages"])
    assert "Use explore to gather independent evidence" in instructions

    result = _tool_result(asked[-1])
    found = _evidence(result)
    assert [one["answer"] for one in found["evidence"]] == ["42", "41", "42"]
    assert found["ledger"]["asked"] == found["ledger"]["ok"] == 3
    leader = found["ledger"]["answers"][0]
    assert (leader["answer"], leader["count"]) == ("42", 2)
    assert f"atlas://problems/{found['problem_id']}/evidence" in result


def _tool_result(request: dict[str, Any]) -> str:
    """The text of the tool's result in the last message that the model was sent."""
    blocks = [
        block
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    [block] = blocks
    assert not block.get("is_error"), block
    if isinstance(block["content"], str):
        return block["content"]
    return "\n".join(part.get("text", "") for part in block["content"])


def _evidence(text: str) -> dict[str, Any]:
    """The one JSON document among the lines of a result; the others are resource links."""
    [line] = [line for line in text.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(line)
    return found


@contextmanager
def _model() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A stand-in of the Messages API: its address, and the requests that offered the tool."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events = _said("ok")
            if any(tool.get("name") == TOOL for tool in request.get("tools", ())):
                asked.append(request)
                answered = '"tool_result"' in json.dumps(request["messages"])
                events = _said("The answer is 42.") if answered else _called()
            body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            serving.join(10)


def _said(text: str) -> list[dict[str, Any]]:
    block = {"type": "text", "text": ""}
    return _message(block, {"type": "text_delta", "text": text}, "end_turn")


def _called() -> list[dict[str, Any]]:
    block = {"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": {}}
    arguments = json.dumps({"problem": PROBLEM, "draws": 3})
    return _message(block, {"type": "input_json_delta", "partial_json": arguments}, "tool_use")


def _message(block: dict[str, Any], delta: dict[str, Any], stop: str) -> list[dict[str, Any]]:
    """A whole reply as the events of its stream."""
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "stand-in",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
