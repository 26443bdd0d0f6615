"""From the model to response messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from execsvc.definition import NodeType
from execsvc.encoding.value_bytes import struct_bytes, value_bytes
from execsvc.encoding.values import to_duration, to_struct, to_timestamp
from execsvc.encoding.wire_format import LENGTH, number_of, tag
from execsvc.errors import FieldProblem
from execsvc.model import (
    EncodedEntries,
    ErrorInfo,
    Execution,
    ExecutionState,
    ExecutionStatus,
    NodeRun,
    NodeState,
    StoredWorkflow,
    TokenUsage,
)
from execsvc.redaction import Redaction
from execsvc.service import Limits, LogPart, Snapshot
from execsvc.wire.definitions import definition_message, retry_message
from execsvc_client import v1

_STATES: Final = {state: v1.ExecutionState.Value(f"EXECUTION_STATE_{state.name}") for state in ExecutionState}
_NODE_STATES: Final = {state: v1.NodeState.Value(f"NODE_STATE_{state.name}") for state in NodeState}


def status_message(status: ExecutionStatus) -> v1.ExecutionStatus:
    """Make the message of a status."""
    return v1.ExecutionStatus(
        execution_id=status.execution_id,
        workflow_id=status.workflow_id,
        state=_STATES[status.state],
        current_node=status.current_node,
        running_nodes=status.running_nodes,
        progress=status.progress,
        message=status.message,
        create_time=to_timestamp(status.create_time),
        start_time=to_timestamp(status.start_time),
        end_time=to_timestamp(status.end_time),
    )


def log_response(part: LogPart) -> bytes:
    """Make the bytes of one StreamLogsResponse; the same ones again for another follower of the same part."""
    if part.response is None:
        rest = v1.StreamLogsResponse(
            last_sequence=part.last_sequence,
            uid=part.uid,
            final_status=None if part.final is None else status_message(part.final),
        )
        part.response = part.entries.data + rest.SerializeToString()
    return part.response


def log_page(entries: EncodedEntries, next_page_token: str) -> v1.ListLogsResponse:
    """Make a page of the log."""
    page = v1.ListLogsResponse(next_page_token=next_page_token)
    page.MergeFromString(entries.data)
    return page


_RECORD: Final = tag(v1.GetExecutionResponse, "execution", LENGTH)
_INPUT: Final = tag(v1.Execution, "input", LENGTH)
_OUTPUT: Final = tag(v1.Execution, "output", LENGTH)
_NODE: Final = tag(v1.Execution, "nodes", LENGTH)
_NODE_OUTPUT: Final = tag(v1.NodeRun, "output", LENGTH)


def execution_response(execution: Execution, redaction: Redaction, *, full: bool) -> bytes:
    """Encode a GetExecutionResponse, without what is not shown to anybody.

    What may be large is written as bytes right away: protobuf merges what is concatenated.
    """
    definition = orjson.loads(execution.definition)
    usages = [run.usage for run in execution.nodes.values() if run.usage is not None]
    message = summary_message(execution)
    if full:
        message.definition.CopyFrom(definition_message(definition))
    if usages:
        message.usage.MergeFrom(_usage_message(sum(usages, TokenUsage())))
    parts = [message.SerializeToString()]
    if execution.input is not None:
        _append(parts, _INPUT, struct_bytes(redaction.shown(orjson.loads(execution.input))))
    if execution.output is not None:
        _append(parts, _OUTPUT, value_bytes(redaction.shown(orjson.loads(execution.output))))
    for node in definition["nodes"]:
        run = execution.nodes.get(node["id"])
        row = [_node(node["id"], node["type"], run).SerializeToString()]
        if run is not None and run.output is not None:
            _append(row, _NODE_OUTPUT, value_bytes(redaction.shown(orjson.loads(run.output))))
        parts.append(_NODE + number_of(sum(map(len, row))))
        parts += row
    return b"".join((_RECORD, number_of(sum(map(len, parts))), *parts))


def _append(parts: list[bytes], before: bytes, data: bytes) -> None:
    parts += (before + number_of(len(data)), data)


def summary_message(execution: Execution) -> v1.Execution:
    """Make the message of a record without nodes, definition, input and output."""
    return v1.Execution(
        status=status_message(execution.status),
        uid=execution.status.uid,
        definition_digest=execution.definition_digest,
        error=_error(execution.error),
        labels=dict(execution.labels),
        priority=execution.priority,
        timeout=to_duration(execution.timeout),
        concurrency_key=execution.concurrency_key,
        retry=None if execution.retry is None else retry_message(orjson.loads(execution.retry)),
    )


def execution_list(executions: Sequence[Execution], next_page_token: str) -> v1.ListExecutionsResponse:
    """Make a page of executions."""
    return v1.ListExecutionsResponse(
        executions=[summary_message(execution) for execution in executions], next_page_token=next_page_token
    )


class WatchMessages:
    """Makes the responses of one watch; remembers the types of the nodes, which only the first snapshot knows."""

    def __init__(self) -> None:
        self._types: dict[str, str] = {}

    def response(self, snapshot: Snapshot) -> v1.WatchExecutionResponse:
        """Make the response of the next snapshot."""
        if snapshot.execution is not None:
            definition = orjson.loads(snapshot.execution.definition)
            self._types = {node["id"]: node["type"] for node in definition["nodes"]}
            known = snapshot.execution.nodes
            nodes = [_node(node_id, kind, known.get(node_id)) for node_id, kind in self._types.items()]
        else:
            nodes = [_node(run.node_id, self._types.get(run.node_id, ""), run) for run in snapshot.nodes]
        return v1.WatchExecutionResponse(
            status=status_message(snapshot.status),
            nodes=nodes,
            tokens=[
                v1.TokenChunk(node_id=token.node_id, attempt=token.attempt, text=token.text)
                for token in snapshot.tokens
            ],
            tokens_dropped=snapshot.tokens_dropped,
        )


def workflow_message(workflow: StoredWorkflow) -> v1.Workflow:
    """Make the message of a stored workflow; with its definition if there is one."""
    definition = workflow.definition
    return v1.Workflow(
        workflow_id=workflow.workflow_id,
        version=workflow.version,
        definition=None if definition is None else definition_message(orjson.loads(definition)),
        create_time=to_timestamp(workflow.create_time),
    )


def _node(node_id: str, kind: str, run: NodeRun | None) -> v1.NodeRun:
    """Make the message of a node's row, without its output, which belongs to a record and to nothing else."""
    if run is None:
        return v1.NodeRun(node_id=node_id, type=kind, state=v1.NODE_STATE_PENDING)
    return v1.NodeRun(
        node_id=node_id,
        type=kind,
        state=_NODE_STATES[run.state],
        attempt=run.attempt,
        start_time=to_timestamp(run.start_time),
        end_time=to_timestamp(run.end_time),
        error=_error(run.error),
        usage=_usage(run.usage),
        branch=run.branch or "",
    )


def _error(error: ErrorInfo | None) -> v1.ExecutionError | None:
    if error is None:
        return None
    return v1.ExecutionError(
        node_id=error.node_id,
        type=error.type,
        message=error.message,
        retryable=error.retryable,
        attempt=error.attempt,
    )


def _usage(usage: TokenUsage | None) -> v1.TokenUsage | None:
    return None if usage is None else _usage_message(usage)


def _usage_message(usage: TokenUsage) -> v1.TokenUsage:
    return v1.TokenUsage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )


def validation_message(digest: str, problems: Sequence[FieldProblem]) -> v1.ValidateWorkflowResponse:
    """Make the answer of ValidateWorkflow."""
    return v1.ValidateWorkflowResponse(
        valid=not problems,
        definition_digest=digest,
        problems=[v1.WorkflowProblem(path=p.path, reason=p.reason, message=p.message) for p in problems],
    )


def node_types_message(types: Iterable[NodeType]) -> v1.ListNodeTypesResponse:
    """Make the answer of ListNodeTypes."""
    return v1.ListNodeTypesResponse(
        node_types=[
            v1.NodeType(
                name=node_type.name,
                description=node_type.description,
                config_schema=to_struct(node_type.config_schema),
                effect=node_type.effect,
            )
            for node_type in types
        ]
    )


def server_info(
    *, version: str, start_time: int, limits: Limits, capabilities: Sequence[str], draining: bool
) -> v1.GetServerInfoResponse:
    """Make the answer of GetServerInfo."""
    return v1.GetServerInfoResponse(
        version=version,
        start_time=to_timestamp(start_time),
        limits=v1.ServerLimits(
            max_definition_bytes=limits.definition_bytes,
            max_nodes=limits.nodes,
            max_input_bytes=limits.input_bytes,
            max_node_output_bytes=limits.node_output_bytes,
            max_results_bytes=limits.results_bytes,
            max_log_message_bytes=limits.log_message_bytes,
            max_concurrent=limits.concurrent,
            max_request_bytes=limits.request_bytes,
        ),
        capabilities=capabilities,
        draining=draining,
    )
