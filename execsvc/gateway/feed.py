"""All that happens to one execution, joined for one reader who may be slow: states, log entries, tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

from execsvc import cancellation
from execsvc.gateway.documents import entry_document, snapshot_document, status_document, token_document
from execsvc_client import AsyncExecutionClient, ExecsvcError, ExecutionStatus, Snapshot

#: Messages held for a reader. Past that nothing more is read from the server, which holds a cursor and joins changes.
CAPACITY: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that happened."""

    type: Literal["status", "log", "token", "end"]
    data: dict[str, Any]
    #: Sequence of the log entry; 0 for what is none.
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader wants to hear of."""

    execution_id: str
    #: Log entries after this sequence.
    after: int = 0
    #: Leave out entries below this level, as ``WARNING``.
    level: str | None = None
    #: Only entries of this node; empty: all.
    node_id: str = ""
    tokens: bool = False


class Feed:
    """What happens to one execution from a place in its log on; the last message is its ``end``.

    Messages of one kind come in order, and between kinds as they come. It goes on through restarts of the server. Use
    it as a context, for one reader.
    """

    def __init__(self, client: AsyncExecutionClient, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._queue: asyncio.Queue[Message | ExecsvcError | None] = asyncio.Queue(CAPACITY)
        self._pumps: list[asyncio.Task[None]] = []
        self._left = 2
        self._final: ExecutionStatus | None = None
        self._ended = False
        #: Sequence of the last log entry that was handed out; where another feed goes on.
        self.last_sequence = wanted.after

    @property
    def held(self) -> int:
        """Messages that wait for the reader."""
        return self._queue.qsize()

    async def __aenter__(self) -> Self:
        name = self._wanted.execution_id
        self._pumps = [
            asyncio.create_task(self._pumped(self._log), name=f"gateway-log-{name}"),
            asyncio.create_task(self._pumped(self._watch), name=f"gateway-watch-{name}"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await cancellation.end(*self._pumps)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """Hand out the next message. Raises ExecsvcError where the execution cannot be followed."""
        while not self._ended:
            item = await self._queue.get()
            if isinstance(item, ExecsvcError):
                self._ended = True
                raise item
            if item is not None:
                self.last_sequence = item.sequence or self.last_sequence
                return item
            self._left -= 1
            if not self._left and self._final is not None:
                self._ended = True
                return Message(type="end", data=status_document(self._final))
        raise StopAsyncIteration

    async def _pumped(self, pump: Any) -> None:
        try:
            self._final = await pump() or self._final
        except ExecsvcError as error:
            await self._queue.put(error)
        else:
            await self._queue.put(None)

    async def _log(self) -> ExecutionStatus | None:
        wanted = self._wanted
        async with self._client.logs(
            wanted.execution_id,
            after_sequence=wanted.after,
            min_level=wanted.level,
            node_id=wanted.node_id,
            follow=True,
        ) as log:
            async for entry in log:
                await self._queue.put(Message(type="log", data=entry_document(entry), sequence=entry.sequence))
        return log.final_status

    async def _watch(self) -> ExecutionStatus | None:
        before: ExecutionStatus | None = None
        async with self._client.watch(self._wanted.execution_id, include_tokens=self._wanted.tokens) as watch:
            async for snapshot in watch:
                # Pieces of an answer belong before the news that it is complete.
                for chunk in snapshot.tokens:
                    await self._queue.put(Message(type="token", data=token_document(chunk)))
                if _news(snapshot, before):
                    await self._queue.put(Message(type="status", data=snapshot_document(snapshot)))
                before = snapshot.status
        return watch.final_status


def _news(snapshot: Snapshot, before: ExecutionStatus | None) -> bool:
    return bool(snapshot.changed or snapshot.tokens_dropped) or snapshot.status != before
