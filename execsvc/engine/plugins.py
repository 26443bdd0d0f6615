"""Node types from installed packages: entry points of the group ``execsvc.nodes`` that the operator has enabled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from execsvc.definition import BUILTIN, NodeType, NodeTypes
from execsvc.engine.nodes import builtin_executors
from execsvc.engine.nodes.executor import EffectNode, Executors, PureNode
from execsvc.entry_points import load_entry_point
from execsvc.errors import PluginUnusable

GROUP: Final = "execsvc.nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlugin:
    """What an entry point has to be, or has to answer when it is called without arguments."""

    #: Name, config schema, and how a config is compiled.
    type: NodeType
    #: Makes what runs it; called once for each server.
    executor: Callable[[], PureNode | EffectNode]


def load_plugins(names: Iterable[str]) -> tuple[NodeTypes, Callable[[], Executors]]:
    """Load the named entry points beside the built-in node types.

    Returns:
        All node types, and a function that makes an executor of each.

    Raises:
        PluginUnusable: one is not installed, does not load, is no NodePlugin, or its type's name is taken.
    """
    plugins: list[NodePlugin] = []
    for name in dict.fromkeys(names):
        plugin = load_entry_point(GROUP, name, kind="node plug-in")
        if not isinstance(plugin, NodePlugin):
            raise PluginUnusable(name, f"it is no NodePlugin but a {type(plugin).__name__}")
        plugins.append(plugin)
    try:
        types = BUILTIN.extended(plugin.type for plugin in plugins)
    except ValueError as error:
        raise PluginUnusable(", ".join(plugin.type.name for plugin in plugins), str(error)) from error

    def executors() -> Executors:
        return {**builtin_executors(), **{plugin.type.name: plugin.executor() for plugin in plugins}}

    return types, executors
