"""What the client answers, as plain Python values; each keeps its protobuf message as ``raw``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from execsvc_client import v1
from execsvc_client._values import Problem, plain_duration, plain_struct, plain_time, plain_value


class ExecutionState(StrEnum):
    """Where an execution stands."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def terminal(self) -> bool:
        """Whether the execution has ended: COMPLETED, FAILED or STOPPED."""
        return self in _TERMINAL


_TERMINAL = frozenset({ExecutionState.COMPLETED, ExecutionState.FAILED, ExecutionState.STOPPED})


class NodeState(StrEnum):
    """Where a node of an execution stands."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class LogLevel(StrEnum):
    """How much a log entry matters, least first."""

    UNSPECIFIED = "UNSPECIFIED"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


_Enum = TypeVar("_Enum", bound=StrEnum)


def _by_number(cls: type[_Enum], wrapper: Any, prefix: str) -> Mapping[int, _Enum]:
    return {number: cls(name.removeprefix(prefix)) for name, number in wrapper.items()}


# A server newer than this client may send values that it does not know; they read as UNSPECIFIED, ``raw`` has them.
_EXECUTION_STATES = _by_number(ExecutionState, v1.ExecutionState, "EXECUTION_STATE_")
_NODE_STATES = _by_number(NodeState, v1.NodeState, "NODE_STATE_")
_LOG_LEVELS = _by_number(LogLevel, v1.LogLevel, "LOG_LEVEL_")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStatus:
    """The short form of an execution."""

    execution_id: str
    #: Empty where none was given.
    workflow_id: str
    state: ExecutionState
    #: Node that started last among those running, else the one that finished last; empty before the first.
    current_node: str
    running_nodes: tuple[str, ...]
    #: 0 to 1; never goes down, and 1 exactly when COMPLETED.
    progress: float
    #: A line for people: why it waits, what it does, or why it failed.
    message: str
    create_time: datetime
    #: None before it first ran.
    start_time: datetime | None
    #: None until it has ended.
    end_time: datetime | None
    raw: v1.ExecutionStatus = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.ExecutionStatus) -> ExecutionStatus:
        """Return what a message says."""
        return cls(
            execution_id=raw.execution_id,
            workflow_id=raw.workflow_id,
            state=_EXECUTION_STATES.get(raw.state, ExecutionState.UNSPECIFIED),
            current_node=raw.current_node,
            running_nodes=tuple(raw.running_nodes),
            progress=raw.progress,
            message=raw.message,
            create_time=raw.create_time.ToDatetime(tzinfo=UTC),
            start_time=plain_time(raw, "start_time"),
            end_time=plain_time(raw, "end_time"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFailure:
    """Why an execution or a node failed. Data, not an exception: the call that reports it has succeeded."""

    #: Node whose failure it was; empty if none's.
    node_id: str
    #: Stable name of the kind of failure, UPPER_SNAKE_CASE.
    type: str
    message: str
    #: Whether another attempt could succeed.
    retryable: bool
    #: Attempt that failed, from 1; 0 where no node failed.
    attempt: int
    raw: v1.ExecutionError = field(repr=False, compare=False)


def _failure(message: v1.Execution | v1.NodeRun) -> ExecutionFailure | None:
    if not message.HasField("error"):
        return None
    raw = message.error
    return ExecutionFailure(
        node_id=raw.node_id,
        type=raw.type,
        message=raw.message,
        retryable=raw.retryable,
        attempt=raw.attempt,
        raw=raw,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens that language models have used."""

    input_tokens: int
    output_tokens: int
    #: As the provider counts it; it need not be the sum of the other two.
    total_tokens: int


def _usage(message: v1.Execution | v1.NodeRun) -> TokenUsage | None:
    if not message.HasField("usage"):
        return None
    raw = message.usage
    return TokenUsage(input_tokens=raw.input_tokens, output_tokens=raw.output_tokens, total_tokens=raw.total_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """What the journal holds of one node."""

    node_id: str
    #: Its type: ``llm``, ``transform``, …
    type: str
    state: NodeState
    #: Attempts made, the running one included; 0 before the first.
    attempt: int
    start_time: datetime | None
    end_time: datetime | None
    #: Its result; None until COMPLETED, and in the basic view.
    output: Any
    #: Also set where the node failed and ``on_error`` let the execution go on.
    error: ExecutionFailure | None
    #: None where it called no model.
    usage: TokenUsage | None
    #: Branch a condition chose; empty for other nodes.
    branch: str
    raw: v1.NodeRun = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.NodeRun) -> NodeRun:
        """Return what a message says."""
        return cls(
            node_id=raw.node_id,
            type=raw.type,
            state=_NODE_STATES.get(raw.state, NodeState.UNSPECIFIED),
            attempt=raw.attempt,
            start_time=plain_time(raw, "start_time"),
            end_time=plain_time(raw, "end_time"),
            output=plain_value(raw.output),
            error=_failure(raw),
            usage=_usage(raw),
            branch=raw.branch,
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and how far apart, a failed attempt is repeated."""

    #: Attempts in all, the first included: 1 to 100.
    max_attempts: int = 1
    #: Wait before the second attempt, seconds.
    initial_backoff: float = 1.0
    #: Factor from one wait to the next, at least 1.
    multiplier: float = 2.0
    #: Longest wait between two attempts, seconds.
    max_backoff: float = 60.0
    #: Error types that are never repeated, besides those that cannot succeed.
    non_retryable: tuple[str, ...] = ()

    @classmethod
    def from_proto(cls, raw: v1.RetryPolicy) -> RetryPolicy:
        """Return what a message says; what it leaves out has the standard value."""
        standard = cls()
        initial, longest = plain_duration(raw, "initial_backoff"), plain_duration(raw, "max_backoff")
        return cls(
            max_attempts=raw.max_attempts or standard.max_attempts,
            initial_backoff=standard.initial_backoff if initial is None else initial.total_seconds(),
            multiplier=raw.multiplier or standard.multiplier,
            max_backoff=standard.max_backoff if longest is None else longest.total_seconds(),
            non_retryable=tuple(raw.non_retryable),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of an execution; in lists without nodes, definition, input and output."""

    status: ExecutionStatus
    #: Told apart from an earlier execution of the same id that was deleted.
    uid: str
    #: Content hash of the definition, lower-case hex.
    definition_digest: str
    #: As it was sent; None in the basic view and in lists.
    definition: v1.WorkflowDefinition | None
    #: As it was sent; None in the basic view and in lists.
    input: dict[str, Any] | None
    #: The result. None until COMPLETED, in the basic view and in lists.
    output: Any
    #: Why it failed; None unless FAILED.
    error: ExecutionFailure | None
    #: By node id, in the order of the definition; empty in lists.
    nodes: Mapping[str, NodeRun]
    labels: Mapping[str, str]
    #: Higher runs first.
    priority: int
    #: Longest it may run, pauses not counted; None: no limit.
    timeout: timedelta | None
    concurrency_key: str
    #: Of nodes with effects that say nothing of their own; None: failed attempts are not repeated.
    retry: RetryPolicy | None
    #: None where no model was called, and in lists.
    usage: TokenUsage | None
    raw: v1.Execution = field(repr=False, compare=False)

    @property
    def execution_id(self) -> str:
        """Id of the execution."""
        return self.status.execution_id

    @property
    def state(self) -> ExecutionState:
        """Where it stands."""
        return self.status.state

    @classmethod
    def from_proto(cls, raw: v1.Execution) -> Execution:
        """Return what a message says."""
        return cls(
            status=ExecutionStatus.from_proto(raw.status),
            uid=raw.uid,
            definition_digest=raw.definition_digest,
            definition=raw.definition if raw.HasField("definition") else None,
            input=plain_struct(raw.input) if raw.HasField("input") else None,
            output=plain_value(raw.output),
            error=_failure(raw),
            nodes={node.node_id: NodeRun.from_proto(node) for node in raw.nodes},
            labels=dict(raw.labels),
            priority=raw.priority,
            timeout=plain_duration(raw, "timeout"),
            concurrency_key=raw.concurrency_key,
            retry=RetryPolicy.from_proto(raw.retry) if raw.HasField("retry") else None,
            usage=_usage(raw),
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of an execution's log."""

    #: Position in the log: 1, 2, 3, … without gaps.
    sequence: int
    time: datetime
    level: LogLevel
    #: Empty where the entry speaks of the execution.
    node_id: str
    #: Attempt of the node, from 1; 0 where there is none.
    attempt: int
    message: str
    #: Facts for programs, such as ``{"event": "node_completed"}``.
    metadata: Mapping[str, Any]
    raw: v1.LogEntry = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.LogEntry) -> LogEntry:
        """Return what a message says."""
        return cls(
            sequence=raw.sequence,
            time=raw.time.ToDatetime(tzinfo=UTC),
            level=_LOG_LEVELS.get(raw.level, LogLevel.UNSPECIFIED),
            node_id=raw.node_id,
            attempt=raw.attempt,
            message=raw.message,
            metadata=plain_struct(raw.metadata),
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What the server found out about a definition."""

    #: Whether Execute would take it: there are no problems.
    valid: bool
    #: All of them, each with its path.
    problems: tuple[Problem, ...]
    #: Content hash of the definition, lower-case hex; empty if it is not valid.
    definition_digest: str
    raw: v1.ValidateWorkflowResponse = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.ValidateWorkflowResponse) -> Validation:
        """Return what a message says."""
        return cls(
            valid=raw.valid,
            problems=tuple(
                Problem(path=problem.path, reason=problem.reason, message=problem.message) for problem in raw.problems
            ),
            definition_digest=raw.definition_digest,
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A kind of node that the server runs."""

    name: str
    description: str
    #: JSON Schema (draft 2020-12) of its config.
    config_schema: Mapping[str, Any]
    #: Whether it acts on the world outside.
    effect: bool
    raw: v1.NodeType = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.NodeType) -> NodeType:
        """Return what a message says."""
        return cls(
            name=raw.name,
            description=raw.description,
            config_schema=plain_struct(raw.config_schema),
            effect=raw.effect,
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A version of a workflow that is stored on the server."""

    workflow_id: str
    #: Content hash of the definition, lower-case hex.
    version: str
    #: None in lists, and from ``create_workflow``.
    definition: v1.WorkflowDefinition | None
    #: When this version was stored first.
    create_time: datetime
    #: Whether the call that answered this has just stored it; False if the version was there before.
    created: bool
    raw: v1.Workflow = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.Workflow, *, created: bool = False) -> Workflow:
        """Return what a message says."""
        return cls(
            workflow_id=raw.workflow_id,
            version=raw.version,
            definition=raw.definition if raw.HasField("definition") else None,
            create_time=raw.create_time.ToDatetime(tzinfo=UTC),
            created=created,
            raw=raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What the server is and allows."""

    version: str
    start_time: datetime | None
    #: Optional abilities by name, for example ``store:sqlite``.
    capabilities: tuple[str, ...]
    #: Whether it is shutting down and takes no new executions.
    draining: bool
    #: Sizes in bytes, counts of nodes and executions; field by field as the API documents them.
    limits: v1.ServerLimits
    raw: v1.GetServerInfoResponse = field(repr=False, compare=False)
