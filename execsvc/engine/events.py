"""The one place through which every change of a node or an execution passes on its way out of the engine."""

from __future__ import annotations

from typing import Protocol

from execsvc.model import ErrorInfo, ExecutionState, NodeState, TokenUsage
from execsvc.record import record


@record(frozen=True, slots=True, kw_only=True)
class NodeChanged:
    """A node moved to another state, or began another attempt."""

    namespace: str
    execution_id: str
    uid: str
    node_id: str
    type: str
    state: NodeState
    attempt: int
    #: Microseconds the attempt took; 0 where it has not ended.
    duration: int
    error: ErrorInfo | None
    #: Tokens that this attempt used.
    usage: TokenUsage | None


@record(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """An engine let go of an execution."""

    namespace: str
    execution_id: str
    uid: str
    #: Where the execution stands; RUNNING if the server is going down and the execution will go on later.
    state: ExecutionState


Event = NodeChanged | RunEnded


class Observer(Protocol):
    """Whoever wants to know. Called on the event loop; must neither block nor raise."""

    def __call__(self, event: Event) -> None:
        """Take note of one event."""
        ...


class TokenListener(Protocol):
    """Whoever wants to see models' answers grow. Called on the event loop; must neither block nor raise."""

    def __call__(self, namespace: str, execution_id: str, node_id: str, attempt: int, text: str) -> None:
        """Take a piece of an answer."""
        ...
