"""What a node type must offer the engine, and what the engine offers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

from execsvc.definition import Scope
from execsvc.egress.network import Network
from execsvc.engine.tracing import AttemptTrace
from execsvc.model import LogLevel, TokenUsage
from execsvc.record import record

if TYPE_CHECKING:
    import httpx2

#: Bytes of JSON text of one node's result.
MAX_OUTPUT: Final = 4 * 1024 * 1024


class NodeError(Exception):
    """An attempt of a node failed; data of the execution, never an RPC error.

    Args:
        type: stable name of the kind of failure, UPPER_SNAKE_CASE.
        message: what happened, for people; no secret, no stack trace.
        retryable: whether another attempt could succeed.
        retry_after: seconds that whoever refused asked to wait for, if it did.
        usage: tokens that the failed attempt has used all the same.
    """

    def __init__(
        self,
        type: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        usage: TokenUsage | None = None,
    ) -> None:
        self.type = type
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        self.usage = usage
        super().__init__(f"{type}: {message}")


@record(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """What one attempt of a node may see and do."""

    execution_id: str
    node_id: str
    #: From 1.
    attempt: int
    #: The same for an attempt that is run again after a crash: ``execution uid/node/attempt``.
    idempotency_key: str
    #: The same for all attempts that one retry policy makes, and so the key of what they do together: ``execution
    #: uid/node/number of the first of them``. Control.retry begins with another one.
    series_key: str
    #: What expressions and templates see: input, nodes, execution.
    scope: Scope
    #: Writes an entry into the execution's log: ``log(level, message, metadata)``. Never blocks.
    log: Callable[[LogLevel, str, Mapping[str, Any]], None]
    #: Hands a piece of a model's answer to whoever watches. Never blocks.
    emit_token: Callable[[str], None]
    #: What the node may call outside.
    network: Network
    #: Ids of the nodes whose edges lead here, in the order of the definition.
    predecessors: tuple[str, ...] = ()
    #: Values of the secrets that the node's config names, by name. Whatever the attempt answers, logs or raises is
    #: looked through for them.
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Traces this attempt; None: nobody does.
    trace: AttemptTrace | None = None

    @property
    def http(self) -> httpx2.AsyncClient:
        """The client for calls to the world outside: to hosts that the operator lets nodes call, and within bounds.

        It is shared and closed by the engine. Where it refuses a host (ADDRESS_NOT_ALLOWED) or an answer
        (RESPONSE_TOO_LARGE), an exception of the package ``execsvc.egress`` says why; let through, it fails the node
        with that type. All else is httpx2's own.
        """
        return self.network.client

    def incoming(self) -> dict[str, Any]:
        """Results of the predecessors that ran, by node id."""
        nodes = self.scope.nodes
        return {node_id: nodes[node_id] for node_id in self.predecessors if node_id in nodes}


@record(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """What an attempt produced."""

    #: JSON value: None, bool, int, float, str, list or dict with str keys. No NaN, no infinity.
    output: Any
    #: For a condition: the branch it chose, or None.
    branch: str | None = None
    usage: TokenUsage | None = None
    #: Whether ``output`` was looked through with ``check_json``, which of megabytes takes a while.
    checked: bool = False


class PureNode(Protocol):
    """A node type without effects; runs inline in microseconds and may run again after a crash."""

    effect: ClassVar[Literal[False]] = False

    def run(self, config: Any, context: NodeContext) -> NodeResult:
        """Compute the result, or raise NodeError."""
        ...


class EffectNode(Protocol):
    """A node type that acts on the world outside; runs as a LangGraph task and may be cancelled at any await."""

    effect: ClassVar[Literal[True]] = True

    async def run(self, config: Any, context: NodeContext) -> NodeResult:
        """Act and answer the result, or raise NodeError. Must let CancelledError through."""
        ...


#: Executors by node type.
Executors = Mapping[str, PureNode | EffectNode]
