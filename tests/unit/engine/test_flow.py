"""Which nodes run: every node of any graph is settled once, as a plain recursive definition says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from execsvc.definition import Link, OnError, OutputConfig, Plan, PlanNode
from execsvc.engine.flow import Flow

#: (source, target, branch), each source before its target.
Edges = Sequence[tuple[int, int, str | None]]


def plan(size: int, edges: Edges) -> Plan:
    incoming: list[list[Link]] = [[] for _ in range(size)]
    outgoing: list[list[Link]] = [[] for _ in range(size)]
    for source, target, branch in edges:
        outgoing[source].append(Link(node=target, branch=branch))
        incoming[target].append(Link(node=source, branch=branch))
    nodes = tuple(
        PlanNode(
            index=i,
            id=f"n{i}",
            name=f"n{i}",
            type="output",
            config=OutputConfig(expression=None),
            effect=False,
            incoming=tuple(incoming[i]),
            predecessors=(),
            outgoing=tuple(outgoing[i]),
            retry=None,
            timeout=None,
            on_error=OnError(),
        )
        for i in range(size)
    )
    return Plan(
        digest="",
        canonical=b"",
        nodes=nodes,
        index={node.id: node.index for node in nodes},
        definition_order=tuple(range(size)),
    )


def should_run(edges: Edges, chosen: Sequence[str | None]) -> Callable[[int], bool]:
    """A node runs if it has no incoming edge, or one of them is active; an edge is if its source ran and chose it."""

    @cache
    def runs(node: int) -> bool:
        incoming = [(source, branch) for source, target, branch in edges if target == node]
        return not incoming or any(runs(source) and branch in (None, chosen[source]) for source, branch in incoming)

    return runs


@dataclass(frozen=True)
class Case:
    """A graph, the branch each node would choose, and how the order of finishing is picked."""

    size: int
    edges: Edges
    chosen: Sequence[str | None]
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(1, 12))
    pairs = [(source, target) for target in range(size) for source in range(target)]
    edges: list[tuple[int, int, str | None]] = []
    conditions = draw(st.sets(st.integers(0, size - 1)))
    for source, target in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []:
        branches: list[str | None] = [None]
        if source in conditions:
            # Several edges may join a pair, under different branches.
            branches = list(draw(st.sets(st.sampled_from(["true", "false"]), min_size=1)))
        edges += [(source, target, branch) for branch in branches]
    chosen = [draw(st.sampled_from(["true", "false", None])) if i in conditions else None for i in range(size)]
    return Case(size, edges, chosen, draw(st.integers(0, 1000)))


@given(cases())
def test_every_node_of_any_graph_is_settled_once_and_right(case: Case) -> None:
    built = plan(case.size, case.edges)
    flow = Flow(built)
    runs = should_run(case.edges, case.chosen)
    order = random.Random(case.seed)
    ran: list[int] = []
    skipped: list[int] = []
    offered: list[PlanNode] = []
    while flow.ready or offered:
        offered.extend(flow.ready)
        flow.ready.clear()
        node = offered.pop(order.randrange(len(offered)))
        sources = {source for source, target, _ in case.edges if target == node.index}
        assert sources <= {*ran, *skipped}, "it starts only once everything before it is settled"
        assert not flow.is_settled(node)
        ran.append(node.index)
        skipped += [other.index for other in flow.finish(node, case.chosen[node.index])]
        assert flow.done == len(ran) + len(skipped)
        assert flow.complete is (flow.done == case.size)
        assert {node.index for node in built.nodes if flow.is_settled(node)} == {*ran, *skipped}
    assert flow.complete
    assert sorted(ran + skipped) == list(range(case.size))
    assert set(ran) == {i for i in range(case.size) if runs(i)}


@given(cases(), st.randoms(use_true_random=False))
def test_what_was_recorded_may_be_replayed_in_topological_order(case: Case, order: random.Random) -> None:
    """Recovery finishes recorded nodes that no longer wait in ``ready``, then goes on with what is ready."""
    runs = should_run(case.edges, case.chosen)
    # What a journal can hold: nodes whose sources that ran are in it too.
    recorded: set[int] = set()
    for i in range(case.size):
        before = {source for source, target, _ in case.edges if target == i and runs(source)}
        if runs(i) and before <= recorded and order.random() < 0.7:
            recorded.add(i)
    built = plan(case.size, case.edges)
    flow = Flow(built)
    for i in sorted(recorded):
        flow.finish(built.nodes[i], case.chosen[i])
    started: list[int] = []
    while flow.ready:
        node = flow.ready.popleft()
        if not flow.is_settled(node):
            started.append(node.index)
            flow.finish(node, case.chosen[node.index])
    assert flow.complete
    assert sorted(started) == [i for i in range(case.size) if runs(i) and i not in recorded]


def test_nodes_become_ready_in_the_order_they_can_start() -> None:
    built = plan(4, [(0, 2, None), (1, 3, None)])
    flow = Flow(built)
    assert [node.id for node in flow.ready] == ["n0", "n1"]
    flow.ready.clear()
    flow.finish(built.nodes[1], None)
    flow.finish(built.nodes[0], None)
    assert [node.id for node in flow.ready] == ["n3", "n2"]


def test_join_of_a_taken_and_a_dead_branch_runs() -> None:
    built = plan(4, [(0, 1, "true"), (0, 2, "false"), (1, 3, None), (2, 3, None)])
    flow = Flow(built)
    assert [node.id for node in flow.finish(built.nodes[0], "true")] == ["n2"]
    flow.ready.clear()
    flow.finish(built.nodes[1], None)
    assert [node.id for node in flow.ready] == ["n3"]


def test_branch_nobody_has_leaves_everything_behind_it_skipped_in_order() -> None:
    built = plan(5, [(0, 1, "true"), (0, 2, "false"), (1, 3, None), (2, 3, None), (3, 4, None)])
    flow = Flow(built)
    assert [node.id for node in flow.finish(built.nodes[0], None)] == ["n1", "n2", "n3", "n4"]
    assert flow.complete


def test_chain_of_thousands_of_dead_nodes_needs_no_deep_stack() -> None:
    size = 5000
    built = plan(size, [(i, i + 1, "true" if i == 0 else None) for i in range(size - 1)])
    assert len(Flow(built).finish(built.nodes[0], None)) == size - 1
