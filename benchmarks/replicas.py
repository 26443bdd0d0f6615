"""What servers on one Postgres do together, what an execution costs there, and how soon followers elsewhere see it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import grpc

from benchmarks.report import report
from benchmarks.server import folder, free_address, processor_of, run, server
from execsvc_client import AsyncExecutionClient
from tests.servers.postgres import PostgresServer
from tests.support.step_node import install
from tests.support.workflows import node, output, workflow

IN_FLIGHT = 64
EMBEDDED = "SQLite, 1 server"


@contextlib.contextmanager
def servers(url: str, count: int, environment: dict[str, str]) -> Iterator[list[tuple[str, subprocess.Popen[bytes]]]]:
    """Run servers that share a database; answers the address and process of each."""
    started: list[tuple[str, subprocess.Popen[bytes]]] = []
    try:
        for _ in range(count):
            address = free_address()
            command = [sys.executable, "-m", "execsvc", "serve", "--address", address, "--store", url, "--grace", "0"]
            command += ["--plugin", "step", "--max-concurrent", str(IN_FLIGHT), "--max-queued", "100000"]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **environment})
            started.append((address, process))
        for address, _ in started:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=120)
        yield started
    finally:
        for _, process in started:
            process.terminate()
        for _, process in started:
            process.wait(60)


class Costs:
    """What Postgres did since this was made."""

    def __init__(self, postgres: PostgresServer, database: str) -> None:
        self._postgres, self._database = postgres, database
        self._before = self._read()

    def _read(self) -> tuple[float, ...]:
        # Only those that write get a number.
        ((*figures,),) = self._postgres.execute(
            "SELECT pg_current_wal_lsn() - '0/0', xact_commit, pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
            "FROM pg_stat_database WHERE datname = current_database()",
            self._database,
        )
        return tuple(map(float, figures))

    def since(self) -> tuple[float, ...]:
        """Bytes of write-ahead log, transactions, and those of them that write."""
        # Servers tell of their transactions once a second at most.
        time.sleep(1.2)
        return tuple(now - before for now, before in zip(self._read(), self._before, strict=True))


def together(addresses: list[str], count: int) -> float:
    """Load every server at once; answers executions a second of all of them."""
    rates: list[float] = []
    threads = [
        threading.Thread(target=lambda to=address: rates.append(run("load", to, count, IN_FLIGHT)["per_second"]))
        for address in addresses
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


async def delays(owner: str, elsewhere: str, count: int) -> list[float]:
    """Milliseconds from an entry's time to its receipt by a follower of another server."""
    names = [f"s{number}" for number in range(count)]
    steps = {name: node("step", seconds=0.02) for name in names}
    definition = workflow(" > ".join([*names, "out"]), **steps, out=output("1"))
    found: list[float] = []
    async with AsyncExecutionClient(owner) as first, AsyncExecutionClient(elsewhere) as second:
        await first.execute(definition, execution_id=f"followed-{time.time_ns()}")
        async for execution in first.list_executions(filter="state = RUNNING"):
            async with second.logs(execution.execution_id, follow=True) as log:
                async for entry in log:
                    found.append((time.time() - entry.time.timestamp()) * 1000)
    # What was there before it followed is not news.
    return sorted(found[10:])


def main(full: bool) -> None:
    """Measure a server on SQLite, then one, two and (in full) four on Postgres."""
    count, counts = (3_000, (1, 2, 4)) if full else (600, (1, 2))
    rows: list[tuple[str, ...]] = []
    figures: dict[str, dict[str, float]] = {}
    with server(max_concurrent=IN_FLIGHT) as served:
        run("load", served.address, IN_FLIGHT * 4, IN_FLIGHT)
        before = served.cpu()
        rate = run("load", served.address, count, IN_FLIGHT)["per_second"]
        used = (served.cpu() - before) / count * 1000
    figures[EMBEDDED] = {"per_second": rate, "processor_ms": used}
    rows.append((EMBEDDED, f"{rate:,.0f}", f"{used:.2f}", "", "", "", ""))
    with PostgresServer(fsync=True) as postgres, contextlib.ExitStack() as stack:
        environment = install(stack.enter_context(folder()))
        for number in counts:
            url = postgres.database()
            database = url.rpartition("/")[2]
            with servers(url, number, environment) as running:
                addresses = [address for address, _ in running]
                together(addresses, IN_FLIGHT * 2)
                spent = sum(processor_of(process.pid) for _, process in running)
                database_spent = postgres.processor()
                costs = Costs(postgres, database)
                rate = together(addresses, count)
                total = count * number
                used = (sum(processor_of(process.pid) for _, process in running) - spent) / total * 1000
                theirs = (postgres.processor() - database_spent) / total * 1000
                wal, commits, writes = costs.since()
                late = asyncio.run(delays(addresses[0], addresses[-1], 200))
            p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
            name = f"Postgres, {number} server{'s' if number > 1 else ''}"
            figures[name] = {
                "per_second": rate,
                "processor_ms": used,
                "postgres_processor_ms": theirs,
                "wal_bytes": wal / total,
                "transactions": commits / total,
                "writing_transactions": writes / total,
                "follower_p50_ms": p50,
                "follower_p99_ms": p99,
            }
            rows.append(
                (
                    name,
                    f"{rate:,.0f}",
                    f"{used:.2f}",
                    f"{theirs:.2f}",
                    f"{wal / total:,.0f}",
                    f"{commits / total:.2f}, {writes / total:.2f}",
                    f"{p50:.1f}, {p99:.1f}",
                )
            )
    columns = (
        "what",
        "executions/s",
        "server ms each",
        "Postgres ms each",
        "WAL bytes each",
        "transactions each, those that write",
        "follower ms: p50, p99",
    )
    report(
        "replicas",
        "Completed executions of 5 nodes, one an echo llm; a follower of the last server",
        columns,
        rows,
        figures,
        full=full,
    )
