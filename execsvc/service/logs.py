"""Reading logs: page by page, or as a stream that follows the execution to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Final

from execsvc.errors import CursorOutOfRange, ExecutionNotFound, FieldProblem, InvalidRequest, ServerDraining
from execsvc.model import EncodedEntries, ExecutionState, ExecutionStatus
from execsvc.service.changes import Changes, Watch
from execsvc.service.checks import id_problems
from execsvc.service.commands import LogFilter
from execsvc.service.paging import PageToken, page_size, stale_token
from execsvc.service.read_ahead import PART_BYTES, PART_ENTRIES, ReadAhead
from execsvc.store import BUSY, LogPage, Store

#: Bytes of entries in one page, about.
PAGE_BYTES: Final = 512 * 1024
#: Seconds without news after which a stream says that it lives.
HEARTBEAT: Final = 5.0
#: Seconds that the first answer about an execution that has just begun waits at most, while the store is BUSY, for what
#: is on its way to the disk: a server that is busy then sends one response instead of two.
GATHER: Final = 0.02
DEFAULT_PAGE: Final = 100


@dataclass(slots=True, kw_only=True)
class LogPart:
    """One response of a log stream; may go to several followers, and is not changed but for ``response``."""

    uid: str
    entries: EncodedEntries
    #: The cursor to go on from.
    last_sequence: int
    #: Set in the last part if the execution has ended.
    final: ExecutionStatus | None = None
    #: Whether the stream ends with it.
    last: bool = False
    #: What the layer above has made of it, for the next follower.
    response: bytes | None = None


class Logs:
    """Reads logs from the store; holds a cursor for each stream, and no entries."""

    def __init__(self, *, store: Store, changes: Changes, heartbeat: float = HEARTBEAT) -> None:
        self._store = store
        self._changes = changes
        self._heartbeat = heartbeat
        self._ahead = ReadAhead(store)

    async def stream(
        self,
        namespace: str,
        execution_id: str,
        *,
        after: int,
        tail: int,
        filter: LogFilter,
        follow: bool,
        expected_uid: str = "",
    ) -> AsyncGenerator[LogPart, None]:
        """Stream a log from a cursor on.

        Args:
            after: send what follows this sequence; 0 from the start.
            tail: send only the last so many entries there are now, and what follows; 0 sends all.
            follow: go on until the execution has ended.
            expected_uid: the cursor's; another execution under the id is not found then. Empty: whichever has the id.

        Raises:
            InvalidRequest, ExecutionNotFound: see their texts.
            CursorOutOfRange: ``after`` lies past the end.
            ServerDraining: the server goes down; go on from the cursor with another connection.
        """
        _check_stream(execution_id, after, tail, filter)
        with (
            self._changes.subscribe(namespace, execution_id) as (watch, subscriber),
            self._ahead.parts(namespace, execution_id, filter) as stored,
        ):
            changed = subscriber.changed
            cursor, uid = after, expected_uid or None
            if tail:
                cursor = await self._store.log_tail(
                    namespace, execution_id, count=tail, min_level=filter.min_level, node_id=filter.node_id
                )
            loop = asyncio.get_running_loop()
            # When the last part went out; None before the first.
            told: float | None = None
            status: ExecutionStatus | None = None
            if follow and self._store.backlog > BUSY and _is_moving(watch.status):
                await changed.within(GATHER)
            while True:
                if stored.begun:
                    page, part = await stored.after(cursor), None
                else:
                    # Before anything is read, so that no change after it goes unnoticed.
                    changed.clear()
                    page, part = (
                        _recent(watch, cursor, filter) if self._is_current(watch.status, status) else None
                    ) or (await stored.after(cursor), None)
                part = part or _part(page)
                status = page.status
                if uid is not None and uid != status.uid:
                    raise ExecutionNotFound(execution_id)
                if told is None and cursor > status.last_sequence:
                    raise CursorOutOfRange(execution_id=execution_id, cursor=cursor, first=1, last=status.last_sequence)
                uid = status.uid
                ended = page.cursor >= status.last_sequence and (status.state.terminal or not follow)
                if ended and not part.last:
                    # For others who have this part, the stream goes on.
                    part = replace(part, last=True)
                cursor = page.cursor
                # The first answer may be empty: it tells the client that the stream stands, and where. So does a
                # heartbeat, which is due however much happens that the filter leaves out.
                if page.entries or ended or told is None or loop.time() - told >= self._heartbeat:
                    told = loop.time()
                    if cursor < status.last_sequence and len(part.entries) == PART_ENTRIES:
                        changed.clear()
                        stored.begin(cursor)
                    parts = [part]
                    # While the client does not read, nothing else holds on to the entries.
                    del page, part
                    yield parts.pop()
                if ended:
                    return
                if cursor < status.last_sequence:
                    continue
                while not await changed.within(told + self._heartbeat - loop.time()):
                    told = loop.time()
                    yield LogPart(uid=uid, entries=EncodedEntries(), last_sequence=cursor)
                if self._changes.closed:
                    raise ServerDraining

    def _is_current(self, told: ExecutionStatus | None, read: ExecutionStatus | None) -> bool:
        """Whether what commits have told is as new as what was read: others may have gone on with it since."""
        if told is None or read is None:
            return self._store.members is None
        return told.uid == read.uid and told.last_sequence >= read.last_sequence

    async def page(
        self, namespace: str, execution_id: str, *, filter: LogFilter, size: int, token: str
    ) -> tuple[EncodedEntries, str]:
        """Answer one page, oldest first, and the token of the next; an empty token says that there is none for now.

        Raises:
            InvalidRequest: also for a token that was made with other arguments.
            ExecutionNotFound: there is no such execution.
        """
        problems = list(id_problems("execution_id", execution_id, required=True))
        problems += id_problems("node_id", filter.node_id)
        if problems:
            raise InvalidRequest(problems)
        limit = page_size(size, default=DEFAULT_PAGE)
        tokens = PageToken("logs", execution_id, filter.min_level, filter.node_id)
        after, uid = tokens.read(token, (int, str)) or (0, "")
        page = await self._store.log_page(
            namespace,
            execution_id,
            after=after,
            limit=limit,
            max_bytes=PAGE_BYTES,
            min_level=filter.min_level,
            node_id=filter.node_id,
        )
        if uid and uid != page.status.uid:
            raise stale_token("it belongs to an execution that was deleted")
        more = page.cursor < page.status.last_sequence
        return page.entries, tokens.make(page.cursor, page.status.uid) if more else ""


def _is_moving(told: ExecutionStatus | None) -> bool:
    """Whether an execution goes on, by what commits have told; nothing if it began long ago and nobody follows it."""
    return told is not None and told.state in (ExecutionState.PENDING, ExecutionState.RUNNING)


def _part(page: LogPage) -> LogPart:
    ended = page.cursor >= page.status.last_sequence and page.status.state.terminal
    return LogPart(
        uid=page.status.uid,
        entries=page.entries,
        last_sequence=page.cursor,
        final=page.status if ended else None,
        last=ended,
    )


def _recent(watch: Watch, cursor: int, filter: LogFilter) -> tuple[LogPage, LogPart] | None:
    """Answer what commits have just brought, if nothing before it is missing; made once for all followers at it."""
    key = (cursor, filter.min_level, filter.node_id)
    return watch.shared(key, lambda: _made(watch, cursor, filter))


def _made(watch: Watch, cursor: int, filter: LogFilter) -> tuple[LogPage, LogPart] | None:
    appended = watch.after(cursor)
    if appended is None or watch.status is None:
        return None
    lowest = filter.min_level.rank
    wanted: list[bytes] = []
    size = last = 0
    first, cursor = cursor + 1, watch.status.last_sequence
    for sequence, (entry, encoded) in enumerate(appended, start=first):
        if entry.level.rank >= lowest and filter.node_id in ("", entry.node_id):
            wanted.append(encoded)
            size += len(encoded)
            last = sequence
            if len(wanted) == PART_ENTRIES or size >= PART_BYTES:
                cursor = sequence
                break
    entries = EncodedEntries(data=b"".join(wanted), count=len(wanted), last=last)
    page = LogPage(entries=entries, cursor=cursor, status=watch.status)
    return page, _part(page)


def _check_stream(execution_id: str, after: int, tail: int, filter: LogFilter) -> None:
    problems = list(id_problems("execution_id", execution_id, required=True))
    problems += id_problems("node_id", filter.node_id)
    for path, value in (("after_sequence", after), ("tail", tail)):
        if value < 0:
            problems.append(FieldProblem(path=path, reason="OUT_OF_RANGE", message="must not be negative"))
    if after and tail:
        message = "cannot be combined with after_sequence; set one of them"
        problems.append(FieldProblem(path="tail", reason="CONFLICT", message=message))
    if problems:
        raise InvalidRequest(problems)
