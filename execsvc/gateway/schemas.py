"""The documents of the HTTP API as models: requests are checked by them, answers are described by them in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

#: Ids as the server takes them. It alone judges: here the pattern only describes.
ID_PATTERN: Final = "^[A-Za-z0-9_.:-]{1,128}$"

ExecutionStateName = Literal["pending", "running", "paused", "completed", "failed", "stopped"]
NodeStateName = Literal["pending", "running", "completed", "failed", "skipped", "cancelled"]
LevelName = Literal["debug", "info", "warning", "error"]
View = Literal["full", "basic"]

GREETING: Final[dict[str, Any]] = {
    "nodes": [
        {"id": "start", "type": "input"},
        {"id": "greet", "type": "llm", "config": {"model": "echo:", "prompt": "Hello, {{input.name}}!"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "start", "target": "greet"}, {"source": "greet", "target": "end"}],
}
_STATUS: Final[dict[str, Any]] = {
    "execution_id": "hello-1",
    "workflow_id": "greeting",
    "status": "running",
    "current_node": "greet",
    "running_nodes": ["greet"],
    "progress": 0.3333333333333333,
    "message": "running greet",
    "create_time": "2026-01-31T12:00:00.000001Z",
    "start_time": "2026-01-31T12:00:00.001500Z",
    "end_time": None,
}

_Id = Annotated[str | None, Field(json_schema_extra={"pattern": ID_PATTERN})]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    """What the mapping writes; further fields may be added later."""


class Definition(BaseModel):
    """A workflow: a directed graph of nodes without cycles. React Flow exports are taken as they are."""

    nodes: list[dict[str, Any]] = Field(description="Each with `id`, `type`, `config`; see `GET /api/v1/node-types`.")
    edges: list[dict[str, Any]] = Field(
        default=[], description="Each with `source` and `target`, out of a condition also `branch`."
    )


class RetryPolicy(BaseModel):
    """How often, and how far apart, failed attempts are repeated at nodes with effects."""

    max_attempts: int = Field(default=1, description="Attempts in all, the first included: 1 to 100.")
    initial_backoff: float | str = Field(default=1.0, description="Wait before the second attempt: seconds or `200ms`.")
    multiplier: float = Field(default=2.0, description="Factor from one wait to the next, at least 1.")
    max_backoff: float | str = Field(default=60.0, description="Longest wait between two attempts.")
    non_retryable: list[str] = Field(default=[], description="Error types that are never repeated.")


def _described(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a field by a model that the client checks itself, with better words; see ``openapi.describe``."""
    return {"x-model": model.__name__}


class ExecuteBody(_Body):
    """Asks for a workflow to be run."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": "hello-1",
                    "workflow_id": "greeting",
                    "definition": GREETING,
                    "input_data": {"name": "Ada"},
                }
            ]
        }
    )

    execution_id: _Id = Field(
        default=None,
        description="Your id of the execution, and its idempotency key: the same request again answers the execution "
        "that is there; another request under the same id is 409. Without it the `Idempotency-Key` header is taken; "
        "without both an id is made. Where both are given they must be equal.",
    )
    workflow_id: str | None = Field(
        default=None,
        description="Your id of the workflow, for history; without `definition` the stored workflow to run.",
    )
    version: str | None = Field(
        default=None, description="Version of the stored workflow; the newest if left out. Only without `definition`."
    )
    definition: Annotated[dict[str, Any] | None, Field(json_schema_extra=_described(Definition))] = Field(
        default=None, description="The workflow; at most 1 MiB."
    )
    input_data: dict[str, Any] | None = Field(default=None, description="The workflow's input; at most 4 MiB.")
    labels: dict[str, str] | None = Field(default=None, description="Up to 64 names and values to find it by.")
    priority: int | None = Field(
        default=None,
        description="Higher starts first.",
        json_schema_extra={"minimum": -1000, "maximum": 1000, "default": 0},
    )
    timeout: float | str | None = Field(
        default=None, description="The longest it may run, pauses not counted: seconds, or `90s`, `15m`, `2h`."
    )
    concurrency_key: _Id = Field(default=None, description="Executions with the same key share a limit.")
    retry: Annotated[dict[str, Any] | None, Field(json_schema_extra=_described(RetryPolicy))] = Field(
        default=None,
        description="For nodes with effects that say nothing of their own; else nothing is repeated.",
    )
    validate_only: bool = Field(default=False, description="Check everything, store nothing.")


class ControlBody(_Body):
    """Details of a pause, resume or stop; all may be left out, and the body too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "waiting for the supplier"}]})

    reason: str | None = Field(default=None, description="Why, for the log; at most 1,024 characters.")
    request_id: _Id = Field(
        default=None,
        description="A repeat with the same id answers as the first did. Without it the `Idempotency-Key` header is "
        "taken. Where both are given they must be equal.",
    )
    expected_state: ExecutionStateName | None = Field(
        default=None, description="Act only if this is the state; 409 `STATE_CHANGED` otherwise."
    )


class RetryBody(ControlBody):
    """Details of a retry; all may be left out, and the body too."""

    input_data: dict[str, Any] | None = Field(
        default=None, description="Replaces the input for nodes that have not finished; without it the input stays."
    )


class ValidateBody(_Body):
    """Asks for a definition to be checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"definition": GREETING}]})

    definition: dict[str, Any] = Field(
        description="Any object: what is wrong with it is the answer. As it should be: see `Definition`."
    )


class Failure(_Answer):
    """Why an execution or a node failed."""

    node_id: str | None
    type: str = Field(description="Stable name of the kind of failure, UPPER_SNAKE_CASE.")
    message: str
    retryable: bool
    attempt: int = Field(description="Attempt that failed, from 1; 0 where no node failed.")


class Usage(_Answer):
    """Tokens that models have used."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Status(_Answer):
    """Where an execution stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STATUS]})

    execution_id: str
    workflow_id: str | None
    status: ExecutionStateName
    current_node: str | None = Field(description="Node that started last among those running, else finished last.")
    running_nodes: list[str]
    progress: float = Field(description="0 to 1; never goes down, and 1 exactly when completed.", ge=0, le=1)
    message: str = Field(description="A line for people: why it waits, what it does, or why it failed.")
    create_time: str = Field(json_schema_extra={"format": "date-time"})
    start_time: str | None = Field(description="When it first ran.", json_schema_extra={"format": "date-time"})
    end_time: str | None = Field(description="When it ended.", json_schema_extra={"format": "date-time"})


class Node(_Answer):
    """What the journal holds of a node."""

    node_id: str
    type: str
    status: NodeStateName
    attempt: int = Field(description="Attempts made, the running one included.")
    branch: str | None = Field(description="Branch that a condition chose.")
    start_time: str | None
    end_time: str | None
    error: Failure | None
    usage: Usage | None


class Snapshot(Status):
    """Where an execution stands, and its nodes that changed since the snapshot before: in the first one all."""

    nodes: list[Node]
    tokens_dropped: bool = Field(description="Whether tokens came faster than they were read, and are missing.")


class Summary(Status):
    """An execution as lists have it."""

    uid: str
    definition_digest: str = Field(description="Content hash of the definition.")
    labels: dict[str, str]
    priority: int
    timeout: float | None = Field(description="Longest it may run, seconds.")
    concurrency_key: str | None
    retry: RetryPolicy | None
    error: Failure | None


class NodeRecord(Node):
    """What the journal holds of a node, its result included in the full view."""

    output: Any = None


class Record(Summary):
    """The record of an execution. `definition`, `input_data` and outputs only in the full view."""

    usage: Usage | None
    nodes: list[NodeRecord]
    definition: Definition | None = None
    input_data: dict[str, Any] | None = None
    output: Any = None


class ExecutionPage(_Answer):
    """A page of executions."""

    executions: list[Summary]
    next_page_token: str = Field(description="Gets the next page; empty: this was the last one.")


class LogEntry(_Answer):
    """One entry of an execution's log."""

    sequence: int = Field(description="Position in the log: 1, 2, 3, … without gaps.")
    time: str = Field(json_schema_extra={"format": "date-time"})
    level: LevelName
    node_id: str | None
    attempt: int
    message: str
    metadata: dict[str, Any]


class LogPage(_Answer):
    """A page of a log, oldest first."""

    logs: list[LogEntry]
    last_sequence: int = Field(description="Sequence of the last entry here; `after` goes on from it.")
    next_page_token: str = Field(description="Gets the next page; empty: this was the last one for now.")


class FieldProblem(_Answer):
    """One thing that is wrong with a request or a definition."""

    field: str = Field(description="Where, such as `definition.nodes[3].config.expression`; empty: the whole body.")
    reason: str = Field(description="Stable name of the kind of problem, UPPER_SNAKE_CASE.")
    description: str
    line: int | None = Field(default=None, description="Where the body stops to be JSON.")
    column: int | None = Field(default=None)


class Validation(_Answer):
    """Whether a definition is valid, and if not, everything that is wrong with it."""

    valid: bool
    problems: list[FieldProblem]


class NodeType(_Answer):
    """A kind of node that the server runs."""

    name: str
    description: str
    effect: bool = Field(description="Whether it acts on the world outside.")
    config_schema: dict[str, Any] = Field(description="JSON Schema of its config.")


class NodeTypes(_Answer):
    """The node types that the server runs."""

    node_types: list[NodeType]


class Health(_Answer):
    """Whether the gateway lives, or can serve."""

    status: Literal["ok"]


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 has it; with further facts, such as `state`, where they apply."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:execsvc:error:ILLEGAL_TRANSITION",
                    "title": "Illegal transition",
                    "status": 409,
                    "detail": "cannot pause execution 'hello-1': it is COMPLETED; pause is possible from RUNNING",
                    "instance": "/api/v1/execute/hello-1/pause",
                    "reason": "ILLEGAL_TRANSITION",
                    "execution_id": "hello-1",
                    "state": "completed",
                    "allowed_from": ["running"],
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    reason: str = Field(description="Stable name of the error, UPPER_SNAKE_CASE.")
    errors: list[FieldProblem] | None = None
    retry_after: float | None = Field(default=None, description="Seconds after which another attempt makes sense.")
    state: ExecutionStateName | None = Field(default=None, description="Where the execution stands.")


#: Described in OpenAPI besides what routes answer.
MORE: Final[tuple[type[BaseModel], ...]] = (
    Definition,
    RetryPolicy,
    ExecuteBody,
    ControlBody,
    RetryBody,
    ValidateBody,
    Snapshot,
    ProblemDetails,
)
