"""Runs one execution after another on LangGraph, with the journal as the truth. LangGraph stops here."""

from execsvc.engine.engine import Engine
from execsvc.engine.events import Event, NodeChanged, Observer, RunEnded, TokenListener
from execsvc.engine.nodes import builtin_executors
from execsvc.engine.nodes.executor import EffectNode, Executors, NodeContext, NodeError, NodeResult, PureNode
from execsvc.engine.nodes.llm_providers import operator_hosts
from execsvc.engine.plugins import NodePlugin, load_plugins
from execsvc.engine.tracing import AttemptTrace, HttpCall, ModelCall, ModelRequest, RunTrace, Tracing, trace_headers

__all__ = [
    "AttemptTrace",
    "EffectNode",
    "Engine",
    "Event",
    "Executors",
    "HttpCall",
    "ModelCall",
    "ModelRequest",
    "NodeChanged",
    "NodeContext",
    "NodeError",
    "NodePlugin",
    "NodeResult",
    "Observer",
    "PureNode",
    "RunEnded",
    "RunTrace",
    "TokenListener",
    "Tracing",
    "builtin_executors",
    "load_plugins",
    "operator_hosts",
    "trace_headers",
]
