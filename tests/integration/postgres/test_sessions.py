"""What a transaction-pooling proxy needs: nothing on a connection lives longer than its transaction."""

from __future__ import annotations

from execsvc.model import ExecutionState, LogLevel
from execsvc.model.filters import All, Order
from execsvc.store import DeleteExecution, PostgresDatabase, PutWorkflow
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres.connections import Connection
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update

#: Settings that somebody changed on a connection, statements that it has prepared, locks that it holds.
LEFT = b"""
SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
UNION ALL SELECT 'statement ' || statement FROM pg_prepared_statements
UNION ALL SELECT 'lock ' || locktype FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'
    AND relation IS NULL
UNION ALL SELECT 'listens ' || channel FROM pg_listening_channels() AS channel
"""


async def _left(db: Connection) -> list[str]:
    return [str(what) for (what,) in await (await db.execute(LEFT, prepare=False)).fetchall()]


async def _use(store: PostgresStore) -> None:
    for i in range(8):
        name = f"e{i}"
        await store.create(create(name))
        await store.update(claim(name))
        await store.update(update(name, epoch=1, entries=entries("a"), request_id="r"))
        await store.update(move(name, ExecutionState.STOPPED))
        await store.status(NAMESPACE, name)
        await store.execution(NAMESPACE, name, full=True)
        await store.log_page(NAMESPACE, name, after=0, limit=10)
        await store.log_tail(NAMESPACE, name, count=1, min_level=LogLevel.DEBUG, node_id="")
        await store.list_executions(NAMESPACE, condition=All(parts=()), order=Order(), after=None, limit=5)
        await store.put_workflow(
            PutWorkflow(namespace=NAMESPACE, workflow_id="w", version=f"v{i}", definition=b"{}", time=NOW)
        )
        await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id=name))


async def test_behind_a_proxy_nothing_is_left_on_a_connection(url: str) -> None:
    store = await PostgresStore.open(PostgresDatabase(url=url, direct_url=url, connections=3))
    await _use(store)
    assert store._writer._db is not None
    assert await _left(store._writer._db) == []
    async with store._pool.connection() as db:
        assert await _left(db) == []
    await store.close()


async def test_without_a_proxy_statements_are_prepared_and_nothing_else_is_left(url: str) -> None:
    store = await PostgresStore.open(PostgresDatabase(url=url, connections=3))
    await _use(store)
    assert store._writer._db is not None
    left = await _left(store._writer._db)
    assert left
    assert {what.partition(" ")[0] for what in left} == {"statement"}
    await store.close()
