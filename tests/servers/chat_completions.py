"""A chat completions server that misbehaves on demand; standard library only, run as a process of its own.

    python chat_completions.py [--port 0] [--events FILE] [--delay SECONDS]

prints ``PORT n`` once it listens. The model's name chooses what happens, and so does a directive in the last user
message, ``@@name key=value ...@@``, which wins (and is left out of the answer):

    ok               repeats the last user message, word by word where it streams
    slow             the same with `delay` seconds (0.05) before each word
    429              Too Many Requests with Retry-After `after` (1), `times` times (1) a prompt, then ok
    400 .. 599       that status, `times` times a prompt; always where it is not given
    401-echo-key     401 whose body repeats the Authorization header
    hang             headers, `words` words (0), then nothing until the client goes
    silent           takes the request and never answers
    malformed        a body that is no JSON
    html             status 200 with a web page
    drop             closes the connection in the middle of an answer
    reset            resets it before answering
    cut              ends the stream properly, but without a finish reason
    error            an error inside the stream, of `type` (server_error)
    length           an answer that ends with finish reason "length"
    blocks           content as a list of blocks
    surrogates       an emoji whose halves come in different chunks
    json             answers the JSON in the prompt, else {"answer": "ok"}
    json-fenced      the same inside a Markdown fence
    json-wrong       answers JSON of another shape
    json-truncated   answers JSON that is cut off

Each request is appended to the events file when it has been read, as one JSON line; so is each client that leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import struct
from collections import Counter
from typing import Any

_DIRECTIVE = re.compile(r"@@([\w-]+)((?:\s+\w+=\S+)*)@@\s*")
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class ClientLeft(Exception):
    """The client closed its connection before it had its answer."""


class Server:
    """Answers requests; one task a connection."""

    def __init__(self, events: str | None, delay: float) -> None:
        self._events = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if events else None
        self._delay = delay
        #: How often each prompt has asked for each failure.
        self._seen: Counter[tuple[str, str]] = Counter()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await _Exchange(self, reader, writer).serve():
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def note(self, **event: Any) -> None:
        """Append an event; a single write, so that lines do not mix and survive a kill."""
        if self._events is not None:
            os.write(self._events, json.dumps(event).encode() + b"\n")

    def count(self, prompt: str, failure: str) -> int:
        """How often this prompt has asked for this failure, this time included."""
        self._seen[prompt, failure] += 1
        return self._seen[prompt, failure]

    @property
    def delay(self) -> float:
        """Seconds before each answer."""
        return self._delay


class _Exchange:
    """One request and its answer."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._model = ""
        self._prompt = ""
        self._body: dict[str, Any] = {}
        self._authorization = ""

    async def serve(self) -> bool:
        """Answer one request; whether the connection stays open for another."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if method != "POST" or not path.endswith("/chat/completions"):
            self._send(404, {"error": {"message": f"there is no {method} {path}"}})
            return True
        self._body = json.loads(body)
        self._authorization = headers.get("authorization", "")
        self._model = str(self._body.get("model", ""))
        self._prompt = _last_user_message(self._body)
        name, options, self._prompt = _behaviour(self._model, self._prompt)
        self._server.note(
            event="request",
            model=self._model,
            prompt=self._prompt,
            stream=bool(self._body.get("stream")),
            authorization=self._authorization,
            traceparent=headers.get("traceparent", ""),
            body=self._body,
        )
        try:
            if self._server.delay:
                await self._wait(self._server.delay)
            return await self._behave(name, options)
        except (ClientLeft, ConnectionError):
            self._server.note(event="left", model=self._model, prompt=self._prompt)
            return False

    async def _behave(self, name: str, options: dict[str, str]) -> bool:
        if name.isdigit() or name == "401-echo-key":
            default = "1" if name == "429" else "1000000000"
            if self._server.count(self._prompt, name) <= int(options.get("times", default)):
                self._refuse(int(name[:3]), options, echo_key=name == "401-echo-key")
                return True
            name = "ok"
        match name:
            case "silent":
                await self._wait(None)
            case "reset":
                self._reset()
                return False
            case "malformed" | "html":
                self._nonsense(page=name == "html")
                return False
            case "drop":
                # A length, or chunks, that promise more than is sent.
                if self._streams:
                    self._writer.write(self._head(200, "text/event-stream", length=None))
                    self._writer.write(self._chunk(self._delta("half of an ")))
                else:
                    self._writer.write(self._head(200, "application/json", length=10_000) + b'{"choices": [')
                await self._writer.drain()
                return False
            case _:
                await self._answer(name, options)
        return True

    async def _answer(self, name: str, options: dict[str, str]) -> None:
        text = _answer_text(name, self._prompt)
        finish: str | None = "length" if name in ("length", "json-truncated") else "stop"
        if not self._streams:
            if name == "hang":
                self._writer.write(self._head(200, "application/json", length=10_000))
                await self._wait(None)
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            self._send(200, {**self._envelope("chat.completion"), "choices": [choice], "usage": self._usage(text)})
            return
        self._writer.write(self._head(200, "text/event-stream", length=None))
        pieces: list[Any] = re.findall(r"\S+\s*|\s+", text)
        if name == "hang":
            pieces = pieces[: int(options.get("words", "0"))]
        if name == "blocks":
            pieces = [[{"type": "text", "text": piece, "index": 0}] for piece in pieces]
        if name == "surrogates":
            pieces = ["\ud83d", "\ude00"]
        for piece in pieces:
            if name == "slow":
                await self._wait(float(options.get("delay", "0.05")))
            self._writer.write(self._chunk(self._delta(piece)))
            await self._writer.drain()
        if name == "hang":
            await self._wait(None)
        if name == "error":
            kind = options.get("type", "server_error")
            self._writer.write(self._chunk({"error": {"message": "the model broke", "type": kind, "code": kind}}))
        elif name != "cut":
            self._writer.write(self._chunk(self._delta(None, finish)))
            if self._body.get("stream_options", {}).get("include_usage"):
                usage = {**self._envelope("chat.completion.chunk"), "choices": [], "usage": self._usage(text)}
                self._writer.write(self._chunk(usage))
            self._writer.write(self._frame(b"data: [DONE]\n\n"))
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _refuse(self, status: int, options: dict[str, str], *, echo_key: bool) -> None:
        message = f"status {status} was asked for"
        if echo_key:
            message = f"incorrect API key provided: {self._authorization}"
        extra = {"Retry-After": options.get("after", "1").replace("_", " ")} if status in (429, 503) else {}
        error = {"message": message, "type": "test", "code": options.get("code", str(status))}
        self._send(status, {"error": error}, extra)

    def _nonsense(self, *, page: bool) -> None:
        if page:
            body, kind = b"<html><body>Please log in</body></html>", "text/html"
        elif self._streams:
            body, kind = b'data: {"id": "x", "choices": [{"del\n\n', "text/event-stream"
        else:
            body, kind = b'{"id": "x", "choi', "application/json"
        self._writer.write(self._head(200, kind, length=len(body)) + body)

    def _reset(self) -> None:
        connection = self._writer.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _wait(self, seconds: float | None) -> None:
        """Wait, for ever with None, but not longer than the client does."""
        await self._writer.drain()
        try:
            async with asyncio.timeout(seconds):
                # A client that waits for its answer sends nothing.
                await self._reader.read(1)
        except TimeoutError:
            return
        raise ClientLeft

    @property
    def _streams(self) -> bool:
        return bool(self._body.get("stream"))

    def _send(self, status: int, answer: object, extra: dict[str, str] | None = None) -> None:
        body = json.dumps(answer).encode()
        self._writer.write(self._head(status, "application/json", length=len(body), extra=extra) + body)

    @staticmethod
    def _head(status: int, kind: str, *, length: int | None, extra: dict[str, str] | None = None) -> bytes:
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", f"Content-Type: {kind}", size]
        lines += [f"{name}: {value}" for name, value in (extra or {}).items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _chunk(self, event: object) -> bytes:
        return self._frame(b"data: " + json.dumps(event).encode() + b"\n\n")

    @staticmethod
    def _frame(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    def _delta(self, content: Any, finish: str | None = None) -> dict[str, Any]:
        delta = {} if content is None else {"role": "assistant", "content": content}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**self._envelope("chat.completion.chunk"), "choices": [choice]}

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-test", "object": kind, "created": 1_700_000_000, "model": self._model}

    def _usage(self, text: str) -> dict[str, int]:
        asked = sum(len(str(message.get("content", "")).split()) for message in self._body.get("messages", []))
        answered = len(text.split())
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _behaviour(model: str, prompt: str) -> tuple[str, dict[str, str], str]:
    """Name what is asked for, its options, and the prompt without the directive."""
    found = _DIRECTIVE.search(prompt)
    if found is None:
        return model, {}, prompt
    options = dict(option.split("=", 1) for option in found[2].split())
    return found[1], options, prompt[: found.start()] + prompt[found.end() :]


def _last_user_message(body: dict[str, Any]) -> str:
    for message in reversed(body.get("messages", [])):
        if message.get("role") == "user":
            return str(message.get("content", ""))
    return ""


def _answer_text(name: str, prompt: str) -> str:
    if name in ("json", "json-fenced"):
        start, end = prompt.find("{"), prompt.rfind("}")
        text = prompt[start : end + 1] if 0 <= start < end else '{"answer": "ok"}'
        return f"```json\n{text}\n```" if name == "json-fenced" else text
    return {"json-wrong": '{"unasked": true}', "json-truncated": '{"answer": "half'}.get(name, prompt)


async def main() -> None:
    """Listen until the process is ended."""
    parser = argparse.ArgumentParser(description="A chat completions server that misbehaves on demand.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--events", help="file that requests are appended to")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    server = Server(arguments.events, arguments.delay)
    listener = await asyncio.start_server(server.connected, arguments.host, arguments.port, backlog=1024)
    print(f"PORT {listener.sockets[0].getsockname()[1]}", flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
