"""What a namespace's limit holds back is not looked at by whoever takes work, and earlier schemas gain that line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from execsvc.store import PostgresDatabase
from execsvc.store.postgres import PostgresStore, migrations
from execsvc.store.postgres.connections import Connections
from execsvc.store.postgres.store import prepare
from tests.servers.postgres import shared_server
from tests.support.changes import create

Db = psycopg.Connection[Any]

#: Jobs of the namespace that is at its limit, more urgent than all others.
COUNT = 20_000
_FILL = f"""
INSERT INTO execsvc.procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, status)
SELECT 'execsvc', 'execution', p.priority, p.namespace || i, jsonb_build_object(
    'namespace', p.namespace, 'execution_id', 'e' || i, 'key', p.key, 'created', i, 'since', i), 'todo'
FROM (VALUES ('full', '', 9, {COUNT}), ('busy', 'k', 5, 500), ('busy', '', 0, 20), ('free', '', 0, 20))
         AS p (namespace, key, priority, count), generate_series(1, p.count) AS i
ON CONFLICT DO NOTHING;
ANALYZE execsvc.procrastinate_jobs;
"""


@pytest.fixture(scope="module")
def db() -> Iterator[Db]:
    """A connection to a database in which much waits."""
    url = shared_server().migrated()
    with psycopg.connect(url, autocommit=True) as db:
        # Of one namespace with and without a key the locks would be the same.
        db.execute(_FILL.replace("p.namespace || i,", "p.namespace || p.key || '-' || i,", 1).encode())
        yield db
    shared_server().drop(url)


def taken(
    db: Db, most: int, *, key_limit: int | None = None, namespaces: str | None = '{"full": 1}'
) -> tuple[list[str], int]:
    """Take work, all of it undone afterwards; the namespaces it is of, and how many rows were read for it."""
    read = "SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0) FROM pg_stat_xact_user_tables"
    with db.transaction(force_rollback=True):
        ((worker,),) = db.execute("SELECT worker_id FROM execsvc.procrastinate_register_worker_v1()").fetchall()
        db.execute(
            b"UPDATE execsvc.procrastinate_jobs SET status = 'doing', worker_id = %s WHERE queueing_lock = 'full-1'",
            (worker,),
        )
        ((before,),) = db.execute(read.encode()).fetchall()
        found = db.execute(
            b"SELECT args ->> 'namespace' FROM execsvc.take_jobs(%s, %s, %s, '{}', NULL, %s)",
            (worker, most, key_limit, namespaces),
        ).fetchall()
        ((after,),) = db.execute(read.encode()).fetchall()
    return [namespace for (namespace,) in found], int(after - before)


def test_what_a_namespace_at_its_limit_holds_back_is_not_read(db: Db) -> None:
    found, read = taken(db, 8)
    assert found == ["busy"] * 8
    assert read < 200


def test_one_more_slot_lets_one_more_of_it_through_before_what_is_less_urgent(db: Db) -> None:
    found, read = taken(db, 3, namespaces='{"full": 2}')
    assert found == ["full", "busy", "busy"]
    assert read < 200


def test_what_a_key_holds_back_hides_no_other_of_its_namespace(db: Db) -> None:
    found, _ = taken(db, 8, key_limit=1, namespaces='{"full": 1, "busy": 4}')
    # Of the same priority they come by age, so by turns.
    assert (found[0], found.count("busy"), found.count("free")) == ("busy", 4, 4)
    found, _ = taken(db, 8, key_limit=1, namespaces='{"full": 1, "free": 2}')
    assert (found.count("busy"), found.count("free")) == (6, 2)
    found, _ = taken(db, 8, key_limit=1, namespaces=None)
    assert found == ["full"] * 8


async def test_a_database_of_an_earlier_schema_gains_the_line_the_trail_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = shared_server().database()
    earlier = dict(list(migrations.STEPS.items())[:3])
    try:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "STEPS", earlier)
            assert list(await prepare(Connections(PostgresDatabase(url=url)))) == list(earlier)
        with ThreadPoolExecutor(1) as thread:
            # Before the trail was there, what is stored was stored without it.
            await asyncio.get_running_loop().run_in_executor(thread, _insert, url)
        store = await PostgresStore.open(PostgresDatabase(url=url))
        assert (await store.status("default", "old")).execution_id == "old"
        await store.create(create("new"))
        assert store.members is not None
        assert await store.members.count() == 2
        await store.close()
    finally:
        shared_server().drop(url)


def _insert(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            b"INSERT INTO execsvc.executions SELECT 1, 1, 'default', 'old', 'u', 'w', 'PENDING', '', '', '[]', 0, 1, 0,"
            b" 0, '', 0, 1, NULL, NULL, 'r', 'd', '{}', NULL, 0, NULL, '', NULL, NULL"
        )
        db.execute(b"SELECT execsvc.defer_jobs(ARRAY[1::bigint])")
