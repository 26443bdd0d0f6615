"""The one table from error to status: which gRPC code each class has, and what its details say (AIP-193)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from execsvc import errors

#: ``google.rpc.ErrorInfo.domain`` of every error.
DOMAIN: Final = "execsvc"
#: Problems listed in one answer at most; the status has to fit into HTTP/2 trailers of 8 KiB.
MAX_PROBLEMS: Final = 30
MAX_TEXT: Final = 150
_BUDGET: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one class of error is told to clients."""

    code: grpc.StatusCode
    #: Facts for ``google.rpc.ErrorInfo.metadata``.
    metadata: Callable[[Any], dict[str, str]] = lambda _: {}
    #: Further details.
    details: Callable[[Any], Iterator[Message]] = lambda _: iter(())


def _fields(error: errors.InvalidRequest) -> Iterator[Message]:
    violations: list[details.BadRequest.FieldViolation] = []
    size = 0
    for problem in error.problems[:MAX_PROBLEMS]:
        violation = details.BadRequest.FieldViolation(
            field=_cut(problem.path), description=_cut(problem.message, 400), reason=problem.reason
        )
        size += violation.ByteSize()
        if size > _BUDGET and violations:
            break
        violations.append(violation)
    yield details.BadRequest(field_violations=violations)


def _count(error: errors.InvalidRequest) -> dict[str, str]:
    return {"problems": str(len(error.problems))}


def _execution(error: Any) -> Iterator[Message]:
    yield details.ResourceInfo(resource_type="execsvc.v1.Execution", resource_name=_cut(error.execution_id))


def _workflow(error: errors.WorkflowNotFound) -> Iterator[Message]:
    yield details.ResourceInfo(resource_type="execsvc.v1.Workflow", resource_name=_cut(error.workflow_id))


def _transition(error: errors.IllegalTransition) -> Iterator[Message]:
    yield details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(
                type="STATE", subject=_cut(error.execution_id), description=f"the execution is {error.state}"
            )
        ]
    )


def _retry(error: Any) -> Iterator[Message]:
    seconds = float(error.retry_delay)
    yield details.RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))


def _too_large(error: errors.TooLarge) -> Iterator[Message]:
    yield details.QuotaFailure(
        violations=[details.QuotaFailure.Violation(subject=error.path, description=error.message)]
    )


def _queue_full(error: errors.QueueFull) -> Iterator[Message]:
    yield from _quota("namespace/queued" if error.of_namespace else "queue", error)
    yield from _retry(error)


def _quota(subject: str, error: errors.ExecsvcError) -> Iterator[Message]:
    yield details.QuotaFailure(violations=[details.QuotaFailure.Violation(subject=subject, description=error.message)])


_Code = grpc.StatusCode
TABLE: Final[dict[type[errors.ExecsvcError], Rule]] = {
    errors.InvalidRequest: Rule(code=_Code.INVALID_ARGUMENT, metadata=_count, details=_fields),
    errors.TooLarge: Rule(
        code=_Code.RESOURCE_EXHAUSTED,
        metadata=lambda e: {"path": e.path, "size": str(e.size), "limit": str(e.limit), "unit": e.unit},
        details=_too_large,
    ),
    errors.ExecutionNotFound: Rule(
        code=_Code.NOT_FOUND, metadata=lambda e: {"execution_id": _cut(e.execution_id)}, details=_execution
    ),
    errors.WorkflowNotFound: Rule(
        code=_Code.NOT_FOUND,
        metadata=lambda e: {"workflow_id": _cut(e.workflow_id), "version": _cut(e.version)},
        details=_workflow,
    ),
    errors.ExecutionExists: Rule(
        code=_Code.ALREADY_EXISTS,
        metadata=lambda e: {"execution_id": e.execution_id, "state": str(e.state)},
        details=_execution,
    ),
    errors.IllegalTransition: Rule(
        code=_Code.FAILED_PRECONDITION,
        metadata=lambda e: {
            "execution_id": e.execution_id,
            "action": e.action,
            "state": str(e.state),
            "allowed_from": ",".join(e.allowed_from),
        },
        details=_transition,
    ),
    errors.StateChanged: Rule(
        code=_Code.ABORTED,
        metadata=lambda e: {"execution_id": e.execution_id, "expected": str(e.expected), "state": str(e.state)},
    ),
    errors.RequestIdReused: Rule(
        code=_Code.ALREADY_EXISTS, metadata=lambda e: {"request_id": e.request_id, "action": e.action}
    ),
    errors.CursorOutOfRange: Rule(
        code=_Code.OUT_OF_RANGE,
        metadata=lambda e: {
            "execution_id": e.execution_id,
            "first_sequence": str(e.first),
            "last_sequence": str(e.last),
        },
    ),
    errors.QueueFull: Rule(
        code=_Code.RESOURCE_EXHAUSTED, metadata=lambda e: {"capacity": str(e.capacity)}, details=_queue_full
    ),
    errors.NamespaceFull: Rule(
        code=_Code.RESOURCE_EXHAUSTED,
        metadata=lambda e: {"capacity": str(e.capacity)},
        details=lambda e: chain(_quota("namespace/stored", e), _retry(e)),
    ),
    errors.RateLimited: Rule(
        code=_Code.RESOURCE_EXHAUSTED,
        metadata=lambda e: {"rate": f"{e.rate:g}"},
        details=lambda e: chain(_quota("namespace/rate", e), _retry(e)),
    ),
    errors.ServerDraining: Rule(code=_Code.UNAVAILABLE, details=_retry),
    errors.StorageFull: Rule(code=_Code.RESOURCE_EXHAUSTED, details=_retry),
    errors.StorageUnavailable: Rule(code=_Code.UNAVAILABLE, details=_retry),
    errors.CredentialsMissing: Rule(code=_Code.UNAUTHENTICATED),
    errors.CredentialsInvalid: Rule(code=_Code.UNAUTHENTICATED),
    errors.TooManyFailures: Rule(code=_Code.RESOURCE_EXHAUSTED, details=_retry),
    errors.RoleTooLow: Rule(
        code=_Code.PERMISSION_DENIED,
        metadata=lambda e: {"method": e.method, "role": e.role, "required_role": e.required_role},
    ),
    errors.Overloaded: Rule(code=_Code.RESOURCE_EXHAUSTED, details=_retry),
    errors.TooManyStreams: Rule(
        code=_Code.RESOURCE_EXHAUSTED, metadata=lambda e: {"limit": str(e.limit)}, details=_retry
    ),
    errors.RequestStalled: Rule(code=_Code.DEADLINE_EXCEEDED),
    errors.LeaseLost: Rule(code=_Code.ABORTED),
}


def status_of(error: errors.ExecsvcError, request_id: str = "") -> tuple[grpc.StatusCode, str, bytes]:
    """Answer code, message and the serialized ``google.rpc.Status`` for the ``grpc-status-details-bin`` trailer."""
    rule = TABLE[type(error)]
    info = details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=rule.metadata(error))
    return _packed(rule.code, _cut(error.message, 1_000), [info, *rule.details(error), *_request(request_id)])


def internal_status(request_id: str = "") -> tuple[grpc.StatusCode, str, bytes]:
    """Answer the status of a bug: it says that, and nothing of what went wrong inside."""
    info = details.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    where = f" under request id {request_id}" if request_id else ""
    return _packed(
        _Code.INTERNAL, f"internal error; the server's log has the details{where}", [info, *_request(request_id)]
    )


def _request(request_id: str) -> Iterator[Message]:
    if request_id:
        yield details.RequestInfo(request_id=request_id)


def _packed(code: grpc.StatusCode, message: str, found: list[Message]) -> tuple[grpc.StatusCode, str, bytes]:
    status = Status(code=code.value[0], message=message)
    for detail in found:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return code, message, status.SerializeToString()


def _cut(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
