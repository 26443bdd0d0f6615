"""A node type for the servers that make kept databases, and for those that upgrade them: it holds, or goes through.

A module by itself: it is copied to where servers of earlier versions find it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from execsvc.definition import Builder, NodeType
from execsvc.engine import NodeContext, NodeError, NodePlugin, NodeResult

#: In the environment of a server: whether its nodes hold and fail as they are told, and where they note their runs.
HOLDS, RUNS = "EXECSVC_KEPT_HOLDS", "EXECSVC_KEPT_RUNS"


@dataclass(frozen=True, slots=True)
class HeldConfig:
    """Config of such a node."""

    #: ``pass``, ``pause``: half a second, ``hold``: for ever, ``fail``.
    then: str


class Held:
    """Notes that it runs, and does what it is told as long as the server holds."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self) -> None:
        self._file = os.open(os.environ[RUNS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(self, config: HeldConfig, context: NodeContext) -> NodeResult:
        os.write(self._file, f"{context.execution_id}/{context.node_id}\n".encode())
        if os.environ.get(HOLDS):
            if config.then == "fail":
                raise NodeError("NO_LUCK", "this server lets it fail")
            await asyncio.sleep({"hold": 86_400.0, "pause": 0.5}.get(config.then, 0.0))
        return NodeResult(output=f"{context.node_id} of {context.execution_id}")


def _compile(config: Any, builder: Builder) -> HeldConfig:
    return HeldConfig(then=str(config["then"]))


held = NodePlugin(
    type=NodeType(
        name="held",
        description="Holds, fails, or goes through.",
        config_schema={
            "type": "object",
            "properties": {"then": {"enum": ["pass", "pause", "hold", "fail"]}},
            "required": ["then"],
            "additionalProperties": False,
        },
        effect=True,
        compile=_compile,
    ),
    executor=Held,
)
