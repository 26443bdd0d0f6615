"""Turn a definition in its JSON form into a plan, or say everything that is wrong with it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from execsvc.definition.builtin_types import BUILTIN
from execsvc.definition.durations import format_duration
from execsvc.definition.expressions import Expression
from execsvc.definition.graph import Graph, GraphEdge, GraphNode, check_graph
from execsvc.definition.json_values import check_json, kind_of, whole_numbers
from execsvc.definition.node_types import Builder, NodeType, NodeTypes, SecretUse, Use
from execsvc.definition.plan import Link, Plan, PlanNode
from execsvc.definition.policies import canonical_retry
from execsvc.definition.problems import HINTED, Problems, shorten
from execsvc.definition.shape import RawEdge, RawNode, read_shape
from execsvc.egress import Egress
from execsvc.errors import TooLarge

logger = logging.getLogger(__name__)

#: Bytes of the canonical form.
MAX_BYTES = 1024 * 1024
MAX_NODES = 5_000
#: Edges: enough to join each node to several.
MAX_EDGES = 20_000
#: Bytes of JSON before what only an editor needs is left out.
_MAX_RAW_BYTES = 4 * MAX_BYTES


def parse_definition(data: Mapping[str, Any], *, types: NodeTypes = BUILTIN, egress: Egress | None = None) -> Plan:
    """Check and compile a definition.

    Takes about 0.2 ms a node; run it off the event loop where the definition may be large.

    Args:
        egress: which hosts its nodes may call, as far as URLs tell; None: that is not asked here.

    Raises:
        TooLarge: more than 1 MiB, 5,000 nodes or 20,000 edges.
        InvalidRequest: everything else that is wrong, each problem with its path.
    """
    problems = Problems()
    _check_size(data)
    check_json(data, "definition", problems)
    if not isinstance(data, dict):
        problems.add("definition", "WRONG_TYPE", f"must be an object, not {kind_of(data)}")
    problems.raise_if_any()
    nodes, edges = read_shape(whole_numbers(data), types, problems)
    configs, uses, secrets = _compile(nodes, problems, egress)
    graph_edges = _graph_edges(nodes, edges)
    graph = check_graph(_graph_nodes(nodes, configs), graph_edges, problems)
    _check_whole(nodes, problems)
    _check_uses(nodes, uses, graph, problems)
    problems.raise_if_any()
    canonical = orjson.dumps(_canonical(nodes, graph_edges), option=orjson.OPT_SORT_KEYS)
    if len(canonical) > MAX_BYTES:
        raise TooLarge(path="definition", size=len(canonical), limit=MAX_BYTES)
    return _plan(canonical, nodes, configs, secrets, graph)


def load_plan(canonical: bytes, *, types: NodeTypes = BUILTIN) -> Plan:
    """Compile what ``Plan.canonical`` was, as the store kept it. Raises as ``parse_definition`` does.

    What its nodes may call is asked when they do: the operator may think otherwise by now.
    """
    return parse_definition(orjson.loads(canonical), types=types)


def _check_size(data: Any) -> None:
    if not isinstance(data, dict):
        return
    for key, limit in (("nodes", MAX_NODES), ("edges", MAX_EDGES)):
        items = data.get(key)
        if isinstance(items, list) and len(items) > limit:
            raise TooLarge(path=f"definition.{key}", size=len(items), limit=limit, unit=key)
    try:
        size = len(orjson.dumps(data))
    except TypeError:
        # No JSON: the next check says why.
        return
    if size > _MAX_RAW_BYTES:
        raise TooLarge(path="definition", size=size, limit=MAX_BYTES)


def _compile(
    nodes: Sequence[RawNode], problems: Problems, egress: Egress | None
) -> tuple[list[Any], list[tuple[int, Use]], list[Sequence[SecretUse]]]:
    node_ids = {node.id for node in nodes}
    configs: list[Any] = []
    uses: list[tuple[int, Use]] = []
    secrets: list[Sequence[SecretUse]] = []
    for number, node in enumerate(nodes):
        config, before = None, len(problems)
        named: Sequence[SecretUse] = ()
        if node.type is not None and node.type.check(node.config, node.config_path, problems):
            builder = Builder(path=node.config_path, problems=problems, node_ids=node_ids, egress=egress)
            given = node.config
            if len(problems) > before:
                # Fields that the type does not know are named already; its compiler must not meet them.
                given = {key: value for key, value in given.items() if key in node.type.fields}
            config = _config(node.type, given, builder)
            uses += [(number, use) for use in builder.uses]
            named = builder.secrets
            if named and not node.type.effect:
                problems.add(named[0].path, "INVALID_VALUE", "nodes without effects cannot use secrets")
        configs.append(config)
        secrets.append(named)
    return configs, uses, secrets


def _config(node_type: NodeType, given: Mapping[str, Any], builder: Builder) -> Any:
    try:
        return node_type.compile(given, builder)
    except Exception:
        if node_type.name in BUILTIN:
            raise
        # Whatever its text holds belongs in the server's log, not in front of a client.
        logger.exception("node type %s cannot read a config", node_type.name)
        message = f"the plug-in with node type {node_type.name!r} cannot read this; the server's log says why"
        builder.problem([], "CONFIG_UNREADABLE", message)
        return None


def _graph_nodes(nodes: Sequence[RawNode], configs: Sequence[Any]) -> list[GraphNode]:
    result = []
    for node, config in zip(nodes, configs, strict=True):
        branches: tuple[str, ...] | None = None
        if node.type is None or (node.type.branches is not None and config is None):
            branches = ()
        elif node.type.branches is not None:
            branches = node.type.branches(config)
        result.append(GraphNode(id=node.id, path=node.path, type=node.type_name, branches=branches))
    return result


def _graph_edges(nodes: Sequence[RawNode], edges: Sequence[RawEdge]) -> list[GraphEdge]:
    plain = {node.id for node in nodes if node.type is not None and node.type.branches is None}
    return [
        GraphEdge(
            source=edge.source,
            target=edge.target,
            branch="" if edge.handle and edge.source in plain else edge.branch,
            path=edge.path,
        )
        for edge in edges
    ]


def _check_whole(nodes: Sequence[RawNode], problems: Problems) -> None:
    if not nodes:
        problems.add("definition.nodes", "NO_NODES", "a workflow has at least one node")
    elif not any(node.type_name == "output" for node in nodes):
        problems.add("definition.nodes", "NO_OUTPUT", "a workflow has at least one node of type 'output'")
    first: dict[str, str] = {}
    for node in nodes:
        other = first.setdefault(node.id, node.path)
        if other != node.path:
            problems.add(f"{node.path}.id", "DUPLICATE_NODE", f"{other} has the id {shorten(node.id)!r} already")


def _check_uses(nodes: Sequence[RawNode], uses: Sequence[tuple[int, Use]], graph: Graph, problems: Problems) -> None:
    bits = {node.id: number for number, node in reversed(list(enumerate(nodes)))}
    shared = MappingProxyType(bits)
    for number, use in uses:
        if use.node_id is None:
            if isinstance(use.text, Expression) and graph.upstream is not None:
                use.text.limit_to(shared, graph.upstream[number])
        elif use.node_id not in bits:
            hint = _hint(use.node_id, bits, problems)
            where = use.text.position(use.node_id)
            problems.add(use.path, "UNKNOWN_NODE", f"there is no node {shorten(use.node_id)!r}{hint} ({where})")
        elif graph.upstream is not None and not graph.upstream[number] >> bits[use.node_id] & 1:
            problems.add(
                use.path,
                "NODE_NOT_UPSTREAM",
                f"no path of edges leads from {use.node_id!r} to {shorten(nodes[number].id)!r}, so its result may not "
                f"be there ({use.text.position(use.node_id)})",
            )


def _hint(node_id: str, known: Mapping[str, int], problems: Problems) -> str:
    if len(problems) >= HINTED:
        return ""
    longer = next((other for other in known if other.startswith((f"{node_id}.", f"{node_id}-"))), None)
    if longer:
        return f'; write nodes["{longer}"] for a node whose id is no identifier'
    return problems.hint(node_id, known)


def _canonical(nodes: Sequence[RawNode], edges: Sequence[GraphEdge]) -> dict[str, Any]:
    return {
        "nodes": [_canonical_node(node) for node in nodes],
        "edges": [
            {"source": edge.source, "target": edge.target} | ({"branch": edge.branch} if edge.branch else {})
            for edge in edges
        ],
    }


def _canonical_node(node: RawNode) -> dict[str, Any]:
    result: dict[str, Any] = {"id": node.id, "type": node.type_name}
    if node.name:
        result["name"] = node.name
    if node.config:
        result["config"] = node.config
    if node.retry is not None:
        result["retry"] = canonical_retry(node.retry)
    if node.timeout is not None:
        result["timeout"] = format_duration(node.timeout)
    if node.on_error.proceed:
        result["on_error"] = {"action": "continue"}
        if node.on_error.fallback is not None:
            result["on_error"]["fallback"] = node.on_error.fallback
    return result


def _plan(
    canonical: bytes,
    nodes: Sequence[RawNode],
    configs: Sequence[Any],
    secrets: Sequence[Sequence[SecretUse]],
    graph: Graph,
) -> Plan:
    place = {number: index for index, number in enumerate(graph.order)}

    def links(ends: Sequence[tuple[int, str]]) -> tuple[Link, ...]:
        return tuple(Link(node=place[number], branch=branch or None) for number, branch in ends)

    planned = []
    for index, number in enumerate(graph.order):
        node = nodes[number]
        assert node.type is not None
        planned.append(
            PlanNode(
                index=index,
                id=node.id,
                name=node.name or node.id,
                type=node.type_name,
                config=configs[number],
                effect=node.type.effect,
                incoming=links(graph.incoming[number]),
                outgoing=links(graph.outgoing[number]),
                predecessors=tuple(nodes[source].id for source, _ in graph.incoming[number]),
                retry=node.retry,
                timeout=node.timeout,
                on_error=node.on_error,
                secrets=tuple(dict.fromkeys(use.name for use in secrets[number])),
            )
        )
    return Plan(
        digest=hashlib.sha256(canonical).hexdigest(),
        canonical=canonical,
        nodes=tuple(planned),
        index=MappingProxyType({node.id: node.index for node in planned}),
        definition_order=tuple(place[number] for number in range(len(nodes))),
        secret_uses=tuple((use.path, use.name) for named in secrets for use in named),
    )
