"""LangGraph + AsyncSqliteSaver: a chain of nodes, run so many times for the bytes it leaves; a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.shape import ANSWER


def chain(length: int, saver: Any) -> Any:
    """A chain of nodes, each writing an answer of its own, as a graph in which nodes refer to each other must."""
    keys = [f"n{index}" for index in range(length)]
    # The functional form, since the keys are made here.
    state: Any = TypedDict("state", dict.fromkeys(("word", *keys), str), total=False)  # type: ignore[misc]

    def answer(key: str) -> Any:
        async def node(values: dict[str, Any]) -> dict[str, Any]:
            return {key: ANSWER.format(word=values["word"])}

        return node

    builder = StateGraph(state)
    for key in keys:
        builder.add_node(f"{key}_node", answer(key))
    names = [START, *(f"{key}_node" for key in keys), END]
    for source, target in itertools.pairwise(names):
        builder.add_edge(source, target)
    return builder.compile(checkpointer=saver)


async def main(database: str, length: int, count: int) -> None:
    """Run them one after another."""
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        compiled = chain(length, saver)
        for index in range(count):
            config = {"configurable": {"thread_id": f"thread-{index}"}, "recursion_limit": length + 10}
            await compiled.ainvoke({"word": f"word {index}"}, config)
    print(json.dumps({"executions": count}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("length", type=int)
    parser.add_argument("count", type=int)
    asyncio.run(main(**vars(parser.parse_args())))
