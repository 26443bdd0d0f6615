"""The Store on one SQLite file: a writer with group commit, readers beside it, a lock against a second server."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from sqlite_utils import Database

from execsvc.errors import StorageUnavailable
from execsvc.model import Execution, ExecutionStatus, LogLevel, StoredWorkflow
from execsvc.model.filters import Condition, Order
from execsvc.store.members import Membership
from execsvc.store.observer import StoreObserver
from execsvc.store.protocol import (
    AuditTrail,
    Claim,
    Commit,
    Created,
    CreateExecution,
    DeleteExecution,
    Listed,
    Listener,
    LogPage,
    PutWorkflow,
    Tokens,
    Unfinished,
    Updated,
    UpdateExecution,
    WorkflowPut,
)
from execsvc.store.sqlite.lists import (
    count_executions,
    find_workflow,
    list_executions,
    list_expired,
    list_namespaces,
    list_workflows,
)
from execsvc.store.sqlite.lock import DatabaseLock
from execsvc.store.sqlite.migrations import check_ours, migrations, up_to_date
from execsvc.store.sqlite.reader import Reader
from execsvc.store.sqlite.tokens import SqliteTokens
from execsvc.store.sqlite.trail import SqliteTrail
from execsvc.store.sqlite.writer import Writer

logger = logging.getLogger(__name__)


class SqliteStore:
    """Implements ``Store``. Make one with ``open``, inside a running event loop."""

    name = "sqlite"
    members: Membership | None = None

    def __init__(
        self,
        place: str,
        lock: DatabaseLock,
        db: sqlite3.Connection,
        reader: Reader,
        tokens: SqliteTokens,
        trail: SqliteTrail,
        observer: StoreObserver | None = None,
    ) -> None:
        self.place = place
        self.tokens: Tokens = tokens
        self._tokens = tokens
        self.audit: AuditTrail = trail
        self._lock = lock
        self._db = db
        self._listeners: list[Listener] = []
        self._reader = reader
        self._writer = Writer(db, asyncio.get_running_loop(), self._publish, observer)

    @classmethod
    async def open(cls, path: str | Path, observer: StoreObserver | None = None) -> SqliteStore:
        """Open the database, making or migrating it first.

        Raises:
            DatabaseLocked: another server uses it.
            StorageUnavailable: it cannot be opened, or is no database of ours.
        """
        place = str(path)
        path, lock = _locked(Path(path))
        try:
            db = await asyncio.to_thread(_opened, path)
            reader, tokens = Reader(path, observer=observer), SqliteTokens(path, observer)
            return cls(place, lock, db, reader, tokens, SqliteTrail(path), observer)
        except (sqlite3.Error, StorageUnavailable) as error:
            lock.release()
            raise StorageUnavailable(f"cannot open {path}: {error}") from error
        except BaseException:
            lock.release()
            raise

    def create(self, change: CreateExecution) -> asyncio.Future[Created]:
        """See ``Store.create``."""
        return cast("asyncio.Future[Created]", self._writer.submit(change))

    def update(self, change: UpdateExecution) -> asyncio.Future[Updated]:
        """See ``Store.update``."""
        return cast("asyncio.Future[Updated]", self._writer.submit(change))

    def delete(self, change: DeleteExecution) -> asyncio.Future[ExecutionStatus]:
        """See ``Store.delete``."""
        return cast("asyncio.Future[ExecutionStatus]", self._writer.submit(change))

    def put_workflow(self, change: PutWorkflow) -> asyncio.Future[WorkflowPut]:
        """See ``Store.put_workflow``."""
        return cast("asyncio.Future[WorkflowPut]", self._writer.submit(change))

    async def list_executions(
        self, namespace: str, *, condition: Condition, order: Order, after: tuple[int, int] | None, limit: int
    ) -> Sequence[Listed]:
        """See ``Store.list_executions``."""
        return await self._reader.read(list_executions, namespace, condition, order, after, limit)

    async def expired(self, before: int, *, limit: int, namespace: str | None = None) -> Sequence[tuple[str, str, str]]:
        """See ``Store.expired``."""
        return await self._reader.read(list_expired, before, limit, namespace)

    async def namespaces(self) -> Sequence[str]:
        """See ``Store.namespaces``."""
        return await self._reader.read(list_namespaces)

    async def count(self, namespace: str, *, most: int) -> int:
        """See ``Store.count``."""
        return await self._reader.read(count_executions, namespace, most)

    async def workflow(self, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
        """See ``Store.workflow``."""
        return await self._reader.read(find_workflow, namespace, workflow_id, version)

    async def list_workflows(
        self, namespace: str, *, workflow_id: str, after: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredWorkflow]:
        """See ``Store.list_workflows``."""
        return await self._reader.read(list_workflows, namespace, workflow_id, after, limit)

    @property
    def backlog(self) -> int:
        """See ``Store.backlog``."""
        return self._writer.backlog

    async def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """See ``Store.status``."""
        return self._reader.status(namespace, execution_id)

    async def request_digest(self, namespace: str, execution_id: str) -> str:
        """See ``Store.request_digest``."""
        return self._reader.request_digest(namespace, execution_id)

    async def execution(self, namespace: str, execution_id: str, *, full: bool) -> Execution:
        """See ``Store.execution``."""
        return await self._reader.execution(namespace, execution_id, full=full)

    async def claimed(self, namespace: str, status: ExecutionStatus) -> Claim:
        """See ``Store.claimed``."""
        return await self._reader.claimed(namespace, status)

    async def log_page(
        self,
        namespace: str,
        execution_id: str,
        *,
        after: int,
        limit: int,
        max_bytes: int | None = None,
        min_level: LogLevel = LogLevel.DEBUG,
        node_id: str = "",
    ) -> LogPage:
        """See ``Store.log_page``."""
        return await self._reader.log_page(
            namespace,
            execution_id,
            after=after,
            limit=limit,
            max_bytes=max_bytes,
            min_level=min_level,
            node_id=node_id,
        )

    async def log_tail(
        self, namespace: str, execution_id: str, *, count: int, min_level: LogLevel, node_id: str
    ) -> int:
        """See ``Store.log_tail``."""
        return await self._reader.log_tail(namespace, execution_id, count=count, min_level=min_level, node_id=node_id)

    async def unfinished(self) -> Sequence[Unfinished]:
        """See ``Store.unfinished``."""
        return await self._reader.unfinished()

    def listen(self, listener: Listener) -> None:
        """See ``Store.listen``."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._writer.close()
        await asyncio.to_thread(self._reader.close)
        self._tokens.close()
        self._db.close()
        self._lock.release()

    def _publish(self, commits: list[Commit]) -> None:
        for commit in commits:
            for listener in self._listeners:
                try:
                    listener(commit)
                except Exception:
                    # What one listener cannot take must not be kept from the others.
                    logger.exception("a listener failed at a change of execution %s", commit.status.execution_id)


def bring_up_to_date(path: Path) -> Sequence[str]:
    """Make or migrate a database that no server uses; answers the names of the steps that were applied.

    Raises:
        DatabaseLocked: a server uses it.
        StorageUnavailable: it cannot be opened, or is no database of ours.
    """
    path, lock = _locked(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            check_ours(Database(db))
            missing = [step.name for step in migrations.pending(Database(db))]
        _opened(path).close()
        return missing
    except (sqlite3.Error, StorageUnavailable) as error:
        raise StorageUnavailable(f"cannot open {path}: {error}") from error
    finally:
        lock.release()


@contextmanager
def opened_tokens(path: Path) -> Iterator[SqliteTokens]:
    """Open the API tokens of a database, made or migrated first, whether or not a server uses it.

    Raises:
        DatabaseLocked: it lacks steps that cannot be made up for, since a server of an earlier version uses it.
        StorageUnavailable: it cannot be opened, or is no database of ours.
    """
    if not _up_to_date(path):
        bring_up_to_date(path)
    tokens = SqliteTokens(path)
    try:
        yield tokens
    finally:
        tokens.close()


@contextmanager
def opened_trail(path: Path) -> Iterator[tuple[SqliteTrail, SqliteTokens]]:
    """Open the audit trail of a database that is there, and the API tokens, to tell whose they are.

    Raises:
        DatabaseLocked: as ``opened_tokens``.
        StorageUnavailable: there is none, it cannot be opened, or is no database of ours.
    """
    if not path.is_file():
        # A mistyped name must not make a database that has seen nothing.
        raise StorageUnavailable(f"cannot open {path}: there is no such file")
    with opened_tokens(path) as tokens:
        yield SqliteTrail(path), tokens


def _up_to_date(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return up_to_date(Database(db))
    except sqlite3.Error as error:
        raise StorageUnavailable(f"cannot open {path}: {error}") from error


def _locked(path: Path) -> tuple[Path, DatabaseLock]:
    try:
        # Resolved, so that every name of the file leads to the same lock.
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, DatabaseLock(path)
    except OSError as error:
        raise StorageUnavailable(f"cannot open {path}: {error.strerror}") from error


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        check_ours(Database(db))
        # Without FULL a power cut may take back commits that were already answered.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = OFF", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        migrations.apply(Database(db))
    except BaseException:
        db.close()
        raise
    return db
