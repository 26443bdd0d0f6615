"""Kill or suspend servers that share a database, or restart it, again and again: ``python -m tests.chaos.cluster``.

At least 300 executions are in flight at each fault. Exits with 1 if anything was found that must not be.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from execsvc_client import to_definition, v1
from tests.servers.postgres import IMMEDIATE, PostgresServer
from tests.support.processes import ServerProcess
from tests.support.statuses import read
from tests.support.step_node import install, runs
from tests.support.workflows import node, output, workflow

SERVERS: Final = 3
#: Executions kept under way, and those that a fault waits for.
STANDING: Final = 340
IN_FLIGHT: Final = 300
#: Slots of each server: two could just about run all of it.
SLOTS: Final = 160
SUBMITTERS: Final = 24
#: Seconds of each step, of three in a row.
STEP: Final = 1.5
#: Seconds that a suspended server is suspended.
SUSPENDED: Final = 8.0
#: Seconds within which others must have taken over.
RESCUED: Final = 10.0
#: Seconds after which what has not completed will not any more.
PATIENCE: Final = 120.0
#: Seconds between two questions to the database.
ASK: Final = 0.1
DEFINITION: Final = to_definition(
    workflow("a > b > c > out", **{name: node("step", seconds=STEP) for name in "abc"}, out=output("nodes.c"))
)
#: Writes down who writes of a node, by its connection, under which epoch.
AUDIT: Final = """
CREATE TABLE public.audit (uid text, epoch bigint, writer text, PRIMARY KEY (uid, epoch, writer));
CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit SELECT e.uid, e.epoch, current_setting('application_name')
    FROM execsvc.executions AS e WHERE e.pk = NEW.execution ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON execsvc.node_runs FOR EACH ROW EXECUTE FUNCTION public.audit();
"""


class ClusterChaos:
    """One run.

    Args:
        standing: executions kept under way.
        in_flight: those of them that a fault waits for.
    """

    def __init__(
        self, directory: Path, seed: int, *, standing: int = STANDING, in_flight: int = IN_FLIGHT, say: Any = print
    ) -> None:
        self._directory = directory
        self._standing, self._in_flight = standing, in_flight
        self._rng = random.Random(seed)
        self._say = say
        self._environment = install(directory)
        self._postgres = PostgresServer()
        self._servers: list[ServerProcess] = []
        self._acknowledged: set[str] = set()
        self._numbers = itertools.count(1)
        self._completed = 0
        #: Set while fewer are under way than are to be.
        self._room = asyncio.Event()
        self._room.set()
        #: How often a node had run by the time it was first found recorded after a fault.
        self._recorded: dict[str, int] = {}
        self._codes: set[str] = set()
        #: Refusals that do not say when to come again.
        self._without_delay: set[str] = set()
        self.problems: list[str] = []
        self.figures: dict[str, Any] = {"kills": 0, "suspensions": 0, "restarts": 0, "rescues": [], "in_flight": []}
        #: Calls that servers refused, and told when to come again.
        self.figures["refused"] = 0

    async def run(self, faults: list[str]) -> None:
        """Let the faults come one after the other, then see that everything completes."""
        self._url = self._postgres.migrated()
        self._database = self._url.rpartition("/")[2]
        self._postgres.execute(AUDIT, self._database)
        begin: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self._kill,
            "suspend": self._suspend,
            "restart": self._restart,
        }
        try:
            self._servers = [await asyncio.to_thread(self._start) for _ in range(SERVERS)]
            async with self._meanwhile(*(self._submit() for _ in range(SUBMITTERS))):
                for number, fault in enumerate(faults, start=1):
                    await self._until_in_flight()
                    await begin[fault]()
                    self._note_recorded()
                    told = {"round": number, "fault": fault, "rescue": self.figures["rescues"][-1:]}
                    self._say(json.dumps(told | {"acknowledged": len(self._acknowledged)}), flush=True)
            await self._all_complete()
            self._look()
        finally:
            for server in self._servers:
                if server.process.poll() is None:
                    server.process.send_signal(signal.SIGCONT)
                    server.kill()
            self._postgres.close()

    def _start(self) -> ServerProcess:
        options = ("--plugin", "step", "--max-concurrent", str(SLOTS), "--max-queued", "100000", "--grace", "1")
        log = self._directory / "servers.log"
        return ServerProcess(self._url, *options, log=log, environment=self._environment)

    # Load

    @asynccontextmanager
    async def _meanwhile(self, *works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(work) for work in works]
            yield
            for client in clients:
                client.cancel()

    async def _submit(self) -> None:
        while True:
            await self._room.wait()
            await self._execute(f"e{next(self._numbers)}")

    def _count_room(self) -> None:
        if len(self._acknowledged) - self._completed < self._standing:
            self._room.set()
        else:
            self._room.clear()

    async def _execute(self, name: str) -> None:
        """Ask servers in turn until one acknowledges; the same id is the same execution."""
        while True:
            address = self._rng.choice(self._servers).address
            try:
                async with grpc.aio.insecure_channel(address) as channel:
                    request = v1.ExecuteRequest(execution_id=name, definition=DEFINITION)
                    await v1.ExecutionServiceStub(channel).Execute(request, timeout=3)
            except grpc.aio.AioRpcError as error:
                self._note_refusal(error)
                # The next server may be the one that was killed, which nobody tells: no spinning on it.
                await asyncio.sleep(0.1)
                continue
            self._acknowledged.add(name)
            self._count_room()
            return

    async def _ask(self, address: str, method: str, request: Any) -> None:
        """Make a call that changes nothing to a server again and again."""
        async with grpc.aio.insecure_channel(address) as channel:
            call = getattr(v1.ExecutionServiceStub(channel), method)
            while True:
                try:
                    await call(request, timeout=PATIENCE)
                except grpc.aio.AioRpcError as error:
                    self._note_refusal(error, by_server=True)
                await asyncio.sleep(ASK)

    def _note_refusal(self, error: grpc.aio.AioRpcError, *, by_server: bool = False) -> None:
        """Keep what a client was told; a server that cannot serve now has to say when to come again.

        Args:
            by_server: all servers live, so that it must be one of them that refuses.
        """
        self._codes.add(error.code().name)
        # Without them it comes from the channel: the server was killed.
        has_details = "grpc-status-details-bin" in dict(error.trailing_metadata() or ())
        if not has_details and not by_server:
            return
        delay = read(error).by_kind.get("RetryInfo") if has_details else None
        if delay is not None and delay.retry_delay.ToMilliseconds() > 0:
            self.figures["refused"] += 1
        else:
            self._without_delay.add(f"{error.code().name}: {error.details()}")

    async def _until_in_flight(self) -> None:
        in_flight = 0

        def enough() -> bool:
            nonlocal in_flight
            in_flight = self._count("state = 'RUNNING'")
            self._completed = self._count("state = 'COMPLETED'")
            self._count_room()
            return in_flight >= self._in_flight

        if not await self._until(enough, PATIENCE):
            raise AssertionError(f"only {in_flight} executions run at once")
        self.figures["in_flight"].append(in_flight)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Ask the database until a condition holds; answers False where it does not within so long.

        What changes it are other processes. Nobody can be told by them: they die and stand still, and what they tell
        each other is under test here.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(ASK)
        return True

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._postgres.execute(statement, self._database)

    def _count(self, condition: str) -> int:
        return int(self._rows(f"SELECT count(*) FROM execsvc.executions WHERE {condition}")[0][0])

    # Faults

    async def _kill(self) -> None:
        victim = self._rng.randrange(SERVERS)
        held = self._held_by(self._servers[victim])
        self._servers[victim].kill()
        self.figures["kills"] += 1
        await self._until_rescued(held)
        self._servers[victim] = await asyncio.to_thread(self._start)

    async def _suspend(self) -> None:
        victim = self._rng.choice(self._servers)
        held = self._held_by(victim)
        victim.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        self.figures["suspensions"] += 1
        await self._until_rescued(held)
        await asyncio.sleep(max(0.0, SUSPENDED - (time.monotonic() - started)))
        victim.process.send_signal(signal.SIGCONT)

    async def _restart(self) -> None:
        before = self.figures["refused"]
        name = next(iter(self._acknowledged))
        # One reads and one writes; the execution is known, so that nothing comes of it.
        calls = {
            "GetStatus": v1.GetStatusRequest(execution_id=name),
            "Execute": v1.ExecuteRequest(execution_id=name, definition=DEFINITION),
        }
        asking = itertools.product(self._servers, calls.items())
        async with self._meanwhile(*(self._ask(server.address, *call) for server, call in asking)):
            await asyncio.to_thread(self._postgres.shut, IMMEDIATE)
            await asyncio.sleep(self._rng.uniform(0, 2))
            await asyncio.to_thread(self._postgres.start)
        self.figures["restarts"] += 1
        if self.figures["refused"] == before:
            self.problems.append("nobody was refused while Postgres was away")

    def _held_by(self, server: ServerProcess) -> dict[str, int]:
        """The executions a server runs, each with its epoch."""
        mine = f"state = 'RUNNING' AND owner LIKE '%/{server.process.pid}'"
        return dict(self._rows(f"SELECT execution_id, epoch FROM execsvc.executions WHERE {mine}"))

    async def _until_rescued(self, held: dict[str, int]) -> None:
        """Wait until everything a server ran has ended or has gone to another, by which its epoch has grown."""
        started = time.monotonic()
        left: list[str] = []

        def rescued() -> bool:
            running = dict(self._rows("SELECT execution_id, epoch FROM execsvc.executions WHERE state = 'RUNNING'"))
            left[:] = [name for name, epoch in held.items() if running.get(name) == epoch]
            return not left

        await self._until(rescued, 3 * RESCUED)
        took = time.monotonic() - started
        self.figures["rescues"].append(round(took, 1))
        if took > RESCUED:
            told = f"{len(left)} of {len(held)} executions waited {took:.1f} s for a rescue"
            self.problems.append(f"{told}: {self._facts(left[:3])}" if left else told)

    # What must hold

    def _note_recorded(self) -> None:
        done = self._rows(
            "SELECT e.execution_id || '/' || n.node_id FROM execsvc.node_runs AS n "
            "JOIN execsvc.executions AS e ON e.pk = n.execution WHERE n.state = 'COMPLETED' AND n.node_id <> 'out'"
        )
        times = runs(self._directory)
        for (name,) in done:
            self._recorded.setdefault(name, times[name])

    async def _all_complete(self) -> None:
        left: set[str] = set()

        def ended() -> bool:
            done = {name for (name,) in self._rows("SELECT execution_id FROM execsvc.executions WHERE end_time > 0")}
            left.clear()
            left.update(self._acknowledged - done)
            return not left

        if not await self._until(ended, PATIENCE):
            self.problems.append(f"{len(left)} acknowledged executions did not end: {self._facts(sorted(left)[:3])}")
        failed = self._rows("SELECT execution_id, state, message FROM execsvc.executions WHERE state <> 'COMPLETED'")
        self.problems += [
            f"{name} is {state}: {message}" for name, state, message in failed if name in self._acknowledged
        ][:5]

    def _facts(self, names: list[str]) -> list[tuple[Any, ...]]:
        """What the database holds of executions, their jobs and the servers, for whoever has to find out why."""
        wanted = ", ".join(f"'{name}'" for name in names)
        servers = self._rows("SELECT id, now() - last_heartbeat FROM execsvc.procrastinate_workers")
        found = self._rows(
            "SELECT e.execution_id, e.state, e.epoch, e.owner, e.last_sequence, e.running_nodes, j.id, j.status::text, "
            "j.worker_id, j.attempts FROM execsvc.executions AS e "
            f"LEFT JOIN execsvc.procrastinate_jobs AS j ON j.queueing_lock = e.uid WHERE e.execution_id IN ({wanted})"
        )
        return [*found, *servers, *((server.process.pid,) for server in self._servers)]

    def _look(self) -> None:
        times = runs(self._directory)
        self.problems += [
            f"{name} was recorded after {known} runs, and ran {times[name]} times"
            for name, known in self._recorded.items()
            if times[name] != known
        ][:5]
        gaps = self._rows(
            "SELECT e.execution_id FROM execsvc.executions AS e JOIN execsvc.log_entries AS l ON l.execution = e.pk "
            "GROUP BY e.pk HAVING count(*) <> e.last_sequence OR max(l.sequence) <> e.last_sequence "
            "OR min(l.sequence) <> 1"
        )
        self.problems += [f"the log of {name} has a gap" for (name,) in gaps][:5]
        two = self._rows("SELECT uid, epoch FROM public.audit GROUP BY uid, epoch HAVING count(*) > 1")
        self.problems += [f"two servers wrote of {uid} under epoch {epoch}" for uid, epoch in two][:5]
        wrong = self._codes - {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
        self.problems += [f"clients were told {code}" for code in sorted(wrong)]
        self.problems += [f"clients were not told when to come again: {told}" for told in sorted(self._without_delay)]
        left = self._rows("SELECT count(*) FROM execsvc.procrastinate_jobs")[0][0]
        if left and not self._count("state <> 'COMPLETED'"):
            self.problems.append(f"{left} jobs are left of executions that have ended")
        self.figures |= {
            "acknowledged": len(self._acknowledged),
            "run_again": sum(times.values()) - len(times),
            "taken_over": self._count("epoch > 1"),
            "in_flight": min(self.figures["in_flight"], default=0),
            "codes": sorted(self._codes),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="kills; a suspension comes after every fifth")
    parser.add_argument("--restarts", type=int, default=0, help="restarts of the database, among the kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    rng = random.Random(given.seed)
    faults = [fault for number in range(1, given.rounds + 1) for fault in ["kill"] + ["suspend"] * (number % 5 == 0)]
    for _ in range(given.restarts):
        faults.insert(rng.randrange(len(faults) + 1), "restart")
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        chaos = ClusterChaos(Path(directory), given.seed)
        asyncio.run(chaos.run(faults))
        print(json.dumps(chaos.figures), flush=True)
        for problem in chaos.problems:
            print(problem, file=sys.stderr)
        return 1 if chaos.problems else 0


if __name__ == "__main__":
    sys.exit(main())
