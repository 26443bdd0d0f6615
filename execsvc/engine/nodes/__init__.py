"""The node types, each in its own module behind one small protocol."""

from execsvc.engine.nodes.condition import ConditionNode
from execsvc.engine.nodes.executor import Executors
from execsvc.engine.nodes.http import HttpNode
from execsvc.engine.nodes.input import InputNode
from execsvc.engine.nodes.llm import LlmNode
from execsvc.engine.nodes.output import OutputNode
from execsvc.engine.nodes.transform import TransformNode

__all__ = ["builtin_executors"]


def builtin_executors() -> Executors:
    """Make an executor of every built-in node type."""
    return {
        "input": InputNode(),
        "llm": LlmNode(),
        "http": HttpNode(),
        "condition": ConditionNode(),
        "transform": TransformNode(),
        "output": OutputNode(),
    }
