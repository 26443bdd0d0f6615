"""Read answers within bounds: bytes, what they unpack to, the length of an event, and time.

An answer comes from whoever a workflow names. Without bounds a few kilobytes could unpack to gigabytes, an event could
grow for ever in its parser, and a byte a minute could hold a node for years.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx2

from execsvc.egress.refusals import ResponseTooLarge

#: What is asked for; anything else that comes all the same is not read.
ACCEPTED: Final = "gzip, deflate"
#: Bytes handed on at once: what one piece makes its parser do must not hold the event loop for long.
PIECE: Final = 4096
#: Seconds of such work after which the event loop gets a turn.
TURN: Final = 0.01
#: Pieces and lines of which one server-sent event may consist, and one more for each kilobyte: parsers copy all that
#: came before for each of them.
EVENT_PARTS: Final = 256
#: Pieces in which an answer may come, and one more for each 64 bytes: whoever reads it whole keeps a list of them.
PIECES: Final = 65_536

_UNPACKED: Final = frozenset({"", "identity"})
#: Ends of an event, just as parsers take them: what is no end to them must be none here.
_BLANK_LINES: Final = (b"\n\n", b"\r\r", b"\r\n\r\n")
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is read of one answer."""

    #: Bytes after unpacking.
    body: int = 16 * 1024 * 1024
    #: The same for a stream of events, which nobody holds as a whole.
    stream: int = 256 * 1024 * 1024
    #: Bytes of one event of a stream.
    event: int = 2 * 1024 * 1024
    #: Seconds from the request to the last byte.
    time: float = 3600.0


class BoundedStream(httpx2.AsyncByteStream):
    """The body of an answer, unpacked, up to its bounds.

    Args:
        stream: as it arrives.
        encoding: the Content-Encoding of the answer.
        events: whether it is a stream of server-sent events.
        until: when the time is up, by the event loop's clock.
        where: the server, for people.
    """

    def __init__(
        self, stream: httpx2.AsyncByteStream, *, encoding: str, events: bool, bounds: Bounds, until: float, where: str
    ) -> None:
        self._stream = stream
        self._encoding = encoding.strip().lower()
        self._events = events
        self._bounds = bounds
        self._until = until
        self._where = where
        self._length = 0
        self._pieces = 0
        self._event_length = 0
        self._event_parts = 0
        #: End of the last piece, for blank lines that two pieces share.
        self._tail = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces. Raises ResponseTooLarge, httpx2.ReadTimeout, httpx2.DecodingError."""
        loop = asyncio.get_running_loop()
        turn = loop.time()
        async for piece in self._unpacked():
            self._measure(piece, loop.time())
            for start in range(0, len(piece), PIECE):
                part = piece[start : start + PIECE]
                if self._events:
                    self._measure_event(part)
                yield part
                if loop.time() - turn > TURN:
                    # What has arrived already would be worked off without a turn for anybody else.
                    await asyncio.sleep(0)
                    turn = loop.time()

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()

    async def _unpacked(self) -> AsyncIterator[bytes]:
        if self._encoding in _UNPACKED:
            async for chunk in self._stream:
                yield chunk
            return
        if self._encoding not in _PACKED:
            raise httpx2.DecodingError(f"the answer is packed by {self._encoding[:40]!r}, which nobody asked for")
        # 32: find out which of the two it is.
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        begun = False
        try:
            async for chunk in self._stream:
                begun = True
                piece = unpacker.decompress(chunk, PIECE * 16)
                while piece:
                    yield piece
                    piece = unpacker.decompress(unpacker.unconsumed_tail, PIECE * 16)
        except zlib.error as error:
            raise httpx2.DecodingError(f"the answer cannot be unpacked: {error}") from error
        if begun and not unpacker.eof:
            raise httpx2.DecodingError("the answer broke off before it was unpacked")

    def _measure(self, piece: bytes, now: float) -> None:
        if now > self._until:
            raise httpx2.ReadTimeout(f"{self._where} takes more than {self._bounds.time:g} s for one answer")
        self._length += len(piece)
        self._pieces += 1
        most = self._bounds.stream if self._events else self._bounds.body
        if self._length > most:
            raise ResponseTooLarge(f"{self._where} answers with more than {most} bytes")
        if self._pieces > PIECES + self._length // 64:
            raise ResponseTooLarge(f"{self._where} answers in more than {PIECES} pieces of a few bytes")

    def _measure_event(self, part: bytes) -> None:
        joined = self._tail + part
        end = max((joined.rfind(blank) + len(blank) for blank in _BLANK_LINES if blank in joined), default=0)
        if end > len(self._tail):
            self._event_length = self._event_parts = 0
            part = joined[end:]
        self._event_length += len(part)
        self._event_parts += 1 + part.count(b"\n") + part.count(b"\r")
        self._tail = joined[-3:]
        most = self._bounds.event
        if self._event_length > most or self._event_parts > EVENT_PARTS + self._event_length // 1024:
            raise ResponseTooLarge(
                f"{self._where} sends an event of more than {most} bytes, or in too many small parts"
            )
