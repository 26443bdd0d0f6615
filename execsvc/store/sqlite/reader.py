"""Reads, over connections of their own that never wait for the writer.

Reads of many rows come back as JSON texts of all of them: one call into SQLite instead of one a row (see ``batch``).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson

from execsvc.encoding.log_entries import within
from execsvc.errors import ExecutionNotFound, StorageUnavailable
from execsvc.model import EncodedEntries, Execution, ExecutionState, ExecutionStatus, LogLevel, NodeRun
from execsvc.store.observer import StoreObserver
from execsvc.store.protocol import Claim, LogPage, Unfinished
from execsvc.store.rows import NODE_COLUMNS, STATUS_COLUMNS, error_of, node_of, status_of
from execsvc.store.sqlite.entries import ENTRY, knows_entries
from execsvc.store.sqlite.patience import Patience

_T = TypeVar("_T")
_P = ParamSpec("_P")

_STATUS = f"SELECT {STATUS_COLUMNS} FROM executions WHERE namespace = ? AND execution_id = ?"
_REQUEST_DIGEST = "SELECT request_digest FROM executions WHERE namespace = ? AND execution_id = ?"
_STATUS_AND_PK = f"SELECT {STATUS_COLUMNS}, pk FROM executions WHERE namespace = ? AND execution_id = ?"
_RECORD = f"""
SELECT {STATUS_COLUMNS}, pk, definition_digest, labels, priority, timeout, concurrency_key, error, ran_for, retry
FROM executions WHERE namespace = ? AND execution_id = ?
"""
_NODES = f"""
SELECT json_group_array(json_array({NODE_COLUMNS}, CASE WHEN ? THEN output END)) FROM node_runs WHERE execution = ?
"""
_NODES_ONE_BY_ONE = f"SELECT {NODE_COLUMNS}, CASE WHEN ? THEN output END FROM node_runs WHERE execution = ?"
#: How many they are, the sequence of the last one, and the bytes of all.
_AS_SENT = f"count(*), max(sequence), CAST(group_concat({ENTRY}, '') AS BLOB)"
_ENTRIES = f"""
SELECT {_AS_SENT} FROM (
    SELECT * FROM log_entries
    WHERE execution = ? AND sequence > ? AND level >= ? AND (? = '' OR node_id = ?)
    ORDER BY sequence LIMIT ?
)
"""
# The table is its primary key and nothing else, so this reads in order, and without each row being copied first.
_RANGE = f"SELECT {_AS_SENT} FROM log_entries WHERE execution = ? AND sequence > ? AND sequence <= ?"
_TAIL = """
SELECT sequence FROM log_entries WHERE execution = ? AND level >= ? AND (? = '' OR node_id = ?)
ORDER BY sequence DESC LIMIT 1 OFFSET ?
"""
_UNFINISHED = """
SELECT json_group_array(json_array(namespace, execution_id, uid, state, priority, create_time, concurrency_key)) FROM (
    SELECT * FROM executions WHERE state IN ('PENDING', 'RUNNING') ORDER BY priority DESC, create_time, pk
)
"""


class Reader:
    """Reads one database file.

    Args:
        path: the file, already migrated.
        threads: reads of many rows that may run at once.
        observer: told of reads that the database refused.
    """

    def __init__(self, path: Path, *, threads: int = 2, observer: StoreObserver | None = None) -> None:
        self._observer = observer
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="execsvc-reader")
        self._inline = self._connect()
        #: Reads handed to threads and not answered yet. Changed on the loop alone.
        self._reading = 0
        self._patience = Patience(lambda: self._reading)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA mmap_size = 268435456")
        knows_entries(db)
        self._connections.append(db)
        return db

    async def read(
        self, read: Callable[Concatenate[sqlite3.Connection, _P], _T], *arguments: _P.args, **_: _P.kwargs
    ) -> _T:
        """Run a read of many rows in a thread, in one snapshot."""
        return await self._in_thread(lambda db: read(db, *arguments, **_))

    async def _in_thread(self, read: Callable[[sqlite3.Connection], _T]) -> _T:
        def call() -> _T:
            db = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = self._connect()
            db.execute("BEGIN")
            try:
                return read(db)
            finally:
                db.execute("COMMIT")
                self._patience.stepped()

        loop = asyncio.get_running_loop()
        try:
            reading = loop.run_in_executor(self._pool, call)
        except RuntimeError as error:
            raise StorageUnavailable("the database is closed") from error
        self._reading += 1
        self._patience.watch(loop)
        try:
            return await reading
        except sqlite3.Error as error:
            raise self._failed(error) from error
        finally:
            self._reading -= 1

    def _failed(self, error: sqlite3.Error) -> StorageUnavailable:
        failure = StorageUnavailable(f"the database cannot be read: {error}")
        if self._observer is not None:
            self._observer.read_failed(failure)
        return failure

    def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """Read a status on the calling thread: one seek, in microseconds, not worth a switch of threads."""
        return status_of(self._seek(_STATUS, namespace, execution_id))

    def request_digest(self, namespace: str, execution_id: str) -> str:
        """Read a request digest on the calling thread; see ``status``."""
        (digest,) = self._seek(_REQUEST_DIGEST, namespace, execution_id)
        return str(digest)

    def _seek(self, sql: str, namespace: str, execution_id: str) -> Any:
        try:
            return _found(self._inline, sql, namespace, execution_id)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def execution(self, namespace: str, execution_id: str, *, full: bool) -> Execution:
        """Read a record."""

        def read(db: sqlite3.Connection) -> Execution:
            *status, pk, digest, labels, priority, timeout, concurrency_key, error, _, retry = _found(
                db, _RECORD, namespace, execution_id
            )
            data: tuple[str | None, str | None] = (None, None)
            if full:
                data = db.execute("SELECT input, output FROM execution_data WHERE execution = ?", (pk,)).fetchone()
            return Execution(
                status=status_of(status),
                definition_digest=digest,
                definition=_definition(db, digest),
                labels=orjson.loads(labels),
                priority=priority,
                timeout=timeout,
                concurrency_key=concurrency_key,
                input=_bytes(data[0]),
                output=_bytes(data[1]),
                error=error_of(error),
                nodes=_nodes(db, pk, outputs=full),
                retry=_bytes(retry),
            )

        return await self._in_thread(read)

    async def claimed(self, namespace: str, held: ExecutionStatus) -> Claim:
        """Read what an engine needs."""

        def read(db: sqlite3.Connection) -> Claim:
            *status, pk, digest, labels, _, timeout, _, _, ran_for, retry = _found(
                db, _RECORD, namespace, held.execution_id
            )
            now = status_of(status)
            if now.uid != held.uid:
                raise ExecutionNotFound(held.execution_id)
            (given,) = db.execute("SELECT input FROM execution_data WHERE execution = ?", (pk,)).fetchone()
            return Claim(
                status=held,
                labels=orjson.loads(labels),
                definition=_definition(db, digest),
                definition_digest=digest,
                input=given.encode(),
                timeout=timeout,
                ran_for=ran_for,
                nodes=_nodes(db, pk, outputs=True),
                retry=_bytes(retry),
            )

        return await self._in_thread(read)

    async def log_page(
        self,
        namespace: str,
        execution_id: str,
        *,
        after: int,
        limit: int,
        max_bytes: int | None,
        min_level: LogLevel,
        node_id: str,
    ) -> LogPage:
        """Read part of a log."""

        def read(db: sqlite3.Connection) -> LogPage:
            *columns, pk = _found(db, _STATUS_AND_PK, namespace, execution_id)
            status = status_of(columns)
            if after >= status.last_sequence:
                return LogPage(entries=EncodedEntries(), cursor=after, status=status)
            if min_level is LogLevel.DEBUG and not node_id:
                # Sequences have no gaps.
                end = min(after + limit, status.last_sequence)
                entries, cut = _entries(db.execute(_RANGE, (pk, after, end)).fetchone(), max_bytes)
            else:
                end = status.last_sequence
                found = db.execute(_ENTRIES, (pk, after, min_level.rank, node_id, node_id, limit)).fetchone()
                entries, cut = _entries(found, max_bytes)
                cut = cut or len(entries) == limit
            return LogPage(entries=entries, cursor=entries.last if cut else end, status=status)

        return await self._in_thread(read)

    async def log_tail(
        self, namespace: str, execution_id: str, *, count: int, min_level: LogLevel, node_id: str
    ) -> int:
        """Find the cursor for the last entries of a log."""

        def read(db: sqlite3.Connection) -> int:
            *_, pk = _found(db, _STATUS_AND_PK, namespace, execution_id)
            row = db.execute(_TAIL, (pk, min_level.rank, node_id, node_id, count)).fetchone()
            return 0 if row is None else int(row[0])

        return await self._in_thread(read)

    async def unfinished(self) -> Sequence[Unfinished]:
        """List what waits or was running."""

        def read(db: sqlite3.Connection) -> list[Unfinished]:
            (text,) = db.execute(_UNFINISHED).fetchone()
            return [
                Unfinished(
                    namespace=namespace,
                    execution_id=execution_id,
                    uid=uid,
                    state=ExecutionState(state),
                    priority=priority,
                    create_time=create_time,
                    concurrency_key=key,
                )
                for namespace, execution_id, uid, state, priority, create_time, key in orjson.loads(text)
            ]

        return await self._in_thread(read)

    def close(self) -> None:
        """Let reads under way finish, then close the connections."""
        self._pool.shutdown(wait=True)
        for db in self._connections:
            db.close()


def _found(db: sqlite3.Connection, sql: str, namespace: str, execution_id: str) -> Any:
    row = db.execute(sql, (namespace, execution_id)).fetchone()
    if row is None:
        raise ExecutionNotFound(execution_id)
    return row


def _definition(db: sqlite3.Connection, digest: str) -> bytes:
    (text,) = db.execute("SELECT definition FROM definitions WHERE digest = ?", (digest,)).fetchone()
    definition: str = text
    return definition.encode()


def _entries(row: Sequence[Any], max_bytes: int | None) -> tuple[EncodedEntries, bool]:
    """Make entries of _AS_SENT; answers them, and whether ``max_bytes`` left some out."""
    count, last, data = row
    if not count:
        return EncodedEntries(), False
    entries = EncodedEntries(data=data, count=count, last=last)
    if max_bytes is None or len(data) <= max_bytes:
        return entries, False
    short = within(entries, max_bytes)
    return short, len(short) < count


def _nodes(db: sqlite3.Connection, pk: int, *, outputs: bool) -> dict[str, NodeRun]:
    try:
        (text,) = db.execute(_NODES, (outputs, pk)).fetchone()
    except sqlite3.DataError:
        # Together they are longer than SQLite lets a text be (1 GB).
        rows = db.execute(_NODES_ONE_BY_ONE, (outputs, pk))
        return {row[0]: node_of(row[:-1], row[-1]) for row in rows}
    return {row[0]: node_of(row[:-1], row[-1]) for row in orjson.loads(text)}


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
