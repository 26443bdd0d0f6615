"""Bare LangGraph: the benchmark's shape as a StateGraph, in memory, nothing kept; run as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
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


def graph() -> Any:
    """Compile the graph."""
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
    return builder.compile()


async def measure(count: int, in_flight: int) -> float:
    """Run ``count`` of them with so many at once; answers runs a second."""
    compiled = graph()
    numbers = iter(range(count))

    async def worker() -> None:
        for index in numbers:
            result = await compiled.ainvoke(given(index))
            assert result["output"] == expected(index), result

    await compiled.ainvoke(given(0))
    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    arguments = parser.parse_args()
    print(json.dumps({"per_second": asyncio.run(measure(arguments.count, arguments.in_flight))}))
