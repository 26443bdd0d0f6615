"""An execution as the service records it. Times are microseconds since the Unix epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from execsvc.model.states import ExecutionState, LogLevel, NodeState
from execsvc.record import record


@record(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """Why an execution or a node failed."""

    #: Stable name of the kind of failure, UPPER_SNAKE_CASE.
    type: str
    #: What happened, for people; holds no secret and no stack trace.
    message: str
    #: Node whose failure it was; empty if none's.
    node_id: str = ""
    #: Whether another attempt could succeed.
    retryable: bool = False
    #: Attempt that failed, from 1; 0 where no node failed.
    attempt: int = 0


@record(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens that language models have used."""

    input_tokens: int = 0
    output_tokens: int = 0
    #: As the provider counts it; it need not be the sum of the other two.
    total_tokens: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


@record(frozen=True, slots=True, kw_only=True)
class ExecutionStatus:
    """The short form of an execution; what one indexed read gives."""

    execution_id: str
    #: Told apart from an earlier execution of the same id that was deleted.
    uid: str
    workflow_id: str
    state: ExecutionState
    #: Node that started last among those running, else the one that finished last.
    current_node: str
    running_nodes: tuple[str, ...]
    #: Nodes finished or skipped.
    nodes_done: int
    #: Nodes in all.
    nodes_total: int
    message: str
    create_time: int
    start_time: int | None
    end_time: int | None
    #: Sequence of the newest log entry; 0 before the first.
    last_sequence: int
    #: Lease epoch: grows with each claim, and every engine write must carry the current one.
    epoch: int

    @property
    def progress(self) -> float:
        """Done over all, 0 to 1; 1.0 exactly when COMPLETED."""
        if self.state is ExecutionState.COMPLETED:
            return 1.0
        # A failed output or a stop after the last node must not read as complete.
        return min(self.nodes_done / self.nodes_total, 0.999) if self.nodes_total else 0.0


@record(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """What the journal holds of one node of an execution."""

    node_id: str
    state: NodeState
    #: Attempts made, the running one included.
    attempt: int = 0
    #: Those of them made before the execution was last retried; its retry policy counts from there.
    attempts_before: int = 0
    #: When the next attempt is due, while it waits for one.
    retry_time: int | None = None
    start_time: int | None = None
    end_time: int | None = None
    #: JSON text of the result, once COMPLETED.
    output: bytes | None = None
    #: Branch a condition chose; None where it chose none or is no condition.
    branch: str | None = None
    error: ErrorInfo | None = None
    #: Tokens that all its attempts used.
    usage: TokenUsage | None = None


@record(frozen=True, slots=True, kw_only=True)
class NewLogEntry:
    """A log entry that has no sequence yet."""

    time: int
    level: LogLevel
    message: str
    node_id: str = ""
    attempt: int = 0
    #: Facts for programs; JSON values only.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Bytes of the metadata as JSON, where a node wrote it; what the engine writes is small.
    metadata_size: int = field(default=0, compare=False, repr=False)
    #: What ``encoding.log_entries.encode_ahead`` has made of it.
    rest: bytes | None = field(default=None, init=False, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An entry of an execution's log."""

    #: Position in the log: 1, 2, 3, … without gaps.
    sequence: int
    time: int
    level: LogLevel
    message: str
    node_id: str
    attempt: int
    metadata: Mapping[str, Any]


@record(frozen=True, slots=True, kw_only=True)
class ExecutionRequest:
    """What a client asked for, once validated; fixed for the life of the execution."""

    execution_id: str
    workflow_id: str
    #: Content hash of the definition, lower-case hex.
    definition_digest: str
    #: Canonical JSON text of the definition.
    definition: bytes
    #: JSON text of the input.
    input: bytes
    labels: Mapping[str, str]
    priority: int
    #: Longest run time in microseconds, pauses not counted; None: no limit.
    timeout: int | None
    concurrency_key: str
    #: Hash of everything above: a repeat of the request has the same.
    request_digest: str
    #: Nodes of the definition.
    nodes_total: int
    #: Canonical JSON text of the retry policy of nodes with effects that have none; None: one attempt.
    retry: bytes | None = None


@record(frozen=True, slots=True, kw_only=True)
class Execution:
    """The whole record of an execution."""

    status: ExecutionStatus
    definition_digest: str
    #: Canonical JSON text of the definition.
    definition: bytes
    labels: Mapping[str, str]
    priority: int
    timeout: int | None
    concurrency_key: str
    #: JSON text of the input; None in the BASIC view.
    input: bytes | None
    #: JSON text of the result, once COMPLETED; None in the BASIC view.
    output: bytes | None
    error: ErrorInfo | None
    #: Nodes the journal knows, by id; a node that has not started is absent.
    nodes: Mapping[str, NodeRun]
    #: As in ExecutionRequest.
    retry: bytes | None = None


@record(frozen=True, slots=True, kw_only=True)
class StoredWorkflow:
    """A version of a workflow stored under a name."""

    workflow_id: str
    #: Content hash of the definition.
    version: str
    create_time: int
    #: Canonical JSON text; None in lists.
    definition: bytes | None
