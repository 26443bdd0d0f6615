"""Workflow definitions: parse, validate, plan."""

from execsvc.definition.builtin_types import BUILTIN
from execsvc.definition.durations import format_duration, parse_duration
from execsvc.definition.expressions import Expression, ExpressionError, ExpressionInvalid
from execsvc.definition.files import load_file_text
from execsvc.definition.inputs import check_input, fill_input
from execsvc.definition.json_values import MAX_DEPTH, check_json, whole_numbers
from execsvc.definition.mermaid import to_mermaid
from execsvc.definition.node_types import Builder, NodeType, NodeTypes
from execsvc.definition.parse import MAX_BYTES, MAX_EDGES, MAX_NODES, load_plan, parse_definition
from execsvc.definition.plan import (
    ConditionConfig,
    Config,
    HttpConfig,
    InputConfig,
    Link,
    LlmConfig,
    OnError,
    OutputConfig,
    Plan,
    PlanNode,
    RetryPolicy,
    TransformConfig,
)
from execsvc.definition.plans import Plans
from execsvc.definition.policies import canonical_retry, load_retry, parse_retry
from execsvc.definition.problems import Problems
from execsvc.definition.scope import Scope
from execsvc.definition.templates import Template, TemplateError, TemplateInvalid

__all__ = [
    "BUILTIN",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_EDGES",
    "MAX_NODES",
    "Builder",
    "ConditionConfig",
    "Config",
    "Expression",
    "ExpressionError",
    "ExpressionInvalid",
    "HttpConfig",
    "InputConfig",
    "Link",
    "LlmConfig",
    "NodeType",
    "NodeTypes",
    "OnError",
    "OutputConfig",
    "Plan",
    "PlanNode",
    "Plans",
    "Problems",
    "RetryPolicy",
    "Scope",
    "Template",
    "TemplateError",
    "TemplateInvalid",
    "TransformConfig",
    "canonical_retry",
    "check_input",
    "check_json",
    "fill_input",
    "format_duration",
    "load_file_text",
    "load_plan",
    "load_retry",
    "parse_definition",
    "parse_duration",
    "parse_retry",
    "to_mermaid",
    "whole_numbers",
]
