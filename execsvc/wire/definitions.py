"""Between WorkflowDefinition and the JSON form of a definition, the one that is parsed, hashed and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from execsvc.encoding.values import plain, plain_object, to_struct, to_value
from execsvc_client import v1

_CONFIGS = frozenset({"input", "llm", "http", "condition", "transform", "output"})
_ACTIONS = {
    v1.OnError.ACTION_UNSPECIFIED: "fail",
    v1.OnError.ACTION_FAIL: "fail",
    v1.OnError.ACTION_CONTINUE: "continue",
}


def definition_json(definition: v1.WorkflowDefinition) -> dict[str, Any]:
    """Make the JSON form, with fields that are unset left out. Raises InvalidRequest for a Value without a kind."""
    return {
        "nodes": [_node(node, f"definition.nodes[{i}]") for i, node in enumerate(definition.nodes)],
        "edges": [_message(edge, f"definition.edges[{i}]") for i, edge in enumerate(definition.edges)],
    }


def _node(node: v1.Node, path: str) -> dict[str, Any]:
    result: dict[str, Any] = {"id": node.id}
    if node.name:
        result["name"] = node.name
    kind = node.WhichOneof("config")
    if kind == "custom":
        result["type"] = node.custom.type
        result["config"] = plain_object(node.custom.config, f"{path}.config")
    elif kind is not None:
        result["type"] = kind
        result["config"] = _message(getattr(node, kind), f"{path}.config")
    if node.HasField("retry"):
        result["retry"] = _message(node.retry, f"{path}.retry")
    if node.HasField("timeout"):
        result["timeout"] = _seconds(node.timeout)
    if node.HasField("on_error"):
        result["on_error"] = {"action": _ACTIONS.get(node.on_error.action, str(node.on_error.action))}
        if node.on_error.HasField("fallback"):
            result["on_error"]["fallback"] = plain(node.on_error.fallback, f"{path}.on_error.fallback")
    return result


def retry_json(retry: v1.RetryPolicy) -> dict[str, Any]:
    """Make the JSON form of a retry policy."""
    return _message(retry, "retry")


def retry_message(retry: Mapping[str, Any]) -> v1.RetryPolicy:
    """Make the message of a retry policy's canonical JSON form."""
    message = v1.RetryPolicy()
    _fill(message, retry)
    return message


def _message(message: Message, path: str) -> dict[str, Any]:
    """Make an object of a message whose fields have the same names in both forms."""
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        where = f"{path}.{field.name}"
        if isinstance(value, Struct):
            result[field.name] = plain_object(value, where)
        elif isinstance(value, Value):
            result[field.name] = plain(value, where)
        elif isinstance(value, Duration):
            result[field.name] = _seconds(value)
        elif isinstance(value, Mapping):
            result[field.name] = dict(value)
        elif not isinstance(value, str | bool | int | float | Message):
            result[field.name] = [
                _message(item, f"{where}[{i}]") if isinstance(item, Message) else item for i, item in enumerate(value)
            ]
        else:
            result[field.name] = value
    return result


def _seconds(duration: Duration) -> str:
    nanos = duration.seconds * 1_000_000_000 + duration.nanos
    sign = "-" if nanos < 0 else ""
    return f"{sign}{abs(nanos) // 1_000_000_000}.{abs(nanos) % 1_000_000_000:09d}".rstrip("0").rstrip(".") + "s"


def definition_message(definition: Mapping[str, Any]) -> v1.WorkflowDefinition:
    """Make the message of a canonical JSON form."""
    return v1.WorkflowDefinition(
        nodes=[_node_message(node) for node in definition["nodes"]],
        edges=[v1.Edge(**edge) for edge in definition.get("edges", ())],
    )


def _node_message(node: Mapping[str, Any]) -> v1.Node:
    message = v1.Node(id=node["id"], name=node.get("name", ""))
    config = node.get("config", {})
    if node["type"] in _CONFIGS:
        # Set even where it is empty: its presence is what says the type.
        getattr(message, node["type"]).SetInParent()
        _fill(getattr(message, node["type"]), config)
    else:
        message.custom.type = node["type"]
        message.custom.config.update(config)
    if "retry" in node:
        _fill(message.retry, node["retry"])
    if "timeout" in node:
        message.timeout.FromJsonString(_duration_text(node["timeout"]))
    on_error = node.get("on_error")
    if on_error is not None:
        message.on_error.action = v1.OnError.ACTION_CONTINUE
        message.on_error.fallback.CopyFrom(to_value(on_error.get("fallback")))
    return message


def _fill(message: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        kind = field.message_type.full_name if field.message_type is not None else ""
        if kind == "google.protobuf.Struct":
            getattr(message, name).CopyFrom(to_struct(value))
        elif kind == "google.protobuf.Duration":
            getattr(message, name).FromJsonString(_duration_text(value))
        elif isinstance(value, Mapping):
            getattr(message, name).update(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    _fill(getattr(message, name).add(), item)
                else:
                    getattr(message, name).append(item)
        else:
            setattr(message, name, value)


def _duration_text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.9f}s"
