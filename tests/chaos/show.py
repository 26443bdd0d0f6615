"""Show three servers at work on one database, one of which is killed: ``make run-cluster``.

Prints who runs how many executions, which went to another server, and the log of one that did, and ends with 0 once
all have completed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from execsvc_client import AsyncExecutionClient
from tests.servers.postgres import PostgresServer
from tests.support.processes import ServerProcess
from tests.support.step_node import install, runs
from tests.support.workflows import node, output, workflow

SERVERS: Final = 3
EXECUTIONS: Final = 120
SLOTS: Final = 50
#: Seconds of each of four steps; and until one server is killed.
STEP: Final = 2.0
KILL_AFTER: Final = 3.0
DEFINITION: Final = workflow(
    "fetch > clean > index > report > done",
    **{name: node("step", seconds=STEP) for name in ("fetch", "clean", "index", "report")},
    done=output("nodes.report"),
)


class Show:
    """One database, its servers, and what they run."""

    def __init__(self, postgres: PostgresServer, url: str, servers: list[ServerProcess]) -> None:
        self._postgres = postgres
        self._database = url.rpartition("/")[2]
        self.servers = servers
        self._names = {server.process.pid: f"server {number}" for number, server in enumerate(servers, start=1)}
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:5.1f} s  {text}", flush=True)

    def owners(self) -> dict[str, str]:
        """Who runs what."""
        rows = self._postgres.execute(
            "SELECT execution_id, owner FROM execsvc.executions WHERE state = 'RUNNING'", self._database
        )
        return {name: self._names[int(owner.rpartition("/")[2])] for name, owner in rows}

    async def board(self, client: AsyncExecutionClient) -> int:
        """Print a line of who runs how many; answers how many have completed."""
        states = Counter([item.status.state async for item in client.list_executions(page_size=EXECUTIONS)])
        running = Counter(self.owners().values())
        shares = "   ".join(f"{name} {running[name]:3}" for name in self._names.values())
        self.say(f"{shares}   waiting {states['PENDING']:3}   completed {states['COMPLETED']:3}")
        return states["COMPLETED"]


async def show(show: Show) -> None:
    """Submit through all servers, kill the second, and watch through the first."""
    clients = [AsyncExecutionClient(server.address) for server in show.servers]
    try:
        for number in range(EXECUTIONS):
            await clients[number % SERVERS].execute(DEFINITION, execution_id=f"e{number}")
        show.say(f"{EXECUTIONS} executions submitted through {SERVERS} servers")
        until = time.monotonic() + KILL_AFTER
        while time.monotonic() < until:
            await show.board(clients[0])
            await asyncio.sleep(1)
        before = show.owners()
        victim = show.servers[1]
        show.say("kill -9 of server 2")
        victim.kill()
        moved: dict[str, str] = {}
        while await show.board(clients[0]) < EXECUTIONS:
            for name, owner in show.owners().items():
                if before.get(name) == "server 2" != owner and name not in moved:
                    moved[name] = owner
                    if len(moved) <= 5:
                        show.say(f"{name} has gone from server 2 to {owner}")
            await asyncio.sleep(1)
        lost = sum(owner == "server 2" for owner in before.values())
        show.say(f"server 2 ran {lost}; all {EXECUTIONS} have completed")
        if moved:
            name = next(iter(moved))
            print(f"\nthe log of {name}, through server 3:")
            async for entry in clients[2].list_logs(name):
                print(f"  {entry.sequence:3}  {entry.time:%H:%M:%S.%f}  {entry.message}")
    finally:
        for client in clients:
            await client.close()


def main() -> int:
    with tempfile.TemporaryDirectory() as directory, PostgresServer() as postgres:
        environment = install(Path(directory))
        url = postgres.migrated()
        options = ("--plugin", "step", "--max-concurrent", str(SLOTS), "--grace", "1")
        log = Path(directory) / "servers.log"
        servers = [ServerProcess(url, *options, log=log, environment=environment) for _ in range(SERVERS)]
        try:
            print(f"Postgres at {url}; servers at {', '.join(server.address for server in servers)}")
            asyncio.run(show(Show(postgres, url, servers)))
            again = sum(count - 1 for count in runs(Path(directory)).values())
            print(f"\n{again} steps that were cut off ran again; what was recorded did not")
        finally:
            for server in servers:
                if server.process.poll() is None:
                    server.terminate()
                    server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
