"""The ``transform`` node: computes a value, or an object field by field."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from execsvc.definition import Expression, ExpressionError, TransformConfig
from execsvc.engine.nodes.executor import NodeContext, NodeError, NodeResult


def evaluate(expression: Expression, context: NodeContext, *, field: str = "") -> Any:
    """Evaluate an expression; a failure becomes the node's, naming the field it is of."""
    try:
        return expression.evaluate(context.scope)
    except ExpressionError as error:
        where = f"field {field!r}: " if field else ""
        raise NodeError(error.type, where + error.message) from error


class TransformNode:
    """Answers the expression's value, or an object with a value for each field."""

    effect: ClassVar[Literal[False]] = False

    def run(self, config: TransformConfig, context: NodeContext) -> NodeResult:
        """See ``PureNode.run``."""
        if config.expression is not None:
            return NodeResult(output=evaluate(config.expression, context))
        return NodeResult(
            output={name: evaluate(expression, context, field=name) for name, expression in config.fields.items()}
        )
