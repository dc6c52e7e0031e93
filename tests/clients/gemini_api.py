"""The Gemini API on loopback, as far as its command line needs it; the model plays by a rule."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from clients.conversation import SERVER, Move, Rule, Told


@dataclass(slots=True)
class GeminiModel:
    """Where the model is, and the requests that it was sent."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> list[Told]:
        """What all calls gave, in their order."""
        return _told(self.asked[-1])


@contextmanager
def gemini_model(rule: Rule) -> Iterator[GeminiModel]:
    """Serve the model while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.asked.append(asked)
            body = f"data: {json.dumps(_reply(rule(_told(asked))))}\r\n\r\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        model = GeminiModel(f"http://127.0.0.1:{server.server_address[1]}")
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield model
        finally:
            server.shutdown()
            serving.join(10)


def _told(asked: dict[str, Any]) -> list[Told]:
    parts = [part for content in asked["contents"] for part in content["parts"]]
    responses = [
        part["functionResponse"]["response"] for part in parts if "functionResponse" in part
    ]
    return [Told(text=str(one.get("output") or one.get("error"))) for one in responses]


def _reply(move: Move | str) -> dict[str, Any]:
    part: dict[str, Any] = {"text": move}
    if isinstance(move, Move):
        part = {"functionCall": {"name": f"mcp_{SERVER}_{move.tool}", "args": move.arguments}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return {"candidates": [candidate], "usageMetadata": usage}
