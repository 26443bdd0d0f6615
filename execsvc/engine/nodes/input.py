"""The ``input`` node: hands on the execution's input with its defaults filled in."""

from __future__ import annotations

from typing import ClassVar, Literal

from execsvc.definition import InputConfig
from execsvc.engine.nodes.executor import NodeContext, NodeResult


class InputNode:
    """Answers the input. It was checked before the execution was stored, and filled in when its scope was made.

    What it is filled in with is part of a definition that was checked as well, and stands deeper there.
    """

    effect: ClassVar[Literal[False]] = False

    def run(self, config: InputConfig, context: NodeContext) -> NodeResult:
        """See ``PureNode.run``."""
        return NodeResult(output=context.scope.input, checked=True)
