"""The ``transform`` node: computes a value, or an object field by field."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from execsvc.definition import Expression, ExpressionError, TransformConfig
from execsvc.definition.expressions import Allowance, allowance_for
from execsvc.definition.json_values import at_least
from execsvc.engine.nodes.executor import MAX_OUTPUT, NodeContext, NodeError, NodeResult


def evaluate(
    expression: Expression, context: NodeContext, *, field: str = "", allowance: Allowance | None = None
) -> Any:
    """Evaluate an expression; a failure becomes the node's, naming the field it is of."""
    try:
        return expression.evaluate(context.scope, allowance)
    except ExpressionError as error:
        where = f"field {field!r}: " if field else ""
        raise NodeError(error.type, where + error.message) from error


def evaluated(expression: Expression, context: NodeContext) -> NodeResult:
    """Answer the value of an expression."""
    return NodeResult(output=evaluate(expression, context), checked=expression.is_path)


class TransformNode:
    """Answers the expression's value, or an object with a value for each field."""

    effect: ClassVar[Literal[False]] = False

    def run(self, config: TransformConfig, context: NodeContext) -> NodeResult:
        """See ``PureNode.run``."""
        if config.expression is not None:
            return evaluated(config.expression, context)
        allowance = allowance_for(config.fields)
        output: dict[str, Any] = {}
        size = 0
        for name, expression in config.fields.items():
            output[name] = value = evaluate(expression, context, field=name, allowance=allowance)
            # Many fields may be the same large value, which takes memory only once it is written.
            size += at_least(value, MAX_OUTPUT)
            if size > MAX_OUTPUT:
                raise NodeError(
                    "OUTPUT_TOO_LARGE", f"the result has more than {MAX_OUTPUT} bytes, the most it may have"
                )
        return NodeResult(output=output)
