"""The Store on a Postgres database: a writer with group commit, a pool for reads, a session that keeps others off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from execsvc.errors import StorageUnavailable
from execsvc.model import Execution, ExecutionStatus, LogLevel, StoredWorkflow
from execsvc.model.filters import Condition, Order
from execsvc.store.address import PostgresDatabase
from execsvc.store.members import Membership
from execsvc.store.observer import StoreObserver
from execsvc.store.postgres.connections import Connections, Pool
from execsvc.store.postgres.failures import told
from execsvc.store.postgres.jobs import Jobs
from execsvc.store.postgres.lists import (
    count_executions,
    find_workflow,
    list_executions,
    list_expired,
    list_namespaces,
    list_workflows,
)
from execsvc.store.postgres.migrations import check_server, migrate
from execsvc.store.postgres.reader import Reader
from execsvc.store.postgres.session import Session
from execsvc.store.postgres.tokens import PostgresTokens
from execsvc.store.postgres.trail import PostgresTrail
from execsvc.store.postgres.writer import Writer
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

logger = logging.getLogger(__name__)


class PostgresStore:
    """Implements ``Store``. Make one with ``open``, inside a running event loop."""

    name = "postgres"

    def __init__(
        self, connections: Connections, session: Session, pool: Pool, observer: StoreObserver | None = None
    ) -> None:
        self.place = connections.shown
        self._session = session
        self._pool = pool
        self._listeners: list[Listener] = []
        self._reader = Reader(pool, observer)
        self.tokens: Tokens = PostgresTokens(self._reader)
        self.audit: AuditTrail = PostgresTrail(self._reader)
        self._jobs = Jobs(pool)
        #: See ``Store.members``.
        self.members: Membership | None = self._jobs
        self._writer = Writer(connections, self._publish, self._jobs, observer)

    @classmethod
    async def open(
        cls,
        database: PostgresDatabase,
        observer: StoreObserver | None = None,
        *,
        taken_over: Callable[[], None] = lambda: None,
    ) -> PostgresStore:
        """Open the database, migrating it first.

        Args:
            taken_over: called where somebody has the database for themselves after the connection to it was lost.

        Raises:
            DatabaseLocked: somebody has it for themselves.
            StorageUnavailable: it cannot be reached, or is of a later version.
        """
        connections = Connections(database)
        with told(connections.shown):
            async with AsyncExitStack() as opened:
                session = await Session.open(connections, taken_over)
                opened.push_async_callback(session.close)
                await prepare(connections)
                pool = connections.pool()
                await pool.open(wait=True)
                opened.push_async_callback(pool.close)
                store = cls(connections, session, pool, observer)
                opened.push_async_callback(store._writer.close)
                await session.join(store._jobs)
                opened.pop_all()
                return store

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
        return await list_executions(self._reader, namespace, condition, order, after, limit)

    async def expired(self, before: int, *, limit: int, namespace: str | None = None) -> Sequence[tuple[str, str, str]]:
        """See ``Store.expired``."""
        return await list_expired(self._reader, before, limit, namespace)

    async def namespaces(self) -> Sequence[str]:
        """See ``Store.namespaces``."""
        return await list_namespaces(self._reader)

    async def count(self, namespace: str, *, most: int) -> int:
        """See ``Store.count``."""
        return await count_executions(self._reader, namespace, most)

    async def workflow(self, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
        """See ``Store.workflow``."""
        return await find_workflow(self._reader, namespace, workflow_id, version)

    async def list_workflows(
        self, namespace: str, *, workflow_id: str, after: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredWorkflow]:
        """See ``Store.list_workflows``."""
        return await list_workflows(self._reader, namespace, workflow_id, after, limit)

    @property
    def backlog(self) -> int:
        """See ``Store.backlog``."""
        return self._writer.backlog

    async def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """See ``Store.status``."""
        return await self._reader.status(namespace, execution_id)

    async def request_digest(self, namespace: str, execution_id: str) -> str:
        """See ``Store.request_digest``."""
        return await self._reader.request_digest(namespace, execution_id)

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
        await self._session.close()
        with contextlib.suppress(StorageUnavailable):
            # Otherwise the others find out.
            await self._jobs.leave()
        await self._pool.close()

    def _publish(self, commits: list[Commit]) -> None:
        for commit in commits:
            for listener in self._listeners:
                try:
                    listener(commit)
                except Exception:
                    # What one listener cannot take must not be kept from the others.
                    execution_id = commit.status.execution_id
                    about = {"execution_id": execution_id}
                    logger.exception("a listener failed at a change of execution %s", execution_id, extra=about)


async def prepare(connections: Connections) -> Sequence[str]:
    """Bring a database up to date; answers the names of the steps that were applied.

    Raises:
        StorageUnavailable: it is of a later version, or its server cannot be used.
        psycopg.Error: it cannot be reached, or not be changed by this role.
    """
    db = await connections.connect()
    try:
        await check_server(db)
        return await migrate(db)
    finally:
        await db.close()


async def migrated(database: PostgresDatabase) -> tuple[str, Sequence[str]]:
    """Bring a database up to date; answers where it is, and the names of the steps that were applied.

    Raises:
        StorageUnavailable: it cannot be reached, or is of a later version.
    """
    connections = Connections(database)
    with told(connections.shown):
        return connections.shown, await prepare(connections)


@asynccontextmanager
async def opened_tokens(database: PostgresDatabase) -> AsyncIterator[PostgresTokens]:
    """Open the API tokens of a database, brought up to date first, whether or not servers use it.

    Raises:
        StorageUnavailable: it cannot be reached, or is of a later version.
    """
    async with _opened_reader(database) as reader:
        yield PostgresTokens(reader)


@asynccontextmanager
async def opened_trail(database: PostgresDatabase) -> AsyncIterator[tuple[PostgresTrail, PostgresTokens]]:
    """Open the audit trail of a database, and the API tokens, to tell whose they are. Raises as ``opened_tokens``."""
    async with _opened_reader(database) as reader:
        yield PostgresTrail(reader), PostgresTokens(reader)


@asynccontextmanager
async def _opened_reader(database: PostgresDatabase) -> AsyncIterator[Reader]:
    connections = Connections(database)
    with told(connections.shown):
        await prepare(connections)
        pool = connections.pool()
        await pool.open(wait=True)
    try:
        yield Reader(pool)
    finally:
        await pool.close()
