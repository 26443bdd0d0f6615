"""An HTTP server that answers with what it was sent, also in other spellings; and a chat model that tells its key.

``POST …/chat/completions`` streams the request's headers back in pieces of three characters, or with a model whose
name is a number refuses with that status and the headers in its words. ``…/refuse/STATUS/…`` answers with that status
and with all that it was sent as text; a redirect leads back to the same place. Everything else is answered with a JSON
object.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote


@dataclass
class Reflector:
    """A running server."""

    port: int = 0
    #: Headers of each request, names in lower case, oldest first.
    requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def reflector() -> Iterator[Reflector]:
    """Run a server for as long as the context lasts."""
    found = Reflector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reflect()

        def do_POST(self) -> None:
            self._reflect()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _reflect(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            sent = {name.lower(): value for name, value in self.headers.items()}
            found.requests.append(sent)
            if self.path.startswith("/refuse/"):
                self._answer(int(self.path.split("/")[2]), f"{self.path} {_spelled({'headers': sent, 'body': body})}")
                return
            if not self.path.endswith("/chat/completions"):
                self._answer(200, _spelled({"url": self.path, "headers": sent, "body": body}))
                return
            asked = json.loads(body)
            if asked["model"].isdigit():
                self._answer(int(asked["model"]), {"error": {"message": f"{_spelled(sent)}", "code": sent}})
            else:
                self._stream(asked["model"], f"You sent {sent}.")

        def _answer(self, status: int, document: Any) -> None:
            text = isinstance(document, str)
            data = document.encode() if text else json.dumps(document).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", self.path)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, model: str, text: str) -> None:
            pieces = [{"content": text[at : at + 3]} for at in range(0, len(text), 3)]
            events = [_chunk(model, piece, None) for piece in pieces] + [_chunk(model, {}, "stop")]
            data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield found
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _spelled(value: Any) -> dict[str, Any]:
    text = json.dumps(value)
    return {
        "plain": value,
        "quoted": quote(text, safe=""),
        "base64": base64.b64encode(text.encode()).decode(),
        "hex": text.encode().hex(),
    }


def _chunk(model: str, delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
