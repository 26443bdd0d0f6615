"""Turn workflow definitions in their JSON form, React Flow exports included, into protobuf.

Only the shape is checked here: names, types and numbers that protobuf could not carry. What a definition means is the
server's to judge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from execsvc_client import v1
from execsvc_client._errors import DefinitionError, invalid
from execsvc_client._fill import fill_field, fill_message, names_of, refuse_unknown
from execsvc_client._values import Problems, is_list, member

#: What is taken as a workflow: the message, its JSON form as a mapping or as text, or a JSON file.
DefinitionLike: TypeAlias = v1.WorkflowDefinition | Mapping[str, Any] | str | Path

# What React Flow writes for its own use. Anything else that is unknown is an error, so that typing mistakes show.
_EDITOR_ROOT = frozenset({"viewport"})
_EDITOR_NODE = frozenset(
    """position positionAbsolute width height measured initialWidth initialHeight selected selectable dragging
    draggable dragHandle connectable deletable focusable hidden resizing style className sourcePosition targetPosition
    parentId parentNode extent expandParent zIndex ariaLabel ariaRole domAttributes handles origin internals
    """.split()  # noqa: SIM905 (a word a line reads worse)
)
_EDITOR_EDGE = frozenset(
    """id type data label labelStyle labelShowBg labelBgStyle labelBgPadding labelBgBorderRadius targetHandle animated
    selected selectable deletable focusable reconnectable updatable hidden style className markerStart markerEnd zIndex
    interactionWidth pathOptions ariaLabel ariaRole domAttributes
    """.split()  # noqa: SIM905
)

_CONFIGS: Mapping[str, FieldDescriptor] = {
    field.name: field for field in v1.Node.DESCRIPTOR.oneofs_by_name["config"].fields if field.name != "custom"
}
#: Fields of a node beside its config, by both spellings.
_COMMON = {name: field for name, field in names_of(v1.Node.DESCRIPTOR).items() if field.containing_oneof is None}


def to_definition(definition: DefinitionLike) -> v1.WorkflowDefinition:
    """Return a definition as protobuf.

    Args:
        definition: a ``v1.WorkflowDefinition`` (returned as it is), a mapping ``{"nodes": […], "edges": […]}``,
            JSON text of one, or the path of a JSON file.

    Raises:
        DefinitionError: with every problem and its path; for JSON text the path is the line and column.
        OSError: the file cannot be read.
    """
    if isinstance(definition, v1.WorkflowDefinition):
        return definition
    problems = Problems()
    source: object = definition
    if isinstance(definition, Path):
        source = _parse(_read(definition, problems), str(definition), problems)
    elif isinstance(definition, str):
        source = _parse(definition, "definition", problems)
    message = v1.WorkflowDefinition()
    if not problems.found:
        _fill_definition(message, source, problems)
    if problems.found:
        raise invalid(problems.found, DefinitionError)
    return message


def _read(path: Path, problems: Problems) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(f"{path}:{line}", "INVALID_UNICODE", f"byte {error.start} is not UTF-8; save the file as UTF-8")
        return ""


def _parse(text: str, name: str, problems: Problems) -> object:
    if problems.found:
        return None
    try:
        parsed: object = json.loads(text)
    except json.JSONDecodeError as error:
        hint = "" if text.lstrip()[:1] in ("{", "") else "; to read a file, pass a pathlib.Path"
        problems.add(f"{name}:{error.lineno}:{error.colno}", "INVALID_JSON", f"not JSON: {error.msg}{hint}")
    except RecursionError:
        problems.add(name, "TOO_DEEP", "the JSON is nested too deeply")
    except ValueError as error:
        # Integers of more digits than Python converts.
        problems.add(name, "INVALID_JSON", f"not JSON that can be read: {error}")
    else:
        return parsed
    return None


def _fill_definition(message: v1.WorkflowDefinition, source: object, problems: Problems) -> None:
    path = "definition"
    if not isinstance(source, Mapping):
        problems.wrong_type(path, "an object with nodes and edges", source)
        return
    refuse_unknown(source, path, ("nodes", "edges"), _EDITOR_ROOT, problems)
    for index, item in enumerate(_items(source, "nodes", path, problems)):
        _fill_node(message.nodes.add(), item, f"{path}.nodes[{index}]", problems)
    for index, item in enumerate(_items(source, "edges", path, problems)):
        _fill_edge(message.edges.add(), item, f"{path}.edges[{index}]", problems)


def _items(source: Mapping[Any, Any], key: str, path: str, problems: Problems) -> list[Any]:
    value = source.get(key)
    if value is None:
        return []
    if not is_list(value):
        problems.wrong_type(member(path, key), "a list", value)
        return []
    return list(value)


def _fill_node(node: v1.Node, source: object, path: str, problems: Problems) -> None:
    if not isinstance(source, Mapping):
        problems.wrong_type(path, "an object with id, type and config", source)
        return
    refuse_unknown(source, path, (*_COMMON, "type", "config", "data"), _EDITOR_NODE, problems)
    kind = source.get("type")
    field = _CONFIGS.get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or not kind:
        problems.add(f"{path}.type", "REQUIRED", f"is required: one of {', '.join(sorted(_CONFIGS))}, or a plug-in's")
    if source.get("config") is not None and source.get("data") is not None:
        problems.add(f"{path}.data", "CONFLICT", "config and data mean the same; give one of them")
    key = "config" if source.get("config") is not None else "data" if source.get("data") is not None else "config"
    config = {} if source.get(key) is None else source[key]
    settings = {name: source[name] for name in _COMMON if source.get(name) is not None}
    if isinstance(config, Mapping) and key == "data":
        config = _lift(config, settings, field)
    for name, value in settings.items():
        fill_field(node, _COMMON[name], value, member(path, name), problems)
    if not isinstance(config, Mapping):
        problems.wrong_type(f"{path}.{key}", "an object", config)
    elif field is not None:
        target = getattr(node, field.name)
        target.SetInParent()
        fill_message(target, config, f"{path}.{key}", problems)
    elif isinstance(kind, str) and kind:
        # Whether there is such a plug-in, and what its config may be, only the server knows.
        fill_message(node.custom, {"type": kind, "config": config}, path, problems)


def _lift(
    data: Mapping[Any, Any],
    settings: dict[str, Any],
    field: FieldDescriptor | None,
) -> Mapping[Any, Any]:
    """Take the node's own settings out of an editor's ``data``, where there is no other place for them."""
    own = names_of(field.message_type) if field is not None and field.message_type is not None else {}
    config = dict(data)
    for name in [name for name in config if name not in own and name != "id"]:
        target = "name" if name == "label" else name
        if target in _COMMON:
            value = config.pop(name)
            if value is not None:
                settings.setdefault(target, value)
    return config


def _fill_edge(edge: v1.Edge, source: object, path: str, problems: Problems) -> None:
    if not isinstance(source, Mapping):
        problems.wrong_type(path, "an object with source and target", source)
        return
    fields = names_of(v1.Edge.DESCRIPTOR)
    refuse_unknown(source, path, (*fields, "sourceHandle"), _EDITOR_EDGE, problems)
    for name in (*fields, "sourceHandle"):
        value = source.get(name)
        if value is None:
            continue
        if name == "sourceHandle" and edge.branch:
            if value != edge.branch:
                problems.add(member(path, name), "CONFLICT", "branch and sourceHandle mean the same; give one of them")
            continue
        fill_field(edge, fields["branch" if name == "sourceHandle" else name], value, member(path, name), problems)
