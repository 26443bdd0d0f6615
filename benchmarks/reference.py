"""LangGraph itself: the benchmark's shape as a StateGraph, in memory or with its SQLite saver; a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from benchmarks.shape import expected, given
from execsvc.engine.nodes.echo_model import EchoChatModel


class State(TypedDict, total=False):
    """What the nodes hand on."""

    text: str
    n: int
    language: str
    prepared: dict[str, Any]
    answer: str
    shaped: dict[str, Any]
    output: dict[str, Any]


def graph(saver: Any = None) -> Any:
    """Compile the graph; with a checkpointer, if there is one."""
    model = EchoChatModel()

    async def fill(state: State) -> State:
        return {"language": state.get("language", "en")}

    async def prepare(state: State) -> State:
        return {"prepared": {"text": state["text"], "n": state["n"] + 1}}

    async def ask(state: State) -> State:
        # Streamed, as the service does it, so that both pay the same for the model.
        chunks = [chunk async for chunk in model.astream(f"Answer: {state['prepared']['text']}")]
        return {"answer": "".join(str(chunk.content) for chunk in chunks)}

    async def shape(state: State) -> State:
        return {"shaped": {"answer": state["answer"], "n": state["prepared"]["n"]}}

    async def output(state: State) -> State:
        return {"output": state["shaped"]}

    builder = StateGraph(State)
    previous = START
    for node in (fill, prepare, ask, shape, output):
        name = f"{node.__name__}_node"
        builder.add_node(name, node)
        builder.add_edge(previous, name)
        previous = name
    builder.add_edge(previous, END)
    return builder.compile(checkpointer=saver)


async def measure(count: int, in_flight: int, compiled: Any = None, **options: Any) -> dict[str, float]:
    """Run ``count`` of them with so many at once; answers runs a second, and seconds of processor for each.

    Args:
        options: for ``ainvoke``.
    """
    compiled = compiled or graph()
    run = uuid.uuid4().hex[:8]
    numbers = iter(range(count))

    async def worker() -> None:
        for index in numbers:
            config = {"configurable": {"thread_id": f"{run}-{index}"}}
            result = await compiled.ainvoke(given(index), config, **options)
            assert result["output"] == expected(index), result

    await compiled.ainvoke(given(0), {"configurable": {"thread_id": run}}, **options)
    started, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    elapsed, processor = time.perf_counter() - started, time.process_time() - processor
    return {"per_second": count / elapsed, "processor": processor / count}


async def measure_saved(count: int, in_flight: int, database: str, durability: str) -> dict[str, float]:
    """The same with every step kept in SQLite by LangGraph's own saver, set up as its documentation has it."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        return await measure(count, in_flight, graph(saver), durability=durability)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("--saved", metavar="DATABASE")
    parser.add_argument("--durability", default="async")
    given_arguments = parser.parse_args()
    sizes = given_arguments.count, given_arguments.in_flight
    if given_arguments.saved:
        found = asyncio.run(measure_saved(*sizes, given_arguments.saved, given_arguments.durability))
    else:
        found = asyncio.run(measure(*sizes))
    print(json.dumps(found))
