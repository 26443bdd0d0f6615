"""A wire between a client and Postgres that can be cut at the worst of moments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum


class Cut(Enum):
    """Where to cut the connection that commits next."""

    #: Postgres commits, the answer gets lost.
    AFTER_COMMIT = "after"
    #: The same, but first comes the message of a server process that has to end at once.
    AFTER_COMMIT_TOLD = "told"
    #: Postgres never hears of it.
    BEFORE_COMMIT = "before"


#: What a server process says when Postgres is shut down at once.
_ENDS = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection due to immediate shutdown command\0\0"


class Wire:
    """Passes connections on to a port; see ``laid``."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        #: What to do at the next COMMIT; None: pass it on.
        self.cut: Cut | None = None
        #: Called once a connection was cut.
        self.on_cut: Callable[[], None] = lambda: None
        #: Whether new connections are refused.
        self.down = False
        self._connections: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection on."""
        task = asyncio.create_task(self._connected(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # One that is cancelled in the turn it came in never begins, so that it cannot close it itself.
        task.add_done_callback(lambda _: writer.close())

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self.down:
                await self._serve(reader, writer)
        except OSError:
            pass
        finally:
            await _closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        answers = asyncio.create_task(_copy(there, writer))
        try:
            while data := await reader.read(1 << 20):
                if self.cut is not None and b"COMMIT\0" in data:
                    cut, self.cut = self.cut, None
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                    if cut is not Cut.BEFORE_COMMIT:
                        back.write(data)
                        # Whatever it answers, it has committed by then.
                        await there.read(1)
                    if cut is Cut.AFTER_COMMIT_TOLD:
                        writer.write(b"E" + (len(_ENDS) + 4).to_bytes(4, "big") + _ENDS)
                        await writer.drain()
                    self.on_cut()
                    return
                back.write(data)
                await back.drain()
        finally:
            # First, since it may be cancelled while it waits for the rest.
            back.close()
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            await _closed(back)

    async def close(self) -> None:
        """Cut every connection."""
        # One that has just come is to begin, so that it has an end.
        await asyncio.sleep(0)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 20):
            writer.write(data)
            await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def laid(port: int) -> AsyncIterator[Wire]:
    """Lay a wire to a port of this machine for as long as the context lasts."""
    wire = Wire(port)
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
        await server.wait_closed()
