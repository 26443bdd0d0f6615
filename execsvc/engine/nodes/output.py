"""The ``output`` node: computes the execution's result."""

from __future__ import annotations

from typing import ClassVar, Literal

from execsvc.definition import OutputConfig
from execsvc.engine.nodes.executor import NodeContext, NodeResult
from execsvc.engine.nodes.transform import evaluated


class OutputNode:
    """Answers the expression's value; without one what came in: one result as it is, several as an object by id."""

    effect: ClassVar[Literal[False]] = False

    def run(self, config: OutputConfig, context: NodeContext) -> NodeResult:
        """See ``PureNode.run``."""
        if config.expression is not None:
            return evaluated(config.expression, context)
        incoming = context.incoming()
        if len(incoming) == 1:
            return NodeResult(output=next(iter(incoming.values())), checked=True)
        return NodeResult(output=incoming)
