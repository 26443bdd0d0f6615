"""A SQLite database is copied to Postgres whole, and a server goes on there; or the target stays as it was."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest

from execsvc.errors import DatabaseLocked, StorageUnavailable
from execsvc.model import AuditFilter
from execsvc.store import PostgresDatabase, SqliteStore
from execsvc.store.postgres import NotMoved, PostgresStore, move, opened_trail
from execsvc_client import AsyncExecutionClient, Unauthenticated, to_definition, v1
from tests.integration.conftest import StartServer
from tests.servers.postgres import shared_server
from tests.support.changes import create, entries
from tests.support.logs import entries as log_of
from tests.support.nodes import Gates
from tests.support.old_entries import write_as_before
from tests.support.workflows import ECHO, chain, node, output, workflow


async def seen(client: AsyncExecutionClient) -> list[Any]:
    """All that clients can see of what has ended."""
    found: list[Any] = []
    async for listed in client.list_executions():
        execution = await client.get(listed.execution_id)
        if execution.state in ("COMPLETED", "FAILED", "STOPPED"):
            found.append((listed, execution, await log_of(client, listed.execution_id)))
    return found


@pytest.fixture
async def before(start_server: StartServer, gates: Gates) -> list[Any]:
    """What a server on SQLite has left: two versions of a workflow, executions that ended, two that go on."""
    async with start_server(grace=0.01) as client:
        async with grpc.aio.insecure_channel(start_server.address) as channel:
            workflows = v1.WorkflowServiceStub(channel)
            for definition in (ECHO, chain("a")):
                await workflows.CreateWorkflow(
                    v1.CreateWorkflowRequest(workflow_id="w", definition=to_definition(definition))
                )
        for i in range(3):
            await client.execute(ECHO, {"n": i, "text": "ü\0✓"}, execution_id=f"done{i}", labels={"team": "x\0y" * i})
            await client.wait(f"done{i}")
        broken = workflow("bad > out", bad=node("transform", expression="input.missing"), out=output())
        await client.execute(broken, execution_id="failed")
        await client.wait("failed")
        await client.execute(chain("stopped"), execution_id="stopped", concurrency_key="k", priority=5)
        await client.stop("stopped", reason="enough", request_id="r")
        for name in ("running", "paused"):
            await client.execute(chain("first", name), execution_id=name)
        gates.open("first")
        for name in ("running", "paused"):
            await gates.entered(name)
        await client.pause("paused")
        found = await seen(client)
    return found


async def test_all_is_there_afterwards_and_what_had_not_ended_goes_on(
    start_server: StartServer, before: list[Any], gates: Gates, url: str
) -> None:
    reports: list[tuple[int, int]] = []
    target = PostgresDatabase(url=url)
    moved = await move(start_server.settings.database, target, lambda done, of: reports.append((done, of)))
    assert (moved.rows["executions"], moved.rows["workflows"], moved.unfinished) == (7, 2, 1)
    assert reports[-1] == (2 * sum(moved.rows.values()),) * 2
    async with start_server(postgres=target) as client:
        assert await seen(client) == before
        assert [found.execution_id async for found in client.list_executions(filter='labels.team = ""')] == ["done0"]
        await client.execute(workflow_id="w", execution_id="stored", input={})
        gates.open("a", "running", "paused")
        assert (await client.wait("stored")).state == "COMPLETED"
        await client.resume("paused")
        for name in ("running", "paused"):
            assert (await client.wait(name)).state == "COMPLETED"
        await client.execute(ECHO, {"n": 1}, execution_id="new")
        assert (await client.wait("new")).output == {"n": 1}
    assert gates.entries["first"] == 2


async def test_logs_that_earlier_versions_have_written_are_moved_too(
    start_server: StartServer, before: list[Any], url: str
) -> None:
    with closing(sqlite3.connect(start_server.settings.database)) as db, db:
        assert write_as_before(db, "sequence % 2") > 10
    target = PostgresDatabase(url=url)
    await move(start_server.settings.database, target)
    async with start_server(postgres=target) as client:
        assert await seen(client) == before


async def test_a_target_that_holds_data_is_refused(start_server: StartServer, before: list[Any], url: str) -> None:
    target = PostgresDatabase(url=url)
    await move(start_server.settings.database, target)
    with pytest.raises(NotMoved, match="holds data already") as refused:
        await move(start_server.settings.database, target)
    assert refused.value.reason == "TARGET_NOT_EMPTY"


async def test_databases_in_use_are_refused(start_server: StartServer, before: list[Any], url: str) -> None:
    target = PostgresDatabase(url=url)
    async with start_server():
        with pytest.raises(DatabaseLocked, match=r"execsvc\.db"):
            await move(start_server.settings.database, target)
    store = await PostgresStore.open(target)
    with pytest.raises(DatabaseLocked, match="postgresql://"):
        await move(start_server.settings.database, target)
    await store.close()
    assert await move(start_server.settings.database, target)


async def test_a_source_that_is_not_there_is_not_made(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageUnavailable, match="no such file"):
        await move(tmp_path / "none.db", PostgresDatabase(url=url))
    assert os.listdir(tmp_path) == []


@pytest.fixture
def own_url() -> Any:
    """A database whose schema the test may change."""
    url = shared_server().migrated()
    yield url
    shared_server().drop(url)


@pytest.mark.parametrize(
    ("spoils", "error", "told"),
    [
        ("RAISE EXCEPTION 'no more'", StorageUnavailable, "no more"),
        ("NEW.message = 'forged'; RETURN NEW", NotMoved, "log_entries .* is not what was copied"),
        ("RETURN NULL", NotMoved, "log_entries .* is not what was copied"),
    ],
    ids=["fails", "changes", "loses"],
)
async def test_a_copy_that_goes_wrong_leaves_nothing_and_can_be_tried_again(
    tmp_path: Path, own_url: str, spoils: str, error: type[Exception], told: str
) -> None:
    source = tmp_path / "source.db"
    store = await SqliteStore.open(source)
    for i in range(50):
        await store.create(create(f"e{i}", log=entries(*"abc")))
    await store.close()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    target = PostgresDatabase(url=own_url)
    async with await psycopg.AsyncConnection.connect(own_url, autocommit=True) as db:
        await db.execute(
            f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {spoils}; END $$".encode()
        )
        await db.execute(
            b"CREATE TRIGGER spoil BEFORE INSERT ON execsvc.log_entries FOR EACH ROW "
            b"WHEN (NEW.execution = 40 AND NEW.sequence = 2) EXECUTE FUNCTION spoil()"
        )
        with pytest.raises(error, match=told):
            await move(source, target)
        for table in ("definitions", "executions", "log_entries"):
            assert not await (await db.execute(f"SELECT 1 FROM execsvc.{table} LIMIT 1".encode())).fetchall()
        await db.execute(b"DROP TRIGGER spoil ON execsvc.log_entries")
    assert (await move(source, target)).rows["log_entries"] == 150
    assert hashlib.sha256(source.read_bytes()).hexdigest() == digest


async def test_api_tokens_are_copied_and_no_table_is_forgotten(
    start_server: StartServer, before: list[Any], url: str
) -> None:
    token = await start_server.token(name="ci")
    revoked = await start_server.token()
    await start_server.revoke(revoked)
    target = PostgresDatabase(url=url)
    moved = await move(start_server.settings.database, target)

    with closing(sqlite3.connect(start_server.settings.database)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(moved.rows) == tables - {"_sqlite_migrations"}
    async with (
        start_server(postgres=target, auth="token", token=token) as client,
        AsyncExecutionClient(start_server.address, token=revoked) as other,
    ):
        assert (await client.status("done0")).state == "COMPLETED"
        with pytest.raises(Unauthenticated):
            await other.status("done0")
        # The audit trail goes on where it was.
        await client.execute(ECHO, {"n": 1}, execution_id="after")
    async with opened_trail(target) as (trail, _):
        found = await trail.page(AuditFilter(), after=None, limit=100)
    assert [one.action for one in sorted(found, key=lambda one: one.number)] == [
        "create_token", "create_token", "revoke_token", "execute",
    ]  # fmt: skip
