"""The ``condition`` node: chooses which of its outgoing edges are active."""

from __future__ import annotations

from typing import ClassVar, Literal

from execsvc.definition import ConditionConfig, Expression
from execsvc.definition.expressions import Allowance, allowance_for
from execsvc.engine.nodes.executor import NodeContext, NodeError, NodeResult
from execsvc.engine.nodes.transform import evaluate


class ConditionNode:
    """Answers ``{"branch": name}``, with null where no case matched and there is no default."""

    effect: ClassVar[Literal[False]] = False

    def run(self, config: ConditionConfig, context: NodeContext) -> NodeResult:
        """See ``PureNode.run``."""
        branch = self._choose(config, context)
        return NodeResult(output={"branch": branch}, branch=branch)

    def _choose(self, config: ConditionConfig, context: NodeContext) -> str | None:
        if config.expression is not None:
            return "true" if _holds(config.expression, context) else "false"
        allowance = allowance_for(config.cases)
        for branch, expression in config.cases:
            if _holds(expression, context, allowance):
                return branch
        return config.default_branch


def _holds(expression: Expression, context: NodeContext, allowance: Allowance | None = None) -> bool:
    value = evaluate(expression, context, allowance=allowance)
    if not isinstance(value, bool):
        raise NodeError(
            "EXPRESSION_NOT_BOOL",
            f"a condition must be true or false; {expression.source!r} gave {type(value).__name__}",
        )
    return value
