"""Copies a SQLite database into an empty Postgres one, in one transaction: all of it, verified, or nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from psycopg import sql

from execsvc.encoding.log_entries import decoded_entries
from execsvc.errors import DatabaseLocked, StorageUnavailable
from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres.connections import Connection, Connections
from execsvc.store.postgres.failures import Failure
from execsvc.store.postgres.labels import LABELS, label_columns
from execsvc.store.postgres.migrations import SERVER_LOCK
from execsvc.store.postgres.store import prepare
from execsvc.store.rows import AUDIT_COLUMNS, NODE_COLUMNS, STATUS_COLUMNS, TOKEN_COLUMNS, entry_row
from execsvc.store.sqlite.entries import ENTRY, knows_entries
from execsvc.store.sqlite.files import opened_to_read
from execsvc.store.sqlite.lock import DatabaseLock
from execsvc.store.sqlite.store import bring_up_to_date

#: Rows between two reports of progress.
STEP: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    #: By which rows are put in order; the same in both databases, since text is compared byte by byte.
    key: str


def _table(name: str, columns: str, key: str) -> _Table:
    return _Table(name, tuple(columns.split(", ")), key)


_EXECUTIONS: Final = _table(
    "executions",
    f"pk, namespace, {STATUS_COLUMNS}, owner, ran_for, request_digest, definition_digest, labels, priority, timeout, "
    "concurrency_key, retry, error",
    "pk",
)
_WORKFLOWS: Final = _table(
    "workflows", "namespace, workflow_id, version, create_time, newest", "namespace, workflow_id, version"
)
_ENTRIES: Final = _table(
    "log_entries", "execution, sequence, time, level, node_id, attempt, message, metadata", "execution, sequence"
)
_TABLES: Final = (
    _table("definitions", "digest, definition", "digest"),
    _WORKFLOWS,
    _EXECUTIONS,
    _table("execution_data", "execution, input, output", "execution"),
    _table(
        "execution_labels",
        "namespace, key, value, create_time, execution",
        "namespace, key, value, create_time, execution",
    ),
    _table("node_runs", f"execution, {NODE_COLUMNS}, output", "execution, node_id"),
    _ENTRIES,
    _table("control_requests", "execution, request_id, action, status", "execution, request_id"),
    _table("api_tokens", TOKEN_COLUMNS, "token_id"),
    _table("audit", f"number, {AUDIT_COLUMNS}", "number"),
)
_LABELS: Final = _EXECUTIONS.columns.index("labels")
_NEWEST: Final = _WORKFLOWS.columns.index("newest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was copied."""

    #: Where to, without anything secret.
    place: str
    #: Rows by table.
    rows: dict[str, int]
    #: SHA-256 of each table's rows, the same in both databases.
    digests: dict[str, str]
    #: Executions that go on at the next start of a server.
    unfinished: int


class NotMoved(Exception):
    """The database was not copied; the target is as it was."""

    def __init__(self, reason: str, message: str) -> None:
        #: ``TARGET_NOT_EMPTY`` or ``COPY_DIFFERS``.
        self.reason = reason
        super().__init__(message)


#: Told how many rows of how many are done.
Progress = Callable[[int, int], None]


async def move(source: Path, target: PostgresDatabase, progress: Progress | None = None) -> Moved:
    """Copy a database; the source stays as it is. No server may use either.

    Raises:
        DatabaseLocked: a server uses one of them.
        StorageUnavailable: one of them cannot be used. Nothing was copied.
        NotMoved: the target holds data, or holds something else than the source once all is copied.
    """
    connections = Connections(target)
    try:
        with _held(source) as db:
            await prepare(connections)
            to = await connections.connect_directly()
            try:
                return await _Copy(db, to, connections.shown, progress).run()
            finally:
                await to.close()
    except Failure as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise StorageUnavailable(f"cannot copy to {connections.shown}: {why}") from error
    except sqlite3.Error as error:
        raise StorageUnavailable(f"cannot read {source}: {error}") from error


@contextmanager
def _held(source: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it, up to date, with servers kept off."""
    with opened_to_read(source):
        # It is there, and ours: nothing is made that was not there.
        pass
    bring_up_to_date(source)
    lock = DatabaseLock(source.resolve())
    try:
        with opened_to_read(source) as db:
            yield db
    finally:
        lock.release()


class _Copy:
    def __init__(self, source: sqlite3.Connection, target: Connection, place: str, progress: Progress | None) -> None:
        self._source = source
        self._target = target
        self._place = place
        self._progress = progress
        self._done = 0
        self._rows = {table.name: self._count(f"FROM {table.name}") for table in _TABLES}
        # Each is read once more.
        self._total = 2 * sum(self._rows.values())

    def _count(self, what: str) -> int:
        (count,) = self._source.execute(f"SELECT count(*) {what}").fetchone()
        return int(count)

    async def run(self) -> Moved:
        async with self._target.transaction():
            await self._keep_others_off()
            copied = {table.name: await self._copy(table) for table in _TABLES}
            for table in _TABLES:
                found = await self._read_back(table)
                if found != copied[table.name]:
                    raise NotMoved("COPY_DIFFERS", f"{table.name} on {self._place} is not what was copied")
            # Of whole blocks: whoever takes the next one must not meet what is there.
            last = self._source.execute("SELECT coalesce(max(pk), 0) FROM executions").fetchone()[0]
            await self._target.execute("SELECT setval('execsvc.executions_pk', %s)", (last + 1,))
            last = self._source.execute("SELECT coalesce(max(number), 0) FROM audit").fetchone()[0]
            numbers = "pg_get_serial_sequence('execsvc.audit', 'number')"
            await self._target.execute(f"SELECT setval({numbers}, %s)".encode(), (last + 1,))
        await self._target.execute("ANALYZE")
        return Moved(
            place=self._place,
            rows=self._rows,
            digests=copied,
            unfinished=self._count("FROM executions WHERE state IN ('PENDING', 'RUNNING')"),
        )

    async def _keep_others_off(self) -> None:
        locked = await self._target.execute("SELECT pg_try_advisory_xact_lock(%s)", (SERVER_LOCK,))
        if not (await locked.fetchall())[0][0]:
            raise DatabaseLocked(self._place, "", "stop it first")
        for table in _TABLES:
            name = sql.Identifier("execsvc", table.name)
            await self._target.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(name))
            found = await self._target.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name))
            if await found.fetchall():
                message = f"{self._place} holds data already ({table.name}); name an empty database"
                raise NotMoved("TARGET_NOT_EMPTY", message)

    async def _copy(self, table: _Table) -> str:
        digest = hashlib.sha256()
        columns = table.columns + (("labels_exact", "revision") if table is _EXECUTIONS else ())
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier("execsvc", table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        async with self._target.cursor() as cursor, cursor.copy(statement) as copy:
            for row in self._source_rows(table):
                digest.update(_text(table, row))
                await copy.write_row(_for_postgres(table, row))
                self._step()
        return digest.hexdigest()

    def _source_rows(self, table: _Table) -> Iterator[Sequence[Any]]:
        if table is _ENTRIES:
            yield from self._source_entries()
            return
        columns = ", ".join(table.columns)
        yield from self._source.execute(f"SELECT {columns} FROM {table.name} ORDER BY {table.key}")

    def _source_entries(self) -> Iterator[Sequence[Any]]:
        knows_entries(self._source)
        for execution, encoded in self._source.execute(
            f"SELECT execution, {ENTRY} FROM {_ENTRIES.name} ORDER BY {_ENTRIES.key}"
        ):
            (entry,) = decoded_entries(encoded)
            yield entry_row(execution, entry.sequence, entry)

    async def _read_back(self, table: _Table) -> str:
        digest = hashlib.sha256()
        columns = ", ".join(table.columns)
        if table is _EXECUTIONS:
            columns = columns.replace("labels", LABELS)
        elif table is _WORKFLOWS:
            columns = columns.replace("newest", "newest::int")
        # On the server, which may hold more than fits into memory here.
        async with self._target.cursor(name="execsvc_read_back") as cursor:
            await cursor.execute(f"SELECT {columns} FROM execsvc.{table.name} AS e ORDER BY {table.key}".encode())
            async for row in cursor:
                digest.update(_text(table, row))
                self._step()
        return digest.hexdigest()

    def _step(self) -> None:
        self._done += 1
        if self._progress is not None and (self._done % STEP == 0 or self._done == self._total):
            self._progress(self._done, self._total)


def _text(table: _Table, row: Sequence[Any]) -> bytes:
    """What is the same of a row in both databases."""
    values = list(row)
    if table is _EXECUTIONS:
        values[_LABELS] = orjson.loads(values[_LABELS])
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS) + b"\n"


def _for_postgres(table: _Table, row: Sequence[Any]) -> Sequence[Any]:
    values = list(row)
    if table is _WORKFLOWS:
        values[_NEWEST] = bool(values[_NEWEST])
    elif table is _EXECUTIONS:
        values[_LABELS], exact = label_columns(values[_LABELS])
        values += [exact, 1]
    return values
