"""What ten times the load does: latency of calls that are let in, what is shed, whether an operator gets through.

Capacity is what callers get who wait for each answer. Then a caller of its own, who asks now and then, is measured
beside a crowd that asks at half of that capacity, and beside one that asks at ten times, as fast as it can, without
waiting. Beside it an operator stops executions and checks the health, at an address of its own. Each kind of caller is
a process of its own, the crowd's with a low priority. Where the processor is what is short, both are asked once more
behind Envoy, which lets the crowd's connections have half of the capacity together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from benchmarks.figures import median, percentile
from benchmarks.report import Goal, report
from benchmarks.server import ROOT, folder, free_address, run, server
from execsvc_client import to_definition, v1
from tests.servers.front import INSTALLED, Front

EXECUTE: Final = "/execsvc.v1.ExecutionService/Execute"
CONTROL: Final = "/execsvc.v1.ExecutionService/Control"
HEALTH: Final = "/grpc.health.v1.Health/Check"
#: Seconds after which a caller gives up.
PATIENCE: Final = 10.0
#: Answers to an operator who stops what has ended already, or was not let in.
ANSWERS: Final = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)
#: Calls a second of the caller that is measured: one that behaves.
ASKED: Final = 20
#: Connections of the crowd.
CROWD: Final = 8
#: Loads of the crowd, in capacities.
TIMES: Final = {"half": 0.5, "tenfold": 10.0}
#: Slots, executions that may wait for one, and seconds that each takes: what a model takes for a short answer.
SLOTS, QUEUE, SECONDS = 32, 64, 0.25
#: Slow, as with a model, where slots are what is short; and as quick as can be, where the processor is.
LOADS: Final = ("model", "processor")
PROXIED: Final = "behind Envoy"
_SLOW: Final = {
    "id": "ask",
    "type": "llm",
    "config": {"model": "echo:", "prompt": "a", "parameters": {"delay": SECONDS}},
}
_ENDS: Final = ({"id": "in", "type": "input"}, {"id": "out", "type": "output"})
DEFINITIONS: Final = {
    "model": to_definition(
        {
            "nodes": [*_ENDS, _SLOW],
            "edges": [{"source": "in", "target": "ask"}, {"source": "ask", "target": "out"}],
        }
    ),
    "processor": to_definition({"nodes": list(_ENDS), "edges": [{"source": "in", "target": "out"}]}),
}


def main(full: bool) -> None:
    """Measure the capacity of each load, then half of it and ten times that in turn."""
    rounds, seconds = (5, 20) if full else (2, 5)
    found: dict[str, list[Any]] = {f"{load} {name}": [] for load in (*LOADS, PROXIED) for name in TIMES}
    for load in LOADS:
        operators = free_address()
        options = ("--operator-address", operators)
        with server(max_concurrent=SLOTS, max_queued=QUEUE, options=options) as served:
            run("overload", "capacity", load, served.address, 2)
            for _ in range(rounds):
                capacity = run("overload", "capacity", load, served.address, seconds)["per_second"]
                for name, times in TIMES.items():
                    measured = _beside(load, served.address, operators, seconds, times * capacity)
                    found[f"{load} {name}"].append(measured | {"capacity": capacity})
                if load == "processor" and INSTALLED:
                    with folder() as place, Front(place, [served.address], rate=round(capacity / 2 / CROWD)) as front:
                        for name, times in TIMES.items():
                            measured = _beside(load, front.address, operators, seconds, times * capacity)
                            found[f"{PROXIED} {name}"].append(measured | {"capacity": capacity})
    _report({name: of for name, of in found.items() if of}, full)


def _beside(load: str, address: str, operators: str, seconds: int, rate: float) -> dict[str, Any]:
    arguments = ["crowd", load, address, str(seconds + 2), "--rate", str(rate)]
    command = [sys.executable, "-m", "benchmarks.overload", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as crowd:
        measured: dict[str, Any] = run("overload", "caller", load, address, seconds, "--operators", operators)
        assert crowd.stdout is not None
        measured["crowd"] = json.loads(crowd.stdout.read())
    return measured


def _report(found: dict[str, list[Any]], full: bool) -> None:
    rows = []
    for name, of in found.items():
        crowd = [one["crowd"] for one in of]
        rows.append(
            (
                name,
                f"{median([one['capacity'] for one in of]):,.0f}",
                *(f"{median([one[what] for one in crowd]):,.0f}" for what in ("sent", "done", "shed", "failed")),
                *(f"{_percentile(of, kind, 50):.1f}" for kind in ("execute", "control", "health")),
                f"{_percentile(of, 'execute', 99):.1f}",
            )
        )
    many = found["model tenfold"]
    report(
        "overload",
        "A crowd at half of capacity and at ten times; a caller and an operator beside it, ms",
        ("crowd", "capacity/s", "sent", "done", "shed", "failed", "Execute", "Control", "health", "Execute p99"),
        rows,
        found,
        [
            Goal(
                question="Execute let in, p50, at ten times the load",
                reference="at half of capacity",
                measured=_later(found, "model"),
                limit=3,
                at_least=False,
            ),
            Goal(
                question="the same where the processor is what is short",
                reference="at half of capacity",
                measured=_later(found, "processor"),
                limit=3,
                at_least=False,
            ),
            *(
                [
                    Goal(
                        question="and there behind Envoy, whose limit for each connection is in deploy",
                        reference="at half of capacity",
                        measured=_later(found, PROXIED),
                        limit=3,
                        at_least=False,
                    ),
                    _refused(found, PROXIED, " there"),
                ]
                if f"{PROXIED} tenfold" in found
                else []
            ),
            Goal(
                question="acknowledged at ten times the load",
                reference="capacity",
                measured=median([one["crowd"]["done"] / one["capacity"] for one in many]),
                limit=0.8,
                at_least=True,
            ),
            _refused(found, "model"),
            Goal(
                question="an operator's calls that failed at ten times the load",
                reference="none",
                measured=sum(one["lost"] for name, of in found.items() if name.endswith("tenfold") for one in of),
                limit=0,
                at_least=False,
                unit="calls",
            ),
        ],
        full=full,
    )


def _refused(found: dict[str, list[Any]], load: str, where: str = "") -> Goal:
    crowds = [one["crowd"] for one in found[f"{load} tenfold"]]
    return Goal(
        question=f"refused with RESOURCE_EXHAUSTED{where}, of what was not let in",
        reference="all of it",
        measured=median([100 * crowd["shed"] / max(1.0, crowd["sent"] - crowd["done"]) for crowd in crowds]),
        limit=99,
        at_least=True,
        unit="%",
    )


def _later(found: dict[str, list[Any]], load: str) -> float:
    """Times that the median call that is let in takes longer beside ten times the load."""
    pairs = zip(found[f"{load} half"], found[f"{load} tenfold"], strict=True)
    return median([percentile(many["execute"], 50) / percentile(few["execute"], 50) for few, many in pairs])


def _percentile(of: list[Any], kind: str, percent: float) -> float:
    return median([percentile(one[kind], percent) for one in of])


def _request(load: str) -> bytes:
    return v1.ExecuteRequest(execution_id=uuid.uuid4().hex, definition=DEFINITIONS[load]).SerializeToString()


async def capacity(load: str, address: str, seconds: float) -> dict[str, float]:
    """Ask with 32 callers, each of whom waits for its answer; answers how many executions were let in a second."""
    done, end = 0, time.perf_counter() + seconds

    async def caller(call: Any) -> None:
        nonlocal done
        while time.perf_counter() < end:
            try:
                await call(_request(load), timeout=PATIENCE)
                done += 1
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.05)

    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.gather(*(caller(channel.unary_unary(EXECUTE)) for _ in range(32)))
    return {"per_second": done / seconds}


async def crowd(load: str, address: str, seconds: float, rate: float) -> dict[str, float]:
    """Ask so often a second, whatever comes back; answers what came of it, a second."""
    os.nice(15)
    outcomes: Counter[str] = Counter()
    waiting: set[asyncio.Task[None]] = set()

    async def ask(call: Any) -> None:
        try:
            await call(_request(load), timeout=PATIENCE)
            outcomes["done"] += 1
        except grpc.aio.AioRpcError as error:
            outcomes["shed" if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED else "failed"] += 1

    channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(CROWD)]
    calls = [channel.unary_unary(EXECUTE) for channel in channels]
    begun = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - begun) < seconds:
        while sent < now * rate:
            task = asyncio.create_task(ask(calls[sent % CROWD]))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            sent += 1
            if not sent % 50:
                # Answers have to be taken, too.
                await asyncio.sleep(0)
        await asyncio.sleep(0.002)
    taken = time.perf_counter() - begun
    await asyncio.gather(*waiting)
    for channel in channels:
        await channel.close()
    return {"sent": sent / taken, **{name: outcomes[name] / taken for name in ("done", "shed", "failed")}}


async def caller(load: str, address: str, seconds: float, operators: str) -> dict[str, Any]:
    """Ask so often a second, one call after the other; answers milliseconds of what was let in."""
    taken: dict[str, list[float]] = {"execute": [], "control": [], "health": []}
    refused = lost = 0

    async def timed(kind: str, call: Any, request: bytes) -> None:
        nonlocal refused, lost
        begun = time.perf_counter()
        try:
            await call(request, timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            if kind == "execute":
                refused += 1
                return
            lost += error.code() not in ANSWERS
        taken[kind].append(1000 * (time.perf_counter() - begun))

    async with grpc.aio.insecure_channel(address) as channel, grpc.aio.insecure_channel(operators) as door:
        execute, control, health = channel.unary_unary(EXECUTE), door.unary_unary(CONTROL), door.unary_unary(HEALTH)
        ours = v1.ExecuteRequest(execution_id=uuid.uuid4().hex, definition=DEFINITIONS[load])
        stop = v1.ControlRequest(execution_id=ours.execution_id, stop=v1.StopAction()).SerializeToString()
        await asyncio.sleep(1)
        await timed("execute", execute, ours.SerializeToString())
        begun = time.perf_counter()
        for number in range(round(seconds * ASKED)):
            await asyncio.sleep(max(0.0, begun + number / ASKED - time.perf_counter()))
            await timed("execute", execute, _request(load))
            await timed("control", control, stop)
            await timed("health", health, health_pb2.HealthCheckRequest().SerializeToString())
            if time.perf_counter() - begun > seconds:
                break
    return {kind: values or [1000 * PATIENCE] for kind, values in taken.items()} | {"refused": refused, "lost": lost}


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("capacity", "crowd", "caller"))
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("address")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--operators", default="")
    given = parser.parse_args()
    measures = {
        "capacity": lambda: capacity(given.load, given.address, given.seconds),
        "crowd": lambda: crowd(given.load, given.address, given.seconds, given.rate),
        "caller": lambda: caller(given.load, given.address, given.seconds, given.operators),
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measures[given.what]())))
