"""DBOS on SQLite: the benchmark's shape as a workflow of durable steps; a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from dbos import DBOS, DBOSConfig

from benchmarks.shape import expected, given
from execsvc.engine.nodes.echo_model import EchoChatModel

MODEL = EchoChatModel()


async def fill(text: str, n: int) -> dict[str, Any]:
    """Set the defaults of the input."""
    return {"text": text, "n": n, "language": "en"}


async def prepare(filled: dict[str, Any]) -> dict[str, Any]:
    """Take what the model needs."""
    return {"text": filled["text"], "n": filled["n"] + 1}


async def ask(text: str) -> str:
    """Ask the model, streamed as the service does it."""
    chunks = [chunk async for chunk in MODEL.astream(f"Answer: {text}")]
    return "".join(str(chunk.content) for chunk in chunks)


async def shape(answer: str, n: int) -> dict[str, Any]:
    """Shape the answer."""
    return {"answer": answer, "n": n}


async def output(shaped: dict[str, Any]) -> dict[str, Any]:
    """Answer the result."""
    return shaped


fill_step = DBOS.step()(fill)
prepare_step = DBOS.step()(prepare)
ask_step = DBOS.step()(ask)
shape_step = DBOS.step()(shape)
output_step = DBOS.step()(output)


@DBOS.workflow()
async def five_steps(text: str, n: int) -> dict[str, Any]:
    """Each node a durable step."""
    prepared = await prepare_step(await fill_step(text, n))
    shaped = await shape_step(await ask_step(prepared["text"]), prepared["n"])
    return await output_step(shaped)


@DBOS.workflow()
async def one_step(text: str, n: int) -> dict[str, Any]:
    """Only the call to the model a durable step, as one who counts milliseconds would write it."""
    prepared = await prepare(await fill(text, n))
    return await output(await shape(await ask_step(prepared["text"]), prepared["n"]))


async def measure(workflow: Any, count: int, in_flight: int) -> float:
    """Run ``count`` of them with so many at once; answers runs a second."""
    numbers = iter(range(count))

    async def worker() -> None:
        for index in numbers:
            result = await workflow(**given(index))
            assert result == expected(index), result

    await workflow(**given(0))
    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return count / (time.perf_counter() - started)


async def main() -> None:
    """Launch DBOS and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("database")
    parser.add_argument("--one-step", action="store_true")
    arguments = parser.parse_args()
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": f"sqlite:///{arguments.database}",
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        rate = await measure(one_step if arguments.one_step else five_steps, arguments.count, arguments.in_flight)
    finally:
        DBOS.destroy()
    print(json.dumps({"per_second": rate}))


if __name__ == "__main__":
    asyncio.run(main())
