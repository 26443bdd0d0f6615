"""Which nodes of a plan may start: decided by data alone, one node at a time (dead-path elimination)."""

from __future__ import annotations

from collections import deque

from execsvc.definition import Plan, PlanNode


class Flow:
    """The state of one walk through a plan.

    A node is ready once every incoming edge is decided and at least one is active. Where none is active it is
    skipped, and its outgoing edges are decided as inactive; so every node is settled exactly once and joins never
    hang.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._undecided = [len(node.incoming) for node in plan.nodes]
        self._active = [not node.incoming for node in plan.nodes]
        self._settled = [False] * len(plan.nodes)
        #: Nodes settled so far, skipped ones included.
        self.done = 0
        #: Nodes that may start, in the order they became ready.
        self.ready: deque[PlanNode] = deque(node for node in plan.nodes if not node.incoming)

    @property
    def complete(self) -> bool:
        """Whether every node is settled."""
        return self.done == len(self._plan.nodes)

    def is_settled(self, node: PlanNode) -> bool:
        """Whether a node has finished or was skipped."""
        return self._settled[node.index]

    def finish(self, node: PlanNode, branch: str | None) -> list[PlanNode]:
        """Settle a node that has a result; nodes this makes ready join ``ready``.

        Args:
            branch: the branch a condition chose; edges under other branches become inactive.

        Returns:
            The nodes that are skipped in consequence, in order.
        """
        skipped: list[PlanNode] = []
        settling: deque[tuple[PlanNode, bool]] = deque([(node, True)])
        nodes = self._plan.nodes
        while settling:
            current, ran = settling.popleft()
            self._settled[current.index] = True
            self.done += 1
            for link in current.outgoing:
                target = link.node
                self._undecided[target] -= 1
                if ran and (link.branch is None or link.branch == branch):
                    self._active[target] = True
                if not self._undecided[target]:
                    if self._active[target]:
                        self.ready.append(nodes[target])
                    else:
                        skipped.append(nodes[target])
                        settling.append((nodes[target], False))
        return skipped
