"""Make llm configs from real definitions, and record what a node does to its context."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from execsvc.definition import Scope, parse_definition
from execsvc.definition.plan import LlmConfig
from execsvc.egress import Egress
from execsvc.egress.network import Network
from execsvc.engine.nodes.executor import NodeContext, NodeError
from execsvc.engine.nodes.llm import LlmNode
from execsvc.model import LogLevel

#: Lets nodes call this machine.
NETWORK = Network(Egress(["127.0.0.1"], trusted=["https://api.openai.com"]))

#: Asks for an object with one text.
ANSWER_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


def llm_config(**config: Any) -> LlmConfig:
    """Parse a definition with one llm node, and answer that node's config."""
    plan = parse_definition(
        {
            "nodes": [
                {"id": "ask", "type": "llm", "config": config},
                {"id": "done", "type": "output", "config": {}},
            ],
            "edges": [{"source": "ask", "target": "done"}],
        }
    )
    found = plan.nodes[plan.index["ask"]].config
    assert isinstance(found, LlmConfig)
    return found


class Recorder:
    """A node's context that keeps its tokens and log entries."""

    def __init__(self, network: Network = NETWORK, /, **input: Any) -> None:
        self.tokens: list[str] = []
        self.logged: list[tuple[LogLevel, str, Mapping[str, Any]]] = []
        self._emitted = asyncio.Event()
        self.context = NodeContext(
            execution_id="e1",
            node_id="ask",
            attempt=1,
            idempotency_key="u1/ask/1",
            series_key="u1/ask/1",
            scope=Scope(input=input, nodes={}, execution={"id": "e1"}),
            log=lambda level, message, metadata: self.logged.append((level, message, metadata)),
            emit_token=self._emit,
            network=network,
        )

    def _emit(self, token: str) -> None:
        self.tokens.append(token)
        self._emitted.set()

    async def until(self, tokens: int) -> None:
        """Wait until so many tokens have come."""
        while len(self.tokens) < tokens:
            self._emitted.clear()
            await self._emitted.wait()


async def failure(node: LlmNode, config: LlmConfig, recorder: Recorder | None = None) -> NodeError:
    """Run a node that must fail, and answer its error."""
    try:
        result = await node.run(config, (recorder or Recorder()).context)
    except NodeError as error:
        return error
    raise AssertionError(f"the node answered {result}")
