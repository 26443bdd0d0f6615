"""Make http configs from real definitions, and run their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execsvc.definition import HttpConfig, parse_definition
from execsvc.egress import Egress
from execsvc.egress.bounds import Bounds
from execsvc.egress.network import Network
from execsvc.engine import NodeError
from execsvc.engine.nodes.http import HttpNode
from execsvc.engine.secrecy import secrecy_of
from execsvc.secrets import Revealed
from tests.integration.llm.harness import Recorder

#: Reaches this machine without naming it.
REACHED = "127.0.0.0/8"


def http_config(url: str, **config: Any) -> HttpConfig:
    """Parse a definition with one http node, and answer that node's config."""
    plan = parse_definition(
        {
            "nodes": [
                {"id": "call", "type": "http", "config": {"url": url, **config}},
                {"id": "done", "type": "output", "config": {}},
            ],
            "edges": [{"source": "call", "target": "done"}],
        }
    )
    found = plan.nodes[plan.index["call"]].config
    assert isinstance(found, HttpConfig)
    return found


class Caller:
    """Runs http nodes on a network of its own, which is to be closed.

    Args:
        rules: what nodes may call.
        node: the executor.
    """

    def __init__(self, *rules: str, node: HttpNode | None = None, **bounds: Any) -> None:
        self.network = Network(Egress(rules or (REACHED,)), bounds=Bounds(**bounds))
        self._node = node or HttpNode()
        #: Of the last call.
        self.recorder = Recorder(self.network)

    async def call(
        self, url: str, input: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None, **config: Any
    ) -> Any:
        """Answer the node's output. Secrets are given and hidden as the engine does."""
        self.recorder = Recorder(self.network, **(input or {}))
        context = self.recorder.context

        async def reveal(names: tuple[str, ...]) -> Revealed:
            return Revealed({name: (secrets or {})[name] for name in names})

        secrecy = await secrecy_of(tuple(secrets or ()), context, reveal)
        work = self._node.run(http_config(url, **config), secrecy.context or context)
        return (await secrecy.inside(work)).output

    async def fails(self, url: str, input: Mapping[str, Any] | None = None, **config: Any) -> NodeError:
        """Answer the error of a node that must fail."""
        try:
            output = await self.call(url, input, **config)
        except NodeError as error:
            return error
        raise AssertionError(f"the node answered {output}")
