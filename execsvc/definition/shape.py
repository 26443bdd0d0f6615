"""Read the outer form of a definition: the plain one, and what React Flow editors export.

An export is recognised by a ``viewport``, or by nodes with ``position`` or ``data``. There, keys that only the editor
needs are left out, ``data`` is the config (or holds it as ``data.config``), ``data.label`` is the name, and
``sourceHandle`` is the branch. In the plain form any unknown key is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from execsvc.definition.json_values import kind_of
from execsvc.definition.node_types import NodeType, NodeTypes
from execsvc.definition.plan import OnError, RetryPolicy
from execsvc.definition.policies import parse_on_error, parse_retry, parse_timeout
from execsvc.definition.problems import Problems, did_you_mean, shorten, unknown_keys

ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MAX_NAME = 256

_NODE_KEYS = ("id", "type", "name", "config", "retry", "timeout", "on_error")
_EDGE_KEYS = ("source", "target", "branch")
_SETTINGS = ("retry", "timeout", "on_error")
#: Keys of ``data`` that editors use for themselves, besides those that are no config field anyway.
_EDITOR_DATA = ("label", "name", "type", "config", *_SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawNode:
    """A node, read but not compiled."""

    path: str
    #: The id; made up where it is missing, so that other checks can go on.
    id: str
    name: str
    type_name: str
    #: None where there is no such type.
    type: NodeType | None
    config: Mapping[str, Any]
    config_path: str
    retry: RetryPolicy | None
    timeout: int | None
    on_error: OnError


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEdge:
    """An edge, read but not checked."""

    path: str
    source: str
    target: str
    branch: str
    #: Whether the branch is an editor's handle, which means nothing where the source has no branches.
    handle: bool


def read_shape(
    data: Mapping[str, Any], types: NodeTypes, problems: Problems
) -> tuple[tuple[RawNode, ...], tuple[RawEdge, ...]]:
    """Read a definition that is valid JSON, and note what is wrong with its form."""
    nodes = _list(data, "nodes", problems)
    edges = _list(data, "edges", problems)
    editor = "viewport" in data or any(isinstance(n, dict) and ("position" in n or "data" in n) for n in nodes)
    known = ("nodes", "edges", "viewport") if editor else ("nodes", "edges")
    unknown_keys(data, known, "definition", problems)
    reader = _Reader(types, problems, editor)
    return (
        tuple(reader.node(item, f"definition.nodes[{i}]", i) for i, item in enumerate(nodes)),
        tuple(
            edge for i, item in enumerate(edges) if (edge := reader.edge(item, f"definition.edges[{i}]")) is not None
        ),
    )


def _list(data: Mapping[str, Any], key: str, problems: Problems) -> list[Any]:
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        problems.add(f"definition.{key}", "WRONG_TYPE", f"must be a list, not {kind_of(value)}")
        return []
    return value


class _Reader:
    def __init__(self, types: NodeTypes, problems: Problems, editor: bool) -> None:
        self._types = types
        self._problems = problems
        self._editor = editor

    def node(self, item: Any, path: str, number: int) -> RawNode:
        if not isinstance(item, dict):
            self._problems.add(path, "WRONG_TYPE", f"must be an object, not {kind_of(item)}")
            item = {"id": f"?{number}", "type": "?"}
            return self._build(item, path, item["id"], "?", None, {}, path, {})
        node_id = self._id(item, path, number)
        data: Mapping[str, Any] = {}
        if not self._editor:
            unknown_keys(item, _NODE_KEYS, path, self._problems)
        elif "config" not in item:
            data = self._object(item, "data", path)
        type_name = self._type_name(item, data)
        node_type = self._types.get(type_name)
        if node_type is None:
            self._unknown_type(type_name, path)
        if "config" in item or not self._editor:
            config, config_path = self._object(item, "config", path), f"{path}.config"
        elif "config" in data:
            config, config_path = self._object(data, "config", f"{path}.data"), f"{path}.data.config"
        else:
            config, config_path = self._from_data(data, node_type), f"{path}.data"
        return self._build(item, path, node_id, type_name, node_type, config, config_path, data)

    def _build(
        self,
        item: Mapping[str, Any],
        path: str,
        node_id: str,
        type_name: str,
        node_type: NodeType | None,
        config: Mapping[str, Any],
        config_path: str,
        data: Mapping[str, Any],
    ) -> RawNode:
        name = item.get("name") or (data.get("label") or data.get("name") if self._editor else None) or ""
        if not isinstance(name, str) or len(name) > _MAX_NAME:
            # An editor's label may be anything; only a name of our own form is checked.
            if not self._editor:
                self._problems.add(f"{path}.name", "INVALID_VALUE", f"must be a text of at most {_MAX_NAME} characters")
            name = ""
        settings = {key: (item if item.get(key) is not None else data).get(key) for key in _SETTINGS}
        return RawNode(
            path=path,
            id=node_id,
            name=name if name != node_id else "",
            type_name=type_name,
            type=node_type,
            config=node_type.normalize(config) if node_type else config,
            config_path=config_path,
            retry=parse_retry(settings["retry"], f"{path}.retry", self._problems),
            timeout=parse_timeout(settings["timeout"], f"{path}.timeout", self._problems),
            on_error=parse_on_error(settings["on_error"], f"{path}.on_error", self._problems),
        )

    def _id(self, item: Mapping[str, Any], path: str, number: int) -> str:
        node_id = item.get("id")
        if node_id is None or node_id == "":
            self._problems.add(f"{path}.id", "MISSING_FIELD", "every node has an 'id'")
        elif not isinstance(node_id, str):
            self._problems.add(f"{path}.id", "WRONG_TYPE", f"must be a text, not {kind_of(node_id)}")
        elif not ID.fullmatch(node_id):
            self._problems.add(
                f"{path}.id", "INVALID_ID", f"the id {shorten(node_id)!r} does not match [A-Za-z0-9_.:-]{{1,128}}"
            )
            return node_id
        else:
            return node_id
        return f"?{number}"

    def _type_name(self, item: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        name = item.get("type")
        inner = data.get("type")
        if isinstance(inner, str) and inner in self._types and name not in self._types:
            return inner
        return name if isinstance(name, str) else ""

    def _unknown_type(self, name: str, path: str) -> None:
        known = ", ".join(sorted(self._types))
        if name:
            hint = self._problems.hint(name, self._types)
            self._problems.add(
                f"{path}.type", "UNKNOWN_NODE_TYPE", f"there is no node type {shorten(name)!r}{hint}; known are {known}"
            )
        else:
            self._problems.add(f"{path}.type", "MISSING_FIELD", f"every node has a 'type': one of {known}")

    def _object(self, item: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
        value = item.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._problems.add(f"{path}.{key}", "WRONG_TYPE", f"must be an object, not {kind_of(value)}")
            return {}
        return value

    def _from_data(self, data: Mapping[str, Any], node_type: NodeType | None) -> Mapping[str, Any]:
        """Take the fields of the config from what an editor keeps; leave unknown ones that look like a slip."""
        fields = node_type.fields if node_type else {}
        return {
            key: value
            for key, value in data.items()
            if key in fields or (key not in _EDITOR_DATA and did_you_mean(key, fields))
        }

    def edge(self, item: Any, path: str) -> RawEdge | None:
        if not isinstance(item, dict):
            self._problems.add(path, "WRONG_TYPE", f"must be an object, not {kind_of(item)}")
            return None
        if not self._editor:
            unknown_keys(item, _EDGE_KEYS, path, self._problems)
        ends = []
        for key in ("source", "target"):
            value = item.get(key)
            if value is None or value == "":
                self._problems.add(f"{path}.{key}", "MISSING_FIELD", f"every edge has a '{key}', the id of a node")
            elif not isinstance(value, str):
                self._problems.add(f"{path}.{key}", "WRONG_TYPE", f"must be a text, not {kind_of(value)}")
            else:
                ends.append(value)
        branch, handle = item.get("branch"), False
        if self._editor and branch is None:
            branch, handle = item.get("sourceHandle"), True
        if branch is not None and not isinstance(branch, str):
            self._problems.add(f"{path}.branch", "WRONG_TYPE", f"must be a text, not {kind_of(branch)}")
            branch = None
        if len(ends) < 2:
            return None
        return RawEdge(path=path, source=ends[0], target=ends[1], branch=branch or "", handle=handle)
