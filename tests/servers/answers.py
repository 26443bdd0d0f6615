"""A TCP server that sends whatever bytes a test wants, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Writes an answer to a request; the connection stays open after it, unless the answer says otherwise.
Answer = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Asked:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class AnswerServer:
    """What a server was asked."""

    host: str
    port: int = 0
    requests: list[Asked] = field(default_factory=list)
    #: Connections that were opened.
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"


def sends(text: bytes | str, *, status: str = "200 OK", **headers: str) -> Answer:
    """An answer that is always the same; header names have _ for -."""
    data = text.encode() if isinstance(text, str) else text
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head + data)
        await writer.drain()

    return answer


@asynccontextmanager
async def answering(answer: Answer, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[AnswerServer]:
    """Serve one answer to every request for as long as the context lasts."""
    server = AnswerServer(host)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                asked = Asked(head[0], headers, body)
                server.requests.append(asked)
                await answer(asked, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def handle() -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        task = asyncio.create_task(handle())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, host, port)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
