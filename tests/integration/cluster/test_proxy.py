"""Two servers behind PgBouncer that pools transactions, where it is installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from execsvc.store import PostgresDatabase
from tests.integration.cluster.conftest import Replicas, Sql
from tests.servers.postgres import UNPRIVILEGED
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.workflows import chain

PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
#: Its connections to the database: fewer than the servers have to it.
POOL = 3

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@pytest.fixture
def proxied(url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of the test's database by way of the proxy."""
    assert PGBOUNCER is not None
    target = urlsplit(url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "pgbouncer.ini"
    config.write_text(
        f"""
[databases]
* = host={target.hostname} port={target.port} user={target.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {POOL}
""",
        encoding="utf-8",
    )
    # It does not run as root.
    user = ["-u", UNPRIVILEGED] if os.geteuid() == 0 else []
    proxy = f"{target.scheme}://{target.username}@127.0.0.1:{port}{target.path}"
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([PGBOUNCER, *user, config], stdout=log, stderr=log)
    try:
        # The test's own timeout bounds the wait.
        while True:
            assert process.poll() is None, (tmp_path / "pgbouncer.log").read_text(encoding="utf-8")
            try:
                psycopg.connect(proxy, connect_timeout=5).close()
                break
            except psycopg.OperationalError:
                continue
        yield proxy
    finally:
        process.kill()
        process.wait()


async def test_servers_behind_a_proxy_that_pools_transactions_do_all_that_others_do(
    proxied: str, url: str, replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    replicas.settings = replace(
        replicas.settings, postgres=PostgresDatabase(url=proxied, direct_url=url, connections=6)
    )
    async with replicas(max_concurrent=5) as a, replicas(max_concurrent=5) as b:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        assert (await b.pause("e")).state == "PAUSED"
        gates.open("g", "h")
        await asyncio.gather(*((a, b)[n % 2].execute(chain("g", "h"), execution_id=f"e{n}") for n in range(60)))
        async with b.logs("e7", follow=True) as log:
            assert [entry.sequence async for entry in log] == list(range(1, len(await story(a, "e7")) + 1))
        await a.resume("e")
        ended = await asyncio.gather(b.wait("e"), *((b, a)[n % 2].wait(f"e{n}") for n in range(60)))
        assert {execution.state for execution in ended} == {"COMPLETED"}
        assert len([item async for item in a.list_executions()]) == 61
        mine = "datname = current_database() AND application_name LIKE 'execsvc %'"
        ((connections,),) = await sql(f"SELECT count(*) FROM pg_stat_activity WHERE {mine.replace('%', '%%')}")
        # Each listens past the proxy; the rest share what it has.
        assert connections <= POOL + 2
    assert await sql("SELECT * FROM execsvc.procrastinate_jobs") == []
