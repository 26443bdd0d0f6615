"""Kill a server at random moments, again and again, and look at what it leaves: ``python -m tests.chaos.rounds``.

Every round starts ``execsvc serve`` on the same database, keeps at least 200 executions in flight, and ends with
``kill -9``; every tenth server has few slots and is not killed before everything has ended, which it could not if a
slot leaked. Exits with 1 if anything was found that must not be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from execsvc_client import AsyncExecutionClient
from tests.chaos.evidence import Evidence, unfinished
from tests.chaos.load import Ledger, Load, mixed_workflows
from tests.servers import ChatServer
from tests.support.processes import ServerProcess

#: Executions that a kill waits for, so that 200 are still in flight when it comes, and those a round begins with.
STANDING: Final = 260
SUPPLY: Final = 330
#: Seconds that the model takes for each answer.
DELAY: Final = 0.2
#: Slots of a server that is killed, and of one that has to empty its queue.
SLOTS: Final = (256, 256, 64, 24)
FEW_SLOTS: Final = 12
#: Calls of the model after which a kill comes, at most.
CALLS: Final = 300
DRAIN_EVERY: Final = 10


@dataclass(slots=True)
class Report:
    """Figures of a run."""

    kills: int = 0
    drains: int = 0
    #: Executions in flight at each kill.
    in_flight: list[int] = field(default_factory=list)
    recovered: int = 0
    seconds: float = 0.0


class Chaos:
    """One run."""

    def __init__(self, directory: Path, seed: int, *, say: Any = print) -> None:
        self._database = directory / "execsvc.db"
        self._events = directory / "requests.jsonl"
        self._rng = random.Random(seed)
        self._say = say
        self._offset = 0
        self.asked: Counter[str] = Counter()
        self.ledger = Ledger()
        self.evidence = Evidence(self._database, self.ledger)
        self.report = Report()

    @property
    def problems(self) -> list[str]:
        """What was found that must not be."""
        return self.evidence.problems + self.ledger.wrong

    async def run(self, rounds: int) -> None:
        """Kill so many servers, then let one with few slots end what is left."""
        started = time.monotonic()
        with ChatServer(self._events, delay=DELAY) as chat:
            self._chat = chat
            definitions = mixed_workflows(chat.base_url)
            for number in range(1, rounds + 1):
                await self._kill_one(definitions)
                last = number == rounds
                if last or number % DRAIN_EVERY == 0:
                    await self._drain(definitions)
                    self.evidence.collect(self._count(), whole=last)
                self.report.seconds = time.monotonic() - started
                self._say(json.dumps({"round": number, **self.figures(), "found": self.problems[:5]}), flush=True)
                if self.problems:
                    return

    async def _kill_one(self, definitions: dict[str, Any]) -> None:
        rng, report = self._rng, self.report
        with ServerProcess(self._database, "--max-concurrent", str(rng.choice(SLOTS))) as server:
            report.recovered += server.recovered
            load = Load(server.address, definitions, self.ledger, rng)
            running = asyncio.create_task(load.run())
            # Nearly every kill comes at a moment of its own; a few come while the server is still starting its work.
            wanted = sum(self._count().values()) + rng.randrange(CALLS)
            while (standing := len(list(unfinished(self._database)))) < STANDING or sum(
                self._count().values()
            ) < wanted:
                if running.done():
                    await running
                load.order(SUPPLY - standing)
                await asyncio.sleep(rng.uniform(0, 0.02))
            server.kill()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.ledger.busy.clear()
        report.kills += 1
        await asyncio.to_thread(self._heard)
        self.evidence.collect(self._count())
        report.in_flight.append(self.evidence.in_flight)

    async def _drain(self, definitions: dict[str, Any]) -> None:
        """Control what there is as wildly as before, then let a server with few slots end all of it."""
        with ServerProcess(self._database, "--max-concurrent", str(FEW_SLOTS)) as server:
            running = asyncio.create_task(Load(server.address, definitions, self.ledger, self._rng).run())
            enough = sum(self._count().values()) + 100
            while sum(self._count().values()) < enough and list(unfinished(self._database)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            # What was under way when the clients left may have taken effect.
            for execution_id in self.ledger.busy:
                self.ledger.settled.pop(execution_id, None)
            self.ledger.busy.clear()
            async with AsyncExecutionClient(server.address) as client:
                while left := list(unfinished(self._database)):
                    for execution_id, state in left:
                        if state == "PAUSED":
                            await client.resume(execution_id)
                            self.ledger.settled.pop(execution_id, None)
                    await asyncio.gather(*(client.wait(execution_id) for execution_id, _ in left[:50]))
            server.terminate()
            code = await asyncio.to_thread(server.wait)
            if code:
                self.evidence.problems.append(f"a server that was asked to go down ended with code {code}")
        self.report.drains += 1

    def _heard(self) -> None:
        """Wait until the model has taken note of all that the server had sent when it died."""
        message = {"role": "user", "content": "@@ok@@ heard"}
        body = json.dumps({"model": "ok", "messages": [message]}).encode()
        for _ in range(2):
            urllib.request.urlopen(f"{self._chat.base_url}/chat/completions", body).read()

    def _count(self) -> Counter[str]:
        """Count the model's calls by prompt; reads only what was added."""
        with self._events.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                event = json.loads(line)
                if event["event"] == "request" and event["prompt"] != "heard":
                    self.asked[event["prompt"]] += 1
        return self.asked

    def figures(self) -> dict[str, Any]:
        """The figures so far."""
        report, ledger = self.report, self.ledger
        return {
            "kills": report.kills,
            "in_flight_least": min(report.in_flight),
            "in_flight_median": int(statistics.median(report.in_flight)),
            "acknowledged": len(ledger.acknowledged),
            "recovered": report.recovered,
            "controls": sum(ledger.answers.values()),
            "controls_done": sum(times for answer, times in ledger.answers.items() if answer.endswith("done")),
            "model_calls": sum(self.asked.values()),
            "recorded_nodes": len(self.evidence.recorded),
            "cut_off_and_run_again": sum(self.evidence.excused[p] > 0 and n > 1 for p, n in self.asked.items()),
            "log_entries": self.evidence.entries,
            "drained": report.drains,
            "problems": len(self.problems),
            "seconds": round(report.seconds),
        }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100, help="servers to kill (100)")
    parser.add_argument("--seed", type=int, default=None, help="of the random choices; moments vary all the same")
    parser.add_argument("--keep", type=Path, default=None, help="directory for database and logs, kept afterwards")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    print(json.dumps({"rounds": arguments.rounds, "seed": seed}), flush=True)
    with tempfile.TemporaryDirectory() as directory:
        place = arguments.keep or Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        chaos = Chaos(place, seed)
        asyncio.run(chaos.run(arguments.rounds))
    for problem in chaos.problems:
        print(problem)
    print(json.dumps(dict(sorted(chaos.ledger.answers.items()))))
    return 1 if chaos.problems else 0


if __name__ == "__main__":
    sys.exit(main())
