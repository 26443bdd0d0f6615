"""What the service should do, said as plainly as can be: a model of executions, slots and the queue, without time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from execsvc.model import CONTROL, ControlAction, ExecutionState, NodeState

SLOTS: Final = 2
CAPACITY: Final = 2
#: Attempts of nodes that have a retry policy.
ATTEMPTS: Final = 2

_S = ExecutionState


@dataclass(frozen=True, slots=True)
class Shape:
    """A workflow as the model sees it."""

    #: Predecessors by node, in an order in which they can run; with the branch that makes an edge active, or "".
    edges: dict[str, list[tuple[str, str]]]
    #: Nodes whose outcome the test decides.
    told: frozenset[str]
    #: Those of them with a retry policy, and with a fallback.
    retried: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()


#: ``check`` nodes choose the branch "true" where ``a`` answered "yes".
SHAPES: Final = {
    "chain": Shape({"a": [], "b": [("a", "")], "out": [("b", "")]}, told=frozenset("ab"), retried=frozenset("b")),
    "fan": Shape(
        {"start": [], "a": [("start", "")], "b": [("start", "")], "c": [("a", ""), ("b", "")], "out": [("c", "")]},
        told=frozenset("abc"),
        retried=frozenset("a"),
        excused=frozenset("b"),
    ),
    "branch": Shape(
        {
            "a": [],
            "check": [("a", "")],
            "yes": [("check", "true")],
            "no": [("check", "false")],
            "end": [("yes", ""), ("no", "")],
            "out": [("end", "")],
        },
        told=frozenset({"a", "yes"}),
        retried=frozenset({"a", "yes"}),
    ),
}


@dataclass(slots=True)
class Node:
    """A node of an execution."""

    state: NodeState = NodeState.PENDING
    attempt: int = 0
    #: Attempts that the retry policy no longer counts.
    before: int = 0
    #: Whether an attempt waits for its outcome right now. RUNNING and not under way: cut off by the server's end.
    under_way: bool = False
    value: Any = None


@dataclass(slots=True)
class Execution:
    """An execution."""

    shape: str
    priority: int
    order: int
    #: What the client sent besides; another one is another request.
    number: int
    state: ExecutionState = _S.PENDING
    nodes: dict[str, Node] = field(default_factory=dict)
    #: Whether it has a slot; a paused one keeps it until its nodes have ended.
    slot: bool = False
    #: Whether it waits for one.
    queued: bool = True
    failed: bool = False
    #: Action and answered state by request id.
    requests: dict[str, tuple[ControlAction, ExecutionState]] = field(default_factory=dict)
    retries: int = 0

    @property
    def under_way(self) -> set[str]:
        """Nodes with an attempt under way."""
        return {name for name, node in self.nodes.items() if node.under_way}

    @property
    def settled(self) -> int:
        """Nodes finished or skipped."""
        return sum(node.state in (NodeState.COMPLETED, NodeState.SKIPPED) for node in self.nodes.values())


class World:
    """All executions. Operations change what they are about; ``advance`` does what the service does by itself."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self._order = 0
        # What servers that share a database are free to do, which know of each other what they were told:
        #: Let in more than may wait.
        self.overruns = False
        #: Let a resumed execution wait, to look who has come first, and which of them has a slot.
        self.looks_first = False
        #: Answer RUNNING to a resume that found the run under way, which has ended by the time it takes effect.
        self.just_ended = False
        self._ends = True

    @property
    def _waiting(self) -> list[Execution]:
        waiting = [execution for execution in self.executions.values() if execution.queued]
        return sorted(waiting, key=lambda execution: (-execution.priority, execution.order))

    @property
    def _free(self) -> int:
        return SLOTS - sum(execution.slot for execution in self.executions.values())

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return len(self._waiting) >= CAPACITY and not self.overruns

    # What clients do

    def execute(self, execution_id: str, shape: str, *, priority: int, number: int) -> str:
        """Answers the state, or the reason of the refusal."""
        known = self.executions.get(execution_id)
        if known is not None:
            same = (known.shape, known.priority, known.number) == (shape, priority, number)
            return known.state if same else "EXECUTION_EXISTS"
        if self.full:
            return "QUEUE_FULL"
        self._order += 1
        nodes = {name: Node() for name in SHAPES[shape].edges}
        self.executions[execution_id] = Execution(shape, priority, self._order, number, nodes=nodes)
        return _S.PENDING

    def control(
        self, execution_id: str, action: ControlAction, *, request_id: str = "", expected: ExecutionState | None = None
    ) -> set[str]:
        """Answers the states or reasons of which one must be the answer."""
        execution = self.executions.get(execution_id)
        if execution is None:
            return {"EXECUTION_NOT_FOUND"}
        full = {"QUEUE_FULL"} if action is ControlAction.RETRY and self.full else set()
        if request_id in execution.requests:
            was, answered = execution.requests[request_id]
            return {answered} | full if was is action else {"REQUEST_ID_REUSED"} | full
        if expected is not None and expected is not execution.state:
            return {"STATE_CHANGED"} | full
        allowed, _ = CONTROL[action]
        if execution.state not in allowed:
            return {"ILLEGAL_TRANSITION"} | full
        if full:
            return full
        answers = getattr(self, f"_{action}")(execution)
        if request_id:
            execution.requests[request_id] = (action, next(iter(answers)))
        return {str(state) for state in answers}

    def _pause(self, execution: Execution) -> set[ExecutionState]:
        execution.state = _S.PAUSED
        execution.queued = False
        return {_S.PAUSED}

    def _resume(self, execution: Execution) -> set[ExecutionState]:
        in_place = execution.slot
        at_once = in_place or (self._free > 0 and not self._waiting and not self.looks_first)
        execution.state = _S.RUNNING if at_once or self.just_ended else _S.PENDING
        execution.queued = not in_place
        return {execution.state}

    def _stop(self, execution: Execution) -> set[ExecutionState]:
        execution.state = _S.STOPPED
        execution.queued = execution.slot = False
        self._cancel(execution)
        return {_S.STOPPED}

    def _retry(self, execution: Execution) -> set[ExecutionState]:
        execution.state = _S.PENDING
        execution.queued, execution.failed = True, False
        execution.retries += 1
        for node in execution.nodes.values():
            if node.state in (NodeState.FAILED, NodeState.CANCELLED, NodeState.PENDING):
                node.state, node.before = NodeState.PENDING, node.attempt
        return {_S.PENDING}

    def delete(self, execution_id: str) -> str:
        """Answers the empty text, or the reason of the refusal."""
        execution = self.executions.get(execution_id)
        if execution is None:
            return "EXECUTION_NOT_FOUND"
        if not execution.state.terminal:
            return "ILLEGAL_TRANSITION"
        del self.executions[execution_id]
        return ""

    # What happens at nodes

    def complete(self, execution_id: str, name: str, value: str) -> None:
        """An attempt gives a value."""
        node = self.executions[execution_id].nodes[name]
        node.under_way = False
        node.state, node.value = NodeState.COMPLETED, value

    def fail(self, execution_id: str, name: str, *, retryable: bool) -> None:
        """An attempt fails."""
        execution = self.executions[execution_id]
        node, shape = execution.nodes[name], SHAPES[execution.shape]
        node.under_way = False
        attempts = ATTEMPTS if name in shape.retried else 1
        if retryable and node.attempt - node.before < attempts:
            node.state = NodeState.PENDING
        elif name in shape.excused:
            node.state, node.value = NodeState.COMPLETED, "fell back"
        else:
            node.state = NodeState.FAILED
            execution.failed = True

    def restart(self) -> None:
        """The server goes down, cutting off what is under way, and another one starts."""
        for execution in self.executions.values():
            for node in execution.nodes.values():
                node.under_way = False
            execution.slot = False
            execution.queued = execution.state in (_S.PENDING, _S.RUNNING)

    # What the service does by itself

    def cut(self) -> None:
        """Cancel what is under way beside a failure; the state is left as it is."""
        for execution in self.executions.values():
            if execution.state is _S.RUNNING and execution.failed:
                for node in execution.nodes.values():
                    node.under_way = False

    def run_nodes(self) -> None:
        """Do all but end executions, where the pause of another server comes before the end."""
        self._ends = False
        self.advance()
        self._ends = True
        self.cut()

    def advance(self) -> None:
        """Start and end what can start and end, until nothing can."""
        while any(self._step(execution) for execution in self.executions.values()) or self._start():
            pass

    def _start(self) -> bool:
        if not self._free or not self._waiting:
            return False
        execution = self._waiting[0]
        execution.queued, execution.slot, execution.state = False, True, _S.RUNNING
        return True

    def _step(self, execution: Execution) -> bool:
        if not execution.slot:
            return False
        if execution.state is _S.PAUSED:
            execution.slot = bool(execution.under_way)
            return not execution.slot
        if execution.failed:
            return self._ends and self._end(execution, _S.FAILED)
        moved = any(self._step_node(execution, name) for name in execution.nodes)
        if not moved and execution.settled == len(execution.nodes):
            return self._ends and self._end(execution, _S.COMPLETED)
        return moved

    def _step_node(self, execution: Execution, name: str) -> bool:
        node, shape = execution.nodes[name], SHAPES[execution.shape]
        if node.under_way or node.state not in (NodeState.PENDING, NodeState.RUNNING):
            return False
        before = [(execution.nodes[source], branch) for source, branch in shape.edges[name]]
        if any(source.state not in (NodeState.COMPLETED, NodeState.SKIPPED) for source, _ in before):
            return False
        if before and not any(_active(source, branch) for source, branch in before):
            node.state = NodeState.SKIPPED
        elif name in shape.told:
            if node.state is NodeState.PENDING:
                node.attempt += 1
            node.state, node.under_way = NodeState.RUNNING, True
        else:
            node.state, node.attempt = NodeState.COMPLETED, 1
            if name == "check":
                node.value = "true" if execution.nodes["a"].value == "yes" else "false"
        return True

    def _end(self, execution: Execution, state: ExecutionState) -> bool:
        execution.state, execution.slot = state, False
        self._cancel(execution)
        return True

    def _cancel(self, execution: Execution) -> None:
        for node in execution.nodes.values():
            node.under_way = False
            if node.state is NodeState.RUNNING:
                node.state = NodeState.CANCELLED


def _active(source: Node, branch: str) -> bool:
    return source.state is NodeState.COMPLETED and branch in ("", source.value)
