"""A server that is gone loses what it ran to the others, and one that only seemed to be gone does no harm."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from importlib.resources import files

import pytest
from psycopg import conninfo
from psycopg.pq import PGconn

from execsvc.engine.journal import Journal
from execsvc.store import PostgresDatabase
from execsvc.store.postgres import jobs as jobs_module
from execsvc.store.postgres import session
from execsvc.store.postgres.jobs import Jobs
from tests.integration.cluster.conftest import Replicas, Sql
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain


async def server_that_holds(sql: Sql, execution_id: str) -> int:
    """Number of the server whose slot an execution has."""
    async with asyncio.timeout(20):
        while True:
            found = await sql(
                "SELECT worker_id FROM execsvc.procrastinate_jobs WHERE status = 'doing' "
                "AND worker_id IS NOT NULL AND args ->> 'execution_id' = %s",
                execution_id,
            )
            if found:
                return int(found[0][0])


class Muted:
    """Keeps servers from giving signs of life, by number, as a suspended process does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.numbers: set[int] = set()
        beat = Jobs.beat

        async def beat_unless_muted(jobs: Jobs, db: object, *, anew: bool) -> None:
            if jobs.worker not in self.numbers:
                await beat(jobs, db, anew=anew)  # type: ignore[arg-type]

        monkeypatch.setattr(Jobs, "beat", beat_unless_muted)


@pytest.fixture
def muted(monkeypatch: pytest.MonkeyPatch) -> Muted:
    """Servers that give no sign of life."""
    return Muted(monkeypatch)


@pytest.mark.usefixtures("quick")
async def test_a_runner_whose_execution_went_to_another_server_stops_at_once_and_says_so(
    replicas: Replicas, gates: Gates, sql: Sql, muted: Muted, caplog: pytest.LogCaptureFixture
) -> None:
    async with replicas() as a:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        gone = await server_that_holds(sql, "e")
        async with replicas() as b:
            muted.numbers.add(gone)
            # The other server enters the gate too, under the next epoch, while the first one is in it still.
            async with asyncio.timeout(20):
                while gates.entries["g"] < 2:
                    await b.status("e")
            async with asyncio.timeout(20):
                while not gates.cancelled["g"]:
                    await b.status("e")
            assert "gave no sign of life" in caplog.text
            assert "another server has the lease of execution e" in caplog.text
            gates.open("g", "h")
            assert (await b.wait("e")).state == "COMPLETED"
            assert gates.entries == {"g": 2, "h": 1}
            assert await sql("SELECT epoch FROM execsvc.executions") == [(2,)]
            muted.numbers.clear()
        assert [told for told in await story(a, "e") if told == "running"] == ["running"] * 2


@pytest.mark.usefixtures("quick")
async def test_the_write_of_a_runner_that_lost_its_lease_is_refused_though_nobody_told_it(
    replicas: Replicas,
    gates: Gates,
    sql: Sql,
    muted: Muted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Procrastinate does not fence: whoever was given up runs on. Nothing is told here, so only the epoch is in its way.
    monkeypatch.setattr(Jobs, "heard", lambda self, channel, payload: None)
    async with replicas() as a:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        gone = await server_that_holds(sql, "e")
        muted.numbers.add(gone)
        async with replicas() as b:
            async with asyncio.timeout(20):
                while gates.entries["g"] < 2:
                    await b.status("e")
            gates.open("g", "h")
            assert (await b.wait("e")).state == "COMPLETED"
            assert gates.entries["h"] == 1
            assert "a write under epoch 1 was refused" in caplog.text
            completed = [told for told in await story(b, "e") if told.endswith(":completed")]
            assert completed == ["g:completed", "h:completed", "out:completed"]
            muted.numbers.clear()


@pytest.mark.usefixtures("quick")
async def test_a_runner_that_was_suspended_after_a_commit_begins_nothing_that_another_server_has_run(
    replicas: Replicas,
    gates: Gates,
    sql: Sql,
    muted: Muted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Jobs, "heard", lambda self, channel, payload: None)
    committed, resumed = asyncio.Event(), asyncio.Event()
    commit = Journal.commit

    async def suspended_after_the_first(journal: Journal) -> None:
        await commit(journal)
        if not committed.is_set():
            committed.set()
            await resumed.wait()

    monkeypatch.setattr(Journal, "commit", suspended_after_the_first)
    gates.open("g", "h")
    async with replicas() as a:
        await a.execute(chain("g", "h"), execution_id="e")
        await committed.wait()
        muted.numbers.add(await server_that_holds(sql, "e"))
        async with replicas() as b:
            assert (await b.wait("e")).state == "COMPLETED"
            assert gates.entries == {"g": 1, "h": 1}
            resumed.set()
            async with asyncio.timeout(20):
                while "a write under epoch 1 was refused" not in caplog.text:
                    await b.status("e")
            assert gates.entries == {"g": 1, "h": 1}
            muted.numbers.clear()


@pytest.mark.usefixtures("beating")
async def test_a_server_that_was_given_up_goes_on_with_what_nobody_has_taken(
    replicas: Replicas, gates: Gates, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    async with replicas() as a:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        gone = await server_that_holds(sql, "e")
        await sql("DELETE FROM execsvc.procrastinate_workers WHERE id = %s", gone)
        assert await server_that_holds(sql, "e") != gone
        gates.open("g")
        assert (await a.wait("e")).state == "COMPLETED"
        assert gates.entries["g"] == 1
        assert await sql("SELECT epoch FROM execsvc.executions") == [(1,)]
        assert "had given this one up" in caplog.text


@pytest.mark.usefixtures("quick")
async def test_the_locks_of_a_server_that_was_suspended_while_it_sent_a_batch_keep_nobody_waiting(
    replicas: Replicas, gates: Gates, sql: Sql, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with replicas() as a:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        suspended = PGconn.connect(conninfo.make_conninfo(url, application_name="execsvc elsewhere/1").encode())
        # The half of a pipeline: Postgres has the update, and waits for what follows.
        suspended.enter_pipeline_mode()
        for statement in (b"BEGIN", b"UPDATE execsvc.executions SET priority = priority"):
            suspended.send_query_params(statement, None)
        while suspended.flush():
            pass
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'ClientRead' AND query ~ '^UPDATE'"
        async with asyncio.timeout(20):
            while not await sql(waiting):
                pass
        gates.open("g")
        assert (await a.wait("e", timeout=30)).state == "COMPLETED"
        assert "transactions were silent" in caplog.text
        suspended.finish()


@pytest.mark.usefixtures("quick")
async def test_what_a_dead_server_ran_is_rescued_and_what_it_had_paused_is_not_begun(
    replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    async with replicas(max_concurrent=1) as a:
        await a.execute(chain("g"), execution_id="blocks")
        await gates.entered("g")
        for name in ("fetched", "paused"):
            await a.execute(ECHO, execution_id=name)
        # As a server leaves them that dies after a fetch, or while a node of a paused execution is in flight.
        await sql(
            "WITH dead AS (INSERT INTO execsvc.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 h') "
            "RETURNING id) UPDATE execsvc.procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead "
            "WHERE status = 'todo'"
        )
        await sql("UPDATE execsvc.executions SET state = 'PAUSED' WHERE execution_id = 'paused'")
        gates.open("g")
        assert (await a.wait("fetched")).state == "COMPLETED"
        assert (await a.status("paused")).state == "PAUSED"
        assert await sql("SELECT * FROM execsvc.procrastinate_jobs") == []


async def test_rescued_executions_are_told_of_and_not_only_polled_for(
    replicas: Replicas, gates: Gates, sql: Sql, silent: None
) -> None:
    async with replicas(max_concurrent=1) as a:
        await a.execute(chain("g"), execution_id="blocks")
        await gates.entered("g")
        await a.execute(ECHO, execution_id="e")
        await sql("UPDATE execsvc.procrastinate_jobs SET status = 'doing', worker_id = NULL WHERE status = 'todo'")
        gates.open("g")
        await a.wait("blocks")
        assert (await a.status("e")).state == "PENDING"
        # What every server does once a second, and none does here.
        assert await sql("SELECT waiting FROM execsvc.rescue_jobs(5, false)") == [(1,)]
        assert (await a.wait("e")).state == "COMPLETED"


@pytest.mark.usefixtures("silent")
async def test_a_server_that_goes_down_hands_over_in_bounded_time_and_the_others_go_on(
    replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    # With Procrastinate's own worker it would wait without bound, or lose the job.
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        a = await first.enter_async_context(replicas(grace=0.05))
        await a.execute(chain("done", "g"), execution_id="e")
        gates.open("done")
        await gates.entered("g")
        b = await second.enter_async_context(replicas())
        await first.aclose()
        async with asyncio.timeout(20):
            while gates.entries["g"] < 2:
                await b.status("e")
        gates.open("g")
        assert (await b.wait("e")).state == "COMPLETED"
        assert gates.entries == {"done": 1, "g": 2}
        assert await sql("SELECT count(*) FROM execsvc.procrastinate_workers") == [(1,)]


@pytest.mark.usefixtures("quick")
async def test_executions_without_a_job_as_after_a_copy_get_one_and_run(
    replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    async with replicas(max_concurrent=1) as a:
        await a.execute(chain("g"), execution_id="blocks")
        await gates.entered("g")
        await a.execute(ECHO, execution_id="e")
        await sql("DELETE FROM execsvc.procrastinate_jobs WHERE status = 'todo'")
        gates.open("g")
        assert (await a.wait("e")).state == "COMPLETED"


@pytest.mark.usefixtures("beating")
async def test_jobs_that_a_fetch_took_and_whose_answer_was_lost_are_not_kept(
    replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    async with replicas(max_concurrent=1) as a:
        await a.execute(chain("g"), execution_id="blocks")
        await gates.entered("g")
        await a.execute(ECHO, execution_id="e")
        me = await server_that_holds(sql, "blocks")
        await sql("UPDATE execsvc.procrastinate_jobs SET status = 'doing', worker_id = %s WHERE status = 'todo'", me)
        gates.open("g")
        assert (await a.wait("e")).state == "COMPLETED"


@pytest.mark.usefixtures("beating")
async def test_forced_drops_of_the_listener_lose_and_repeat_nothing(
    replicas: Replicas, gates: Gates, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "REOPEN", 0.02)
    names = [f"n{number}" for number in range(6)]
    async with replicas() as a, replicas() as b:
        await a.execute(chain(*names), execution_id="e")
        seen = []
        async with asyncio.timeout(30), b.logs("e", follow=True) as log:
            async for entry in log:
                seen.append(entry.sequence)
                if entry.metadata.get("event") == "node_started" and entry.node_id in names:
                    listeners = "application_name LIKE 'execsvc %%' AND query ~ 'LISTEN|procrastinate_workers'"
                    await sql(
                        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        f"WHERE datname = current_database() AND pid IN (SELECT pid FROM pg_locks "
                        f"WHERE locktype = 'advisory' AND mode = 'ShareLock') OR ({listeners})"
                    )
                    gates.open(entry.node_id)
        assert seen == list(range(1, len(seen) + 1))
        assert (await b.wait("e")).state == "COMPLETED"
        assert len(seen) == len(await story(a, "e"))


@pytest.mark.usefixtures("beating")
async def test_what_no_notification_told_of_is_seen_with_the_next_sign_of_life(
    replicas: Replicas, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "heard", lambda self, channel, payload: None)
    async with replicas(max_concurrent=1) as a, replicas(max_concurrent=1) as b:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        await a.execute(chain("other"), execution_id="elsewhere")
        await gates.entered("other")
        await b.pause("e")
        gates.open("g")
        await gates.left("g")
        await b.resume("e")
        await gates.entered("h")
        await b.stop("e")
        async with asyncio.timeout(20):
            while not gates.cancelled["h"]:
                await a.status("e")
        gates.open("other")
        async with asyncio.timeout(20), b.logs("elsewhere", follow=True) as log:
            assert [entry.sequence async for entry in log] == [1, 2, 3, 4, 5, 6]


def test_the_schema_of_procrastinate_is_the_one_that_the_step_was_released_with() -> None:
    # Where it differs, a step of its own has to bring databases there.
    schema = files("procrastinate.sql").joinpath("schema.sql").read_bytes()
    assert hashlib.sha256(schema).hexdigest() == "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"


def test_rescue_takes_no_more_than_ten_seconds() -> None:
    # A sign of life just before the end, then a look just before it is due.
    assert jobs_module.GONE + 2 * session.HEARTBEAT < 10


async def test_the_listener_goes_past_a_proxy_and_everything_else_through_it(
    replicas: Replicas, gates: Gates, sql: Sql, url: str
) -> None:
    # A proxy that pools transactions would take the session away that notifications come over.
    direct = url + "?application_name=direct"
    proxied = url + "?application_name=proxied"
    async with replicas(postgres=PostgresDatabase(url=proxied, direct_url=direct, connections=4)) as a:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        found = await sql(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks "
            "WHERE locktype = 'advisory' AND mode = 'ShareLock')"
        )
        assert found == [("direct",)]
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        assert await sql(count, "direct") == [(1,)]
        assert (await sql(count, "proxied"))[0][0] >= 2
        gates.open("g")
        assert (await a.wait("e")).state == "COMPLETED"
