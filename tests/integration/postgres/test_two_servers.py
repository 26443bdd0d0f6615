"""Servers share a database, unless somebody has it alone; and what two writers on it do to each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest

from execsvc.errors import DatabaseLocked, ExecsvcError, ExecutionExists, IllegalTransition, LeaseLost
from execsvc.model import ExecutionState
from execsvc.store import Created, DeleteExecution, PostgresDatabase, PutWorkflow, Updated
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres import session as session_module
from execsvc.store.postgres.connections import Connections
from execsvc.store.postgres.jobs import Jobs
from execsvc.store.postgres.migrations import SERVER_LOCK
from execsvc.store.postgres.writer import Writer
from tests.conformance.reads import outcomes, whole_log
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "PATIENCE", 0.1)
    monkeypatch.setattr(session_module, "REOPEN", 0.02)
    monkeypatch.setattr(session_module, "HEARTBEAT", 0.02)


async def test_servers_share_a_database_and_are_kept_off_one_that_somebody_has_alone(url: str) -> None:
    database = PostgresDatabase(url=url)
    first, second = await PostgresStore.open(database), await PostgresStore.open(database)
    async with await psycopg.AsyncConnection.connect(url, application_name="copier", autocommit=True) as alone:
        assert not await _taken(alone)
        await first.close()
        assert not await _taken(alone)
        await second.close()
        assert await _taken(alone)
        told = r"another server \(copier\) uses postgresql://127.0.0.1:\d+/"
        with pytest.raises(DatabaseLocked, match=told) as refused:
            await PostgresStore.open(database)
        assert "postgres@" not in str(refused.value)
    await (await PostgresStore.open(database)).close()


async def _taken(admin: psycopg.AsyncConnection[Any]) -> bool:
    ((taken,),) = await (await admin.execute("SELECT pg_try_advisory_lock(%s)", (SERVER_LOCK,))).fetchall()
    return bool(taken)


async def test_a_server_whose_connection_was_cut_takes_its_lock_again(url: str) -> None:
    database = PostgresDatabase(url=url)
    store = await PostgresStore.open(database)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        before = await _holder(admin)
        await admin.execute("SELECT pg_terminate_backend(%s)", (before,))
        async with asyncio.timeout(20):
            while await _holder(admin) in (None, before):
                pass
        assert not await _taken(admin)
    await store.create(create())
    await store.close()


async def test_a_server_whose_lock_went_to_another_is_told_so(url: str) -> None:
    taken_over = asyncio.Event()
    store = await PostgresStore.open(PostgresDatabase(url=url), taken_over=taken_over.set)
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as admin,
        await psycopg.AsyncConnection.connect(url, autocommit=True, application_name="execsvc other/1") as other,
    ):
        # Waits in the queue for the lock, so that it is quicker than the first one's next try.
        waiting = asyncio.create_task(other.execute("SELECT pg_advisory_lock(%s)", (SERVER_LOCK,)))
        async with asyncio.timeout(20):
            while not (await (await admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted")).fetchall()):
                pass
        await admin.execute("SELECT pg_terminate_backend(%s)", (await _holder(admin),))
        await waiting
        async with asyncio.timeout(20):
            await taken_over.wait()
    await store.close()


async def _holder(admin: psycopg.AsyncConnection[Any]) -> int | None:
    rows = await (await admin.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")).fetchall()
    return rows[0][0] if rows else None


@asynccontextmanager
async def writers(url: str, count: int) -> AsyncIterator[list[Writer]]:
    """Writers of as many servers, whatever keeps them apart."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            connections = Connections(PostgresDatabase(url=url))
            writer = Writer(connections, lambda commits: None, Jobs(connections.pool()))
            stack.push_async_callback(writer.close)
            found.append(writer)
        yield found


async def read(url: str, execution_id: str) -> list[str]:
    """The messages of a log, which has no gaps."""
    store = await PostgresStore.open(PostgresDatabase(url=url))
    try:
        log = await whole_log(store, execution_id)
    finally:
        await store.close()
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    return [entry.message for entry in log]


async def test_writers_of_two_servers_leave_no_gap_and_lose_nothing(url: str) -> None:
    async with writers(url, 3) as servers:
        await servers[0].submit(create("a", log=()))
        await servers[0].submit(create("b", log=()))

        async def write(server: Writer, name: str) -> None:
            for i in range(20):
                both = [server.submit(update(key, entries=entries(f"{name}{i}"))) for key in ("a", "b")]
                # In both orders, so that servers could wait for each other in a ring.
                assert all(isinstance(done, Updated) for done in await outcomes(both[:: random.choice((1, -1))]))

        await asyncio.gather(*(write(server, name) for server, name in zip(servers, "xyz", strict=True)))
    for key in ("a", "b"):
        messages = await read(url, key)
        assert sorted(messages) == sorted(f"{name}{i}" for name in "xyz" for i in range(20))
        for name in "xyz":
            assert [text for text in messages if text[0] == name] == [f"{name}{i}" for i in range(20)]


async def test_a_runner_that_lost_its_lease_writes_nothing_more(url: str) -> None:
    async with writers(url, 2) as (first, second):
        await first.submit(create())
        assert (await first.submit(claim(claim_owner="first"))).status.epoch == 1  # type: ignore[union-attr]
        assert (await second.submit(claim(claim_owner="second"))).status.epoch == 2  # type: ignore[union-attr]
        refused = first.submit(update(epoch=1, entries=entries("too late")))
        taken = second.submit(update(epoch=2, entries=entries("mine")))
        with pytest.raises(LeaseLost):
            await refused
        await taken
    assert await read(url, "e1") == ["queued", "running", "running", "mine"]


async def test_the_same_execution_stored_by_two_servers_is_made_once(url: str) -> None:
    async with writers(url, 2) as servers:
        for i in range(20):
            made = await outcomes([server.submit(create(f"e{i}", uid=f"u{n}")) for n, server in enumerate(servers)])
            assert sorted(done.created for done in made) == [False, True]
            assert len({done.status.uid for done in made}) == 1
        made = await outcomes([server.submit(create("x", input=b"%d" % n)) for n, server in enumerate(servers)])
        assert {type(done) for done in made} == {Created, ExecutionExists}


async def test_one_of_two_that_delete_or_restart_at_once_wins(url: str) -> None:
    async with writers(url, 2) as (first, second):
        for i in range(20):
            name = f"e{i}"
            await first.submit(create(name))
            await first.submit(move(name, ExecutionState.STOPPED))
            delete = DeleteExecution(namespace=NAMESPACE, execution_id=name)
            gone, again = await outcomes(
                [first.submit(delete), second.submit(move(name, ExecutionState.PENDING, restart=True))]
            )
            assert isinstance(gone, ExecsvcError) != isinstance(again, ExecsvcError), (gone, again)


async def test_one_of_two_changes_of_state_wins_also_where_neither_logs(url: str) -> None:
    async with writers(url, 2) as (first, second):
        for i in range(30):
            name = f"e{i}"
            await first.submit(create(name))
            await first.submit(claim(name))
            running = {"from_states": (ExecutionState.RUNNING,), "entries": ()}
            made = await outcomes(
                [
                    first.submit(move(name, ExecutionState.PAUSED, **running)),
                    second.submit(move(name, ExecutionState.STOPPED, **running)),
                ]
            )
            assert {type(done) for done in made} == {Updated, IllegalTransition}


async def test_definitions_stay_while_one_server_deletes_their_last_user_and_another_makes_one(url: str) -> None:
    async with writers(url, 2) as (first, second):
        for i in range(20):
            old, new = f"old{i}", f"new{i}"
            await first.submit(create(old, definition_digest=f"d{i}"))
            await first.submit(move(old, ExecutionState.STOPPED))
            delete = DeleteExecution(namespace=NAMESPACE, execution_id=old)
            await outcomes([first.submit(delete), second.submit(create(new, definition_digest=f"d{i}"))])
    async with await psycopg.AsyncConnection.connect(url) as db:
        rows = await (await db.execute("SELECT digest FROM execsvc.definitions ORDER BY digest")).fetchall()
    assert [digest for (digest,) in rows] == sorted(f"d{i}" for i in range(20))


async def test_versions_put_by_two_servers_leave_one_newest(url: str) -> None:
    async with writers(url, 2) as servers:
        for i in range(20):
            puts = [
                server.submit(
                    PutWorkflow(namespace=NAMESPACE, workflow_id="w", version=f"v{i}{n}", definition=b"{}", time=NOW)
                )
                for n, server in enumerate(servers)
            ]
            await outcomes(puts)
    async with await psycopg.AsyncConnection.connect(url) as db:
        rows = await (await db.execute("SELECT count(*) FROM execsvc.workflows WHERE newest")).fetchall()
    assert rows == [(1,)]
