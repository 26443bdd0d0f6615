"""Reads, over a pool of connections. What must fit together is read by one statement, or in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
import psycopg
from psycopg import AsyncCursor

from execsvc.encoding.log_entries import encoded_columns, within
from execsvc.errors import ExecutionNotFound, StorageUnavailable
from execsvc.model import EncodedEntries, Execution, ExecutionState, ExecutionStatus, LogLevel, NodeRun
from execsvc.store.observer import StoreObserver
from execsvc.store.postgres.connections import Connection, Pool, over
from execsvc.store.postgres.labels import LABELS
from execsvc.store.protocol import Claim, LogPage, Unfinished
from execsvc.store.rows import NODE_COLUMNS, STATUS_COLUMNS, error_of, node_of, status_of

_STATUS_WIDTH: Final = STATUS_COLUMNS.count(",") + 1
_Rows = list[tuple[Any, ...]]
#: A statement and its arguments.
Query = tuple[bytes, Sequence[Any]]

_OF: Final = "FROM execsvc.executions AS e WHERE e.namespace = %s AND e.execution_id = %s"
_STATUS: Final = f"SELECT {STATUS_COLUMNS} {_OF}".encode()
_REQUEST_DIGEST: Final = f"SELECT request_digest {_OF}".encode()
_RECORD: Final = f"""
SELECT {STATUS_COLUMNS}, definition_digest,
       (SELECT d.definition FROM execsvc.definitions AS d WHERE d.digest = definition_digest),
       {LABELS}, priority, timeout, concurrency_key, error, ran_for, retry,
       (SELECT d.input FROM execsvc.execution_data AS d WHERE d.execution = pk AND %s),
       (SELECT d.output FROM execsvc.execution_data AS d WHERE d.execution = pk AND %s)
{_OF}
""".encode()
_NODES: Final = f"""
SELECT {NODE_COLUMNS}, CASE WHEN %s THEN output END
FROM execsvc.node_runs WHERE execution = (SELECT pk {_OF})
""".encode()
_ENTRIES: Final = f"""
SELECT {STATUS_COLUMNS}, found.*
FROM execsvc.executions AS e CROSS JOIN LATERAL (
    SELECT json_agg(sequence)::text, json_agg(time)::text, json_agg(level)::text, json_agg(node_id)::text,
           json_agg(attempt)::text, json_agg(entry.message)::text, json_agg(metadata)::text
    FROM (
        SELECT * FROM execsvc.log_entries
        WHERE execution = e.pk AND sequence > %s AND level >= %s AND (%s = '' OR node_id = %s)
        ORDER BY sequence LIMIT %s
    ) AS entry
) AS found
WHERE e.namespace = %s AND e.execution_id = %s
""".encode()
_TAIL: Final = f"""
SELECT (
    SELECT sequence FROM execsvc.log_entries
    WHERE execution = e.pk AND level >= %s AND (%s = '' OR node_id = %s)
    ORDER BY sequence DESC LIMIT 1 OFFSET %s
)
{_OF}
""".encode()
_UNFINISHED: Final = b"""
SELECT namespace, execution_id, uid, state, priority, create_time, concurrency_key
FROM execsvc.executions WHERE state IN ('PENDING', 'RUNNING') ORDER BY priority DESC, create_time, pk
"""
#: Holds the planner to what the indexes are made for: along their order from a position on, without sorting what
#: matched, whatever it makes of tables of which it knows little yet.
ALONG_INDEX: Final = b"""
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true),
       -- Compiling a plan, or starting processes for it, takes longer than a page does.
       set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
"""
_SNAPSHOT: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Reader:
    """Reads one database.

    Args:
        pool: opened and closed by its owner.
        observer: told of reads that the database refused.
    """

    def __init__(self, pool: Pool, observer: StoreObserver | None = None) -> None:
        self._pool = pool
        self._observer = observer

    async def rows(self, *queries: Query) -> Sequence[_Rows]:
        """Run queries, several of them in one snapshot; answers the rows of each. Takes one round trip."""
        try:
            return await over(self._pool, "read", lambda db: _run(db, queries))
        except StorageUnavailable as failure:
            if self._observer is not None:
                self._observer.read_failed(failure)
            raise

    async def listed(self, query: Query) -> _Rows:
        """Run a query that reads a part of many rows along an index; answers its rows."""
        _, rows = await self.rows((ALONG_INDEX, ()), query)
        return rows

    async def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """Read a status."""
        return status_of(await self._one(_STATUS, namespace, execution_id))

    async def request_digest(self, namespace: str, execution_id: str) -> str:
        """Read a request digest."""
        (digest,) = await self._one(_REQUEST_DIGEST, namespace, execution_id)
        return str(digest)

    async def _one(self, statement: bytes, namespace: str, execution_id: str, *before: Any) -> tuple[Any, ...]:
        (rows,) = await self.rows((statement, (*before, namespace, execution_id)))
        return _found(rows, execution_id)

    async def execution(self, namespace: str, execution_id: str, *, full: bool) -> Execution:
        """Read a record."""
        records, nodes = await self._record(namespace, execution_id, full=full)
        *status, digest, definition, labels, priority, timeout, key, error, _, retry, given, output = _found(
            records, execution_id
        )
        return Execution(
            status=status_of(status),
            definition_digest=digest,
            definition=definition.encode(),
            labels=orjson.loads(labels),
            priority=priority,
            timeout=timeout,
            concurrency_key=key,
            input=_bytes(given),
            output=_bytes(output),
            error=error_of(error),
            nodes=_nodes(nodes),
            retry=_bytes(retry),
        )

    async def claimed(self, namespace: str, held: ExecutionStatus) -> Claim:
        """Read what an engine needs."""
        records, nodes = await self._record(namespace, held.execution_id, full=True)
        *status, digest, definition, labels, _, timeout, _, _, ran_for, retry, given, _ = _found(
            records, held.execution_id
        )
        if status_of(status).uid != held.uid:
            raise ExecutionNotFound(held.execution_id)
        return Claim(
            status=held,
            labels=orjson.loads(labels),
            definition=definition.encode(),
            definition_digest=digest,
            input=given.encode(),
            timeout=timeout,
            ran_for=ran_for,
            nodes=_nodes(nodes),
            retry=_bytes(retry),
        )

    async def _record(self, namespace: str, execution_id: str, *, full: bool) -> Sequence[_Rows]:
        return await self.rows(
            (_RECORD, (full, full, namespace, execution_id)), (_NODES, (full, namespace, execution_id))
        )

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
        row = await self._one(_ENTRIES, namespace, execution_id, after, min_level.rank, node_id, node_id, limit)
        status, texts = status_of(row[:_STATUS_WIDTH]), row[_STATUS_WIDTH:]
        if after >= status.last_sequence:
            return LogPage(entries=EncodedEntries(), cursor=after, status=status)
        found = EncodedEntries() if texts[0] is None else encoded_columns([orjson.loads(text) for text in texts])
        entries = found if max_bytes is None else within(found, max_bytes)
        whole = len(entries) == len(found) < limit
        return LogPage(entries=entries, cursor=status.last_sequence if whole else entries.last, status=status)

    async def log_tail(
        self, namespace: str, execution_id: str, *, count: int, min_level: LogLevel, node_id: str
    ) -> int:
        """Find the cursor for the last entries of a log."""
        (sequence,) = await self._one(_TAIL, namespace, execution_id, min_level.rank, node_id, node_id, count)
        return 0 if sequence is None else int(sequence)

    async def unfinished(self) -> Sequence[Unfinished]:
        """List what waits or was running."""
        (rows,) = await self.rows((_UNFINISHED, ()))
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
            for namespace, execution_id, uid, state, priority, create_time, key in rows
        ]


async def _run(db: Connection, queries: Sequence[Query]) -> list[_Rows]:
    if len(queries) == 1:
        return [await (await db.execute(*queries[0])).fetchall()]
    cursors: list[AsyncCursor[tuple[Any, ...]]] = []
    try:
        async with db.pipeline():
            await db.execute(_SNAPSHOT)
            for query in queries:
                cursors.append(await db.execute(*query))
            await db.execute(b"COMMIT")
    except psycopg.Error:
        if not db.closed:
            await db.rollback()
        raise
    return [await cursor.fetchall() for cursor in cursors]


def _found(rows: _Rows, execution_id: str) -> tuple[Any, ...]:
    if not rows:
        raise ExecutionNotFound(execution_id)
    return rows[0]


def _nodes(rows: _Rows) -> dict[str, NodeRun]:
    return {row[0]: node_of(row[:-1], row[-1]) for row in rows}


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
