"""Check the graph of a definition, and put its nodes in order."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from execsvc.definition.problems import Problems, listed, shorten

_Edges = Sequence["GraphEdge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """What the graph has to know of a node."""

    id: str
    path: str
    type: str
    #: Branches it chooses among; None for a node that chooses none; empty where its config is broken.
    branches: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEdge:
    """An edge as the definition has it."""

    source: str
    target: str
    branch: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A checked graph. Nodes are numbers: their places in the definition."""

    #: Topological order; ties in the order of the definition. Lacks the nodes of cycles.
    order: tuple[int, ...]
    #: For each node, (source, branch) of each edge into it.
    incoming: tuple[tuple[tuple[int, str], ...], ...]
    #: For each node, (target, branch) of each edge out of it.
    outgoing: tuple[tuple[tuple[int, str], ...], ...]
    #: For each node, a bit for each node that must be decided before it; None where there are cycles.
    upstream: tuple[int, ...] | None


def check_graph(nodes: Sequence[GraphNode], edges: _Edges, problems: Problems) -> Graph:
    """Note everything that is wrong with a graph. Takes time by nodes and edges."""
    before = len(problems)
    index: dict[str, int] = {}
    for number, node in enumerate(nodes):
        index.setdefault(node.id, number)
    branches = {node.id: frozenset(node.branches) for node in reversed(nodes) if node.branches}
    good = [edge for edge in edges if _check_edge(edge, nodes, index, branches, problems)]
    _check_duplicates(good, problems)
    incoming: list[list[tuple[int, str]]] = [[] for _ in nodes]
    outgoing: list[list[tuple[int, str]]] = [[] for _ in nodes]
    for edge in good:
        source, target = index[edge.source], index[edge.target]
        incoming[target].append((source, edge.branch))
        outgoing[source].append((target, edge.branch))
    order = _sort(incoming, outgoing)
    cyclic = len(order) < len(nodes)
    if cyclic:
        _name_cycles(nodes, good, index, set(order), problems)
    elif len(problems) == before:
        _check_reachable(nodes, outgoing, problems)
    return Graph(
        order=tuple(order),
        incoming=tuple(map(tuple, incoming)),
        outgoing=tuple(map(tuple, outgoing)),
        upstream=None if cyclic else tuple(_upstream(order, incoming)),
    )


def _check_edge(
    edge: GraphEdge,
    nodes: Sequence[GraphNode],
    index: dict[str, int],
    branches: Mapping[str, frozenset[str]],
    problems: Problems,
) -> bool:
    before = len(problems)
    for end, node_id in (("source", edge.source), ("target", edge.target)):
        if node_id not in index:
            problems.add(
                f"{edge.path}.{end}",
                "UNKNOWN_NODE",
                f"there is no node {shorten(node_id)!r}{problems.hint(node_id, index)}",
            )
    if edge.source == edge.target:
        problems.add(edge.path, "SELF_EDGE", f"the edge leads from {shorten(edge.source)!r} to itself")
    if edge.source not in index:
        return False
    source = nodes[index[edge.source]]
    if source.branches is None:
        if edge.branch:
            problems.add(
                f"{edge.path}.branch",
                "BRANCH_ON_NON_CONDITION",
                f"{source.id!r} is of type {shorten(source.type)!r} and has no branches; leave 'branch' out",
            )
    elif source.branches:
        if not edge.branch:
            problems.add(
                f"{edge.path}.branch",
                "MISSING_BRANCH",
                f"an edge out of the condition {source.id!r} names one of {listed(source.branches, repr)}",
            )
        elif edge.branch not in branches[source.id]:
            problems.add(
                f"{edge.path}.branch",
                "UNKNOWN_BRANCH",
                f"the condition {source.id!r} has no branch {shorten(edge.branch)!r}; "
                f"it has {listed(source.branches, repr)}",
            )
    return len(problems) == before or (edge.target in index and edge.source != edge.target)


def _check_duplicates(edges: _Edges, problems: Problems) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for edge in edges:
        first = seen.setdefault((edge.source, edge.target, edge.branch), edge.path)
        if first != edge.path:
            problems.add(edge.path, "DUPLICATE_EDGE", f"the same edge as {first}")


def _sort(incoming: list[list[tuple[int, str]]], outgoing: list[list[tuple[int, str]]]) -> list[int]:
    waiting = [len(sources) for sources in incoming]
    ready = [number for number, count in enumerate(waiting) if count == 0]
    order = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for target, _ in outgoing[number]:
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, target)
    return order


def _name_cycles(
    nodes: Sequence[GraphNode], edges: _Edges, index: dict[str, int], sorted_nodes: set[int], problems: Problems
) -> None:
    """Name cycles that have no node in common; each walk back over what could not be sorted ends in one."""
    back: dict[int, dict[int, GraphEdge]] = {n: {} for n in range(len(nodes)) if n not in sorted_nodes}
    for edge in edges:
        source, target = index[edge.source], index[edge.target]
        if source in back and target in back:
            back[target].setdefault(source, edge)
    done: set[int] = set()
    for start in back:
        walk: dict[int, None] = {}
        number = start
        while number not in done and number not in walk:
            walk[number] = None
            number = next(iter(back[number]))
        if number in walk:
            steps = list(walk)
            cycle = steps[steps.index(number) :][::-1]
            first = cycle.index(min(cycle))
            cycle = cycle[first:] + cycle[:first]
            closing = back[cycle[0]][cycle[-1]]
            names = [nodes[n].id for n in [*cycle, cycle[0]]]
            if len(names) > 50:
                names = [*names[:48], "…", names[-1]]
            problems.add(closing.path, "CYCLE", "the edge closes a cycle: " + " -> ".join(names))
        done.update(walk)


def _check_reachable(nodes: Sequence[GraphNode], outgoing: list[list[tuple[int, str]]], problems: Problems) -> None:
    """Where there are input nodes, everything has to follow from one."""
    starts = [number for number, node in enumerate(nodes) if node.type == "input"]
    if not starts:
        return
    reached = set(starts)
    while starts:
        for target, _ in outgoing[starts.pop()]:
            if target not in reached:
                reached.add(target)
                starts.append(target)
    for number, node in enumerate(nodes):
        if number not in reached:
            problems.add(
                node.path, "UNREACHABLE_NODE", f"no path of edges leads from an input node to {shorten(node.id)!r}"
            )


def _upstream(order: list[int], incoming: list[list[tuple[int, str]]]) -> list[int]:
    masks = [0] * len(incoming)
    for number in order:
        mask = 0
        for source, _ in incoming[number]:
            mask |= masks[source] | 1 << source
        masks[number] = mask
    return masks
