"""Every status becomes its own exception with the details unpacked, whoever defines google.rpc beside us."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

import execsvc_client
from execsvc_client import ExecsvcError, FailedPrecondition, Problem, Resource, Violation
from execsvc_client._status_details import Details

if TYPE_CHECKING:
    from clients.python.tests.conftest import Driver, ScriptedServer

CLASSES = {
    "INVALID_ARGUMENT": "InvalidArgument",
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "FAILED_PRECONDITION": "FailedPrecondition",
    "ABORTED": "Aborted",
    "OUT_OF_RANGE": "OutOfRange",
    "RESOURCE_EXHAUSTED": "ResourceExhausted",
    "UNAUTHENTICATED": "Unauthenticated",
    "PERMISSION_DENIED": "PermissionDenied",
    "UNAVAILABLE": "Unavailable",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "CANCELLED": "Cancelled",
    "UNIMPLEMENTED": "Unimplemented",
    "INTERNAL": "InternalError",
    "UNKNOWN": "InternalError",
    "DATA_LOSS": "InternalError",
}

DETAILS = (
    error_details_pb2.ErrorInfo(
        reason="ILLEGAL_TRANSITION", domain="execsvc", metadata={"execution_id": "e", "state": "PAUSED"}
    ),
    error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field="definition.nodes[3]", description="no such", reason="UNKNOWN"
            ),
            error_details_pb2.BadRequest.FieldViolation(field="input.ü", description="ändern"),
        ]
    ),
    error_details_pb2.ResourceInfo(resource_type="execsvc.v1.Execution", resource_name="e", description="it is there"),
    error_details_pb2.PreconditionFailure(
        violations=[error_details_pb2.PreconditionFailure.Violation(type="STATE", subject="e", description="PAUSED")]
    ),
    error_details_pb2.QuotaFailure(
        violations=[error_details_pb2.QuotaFailure.Violation(subject="queue", description="full")]
    ),
    error_details_pb2.RetryInfo(retry_delay=Duration(nanos=1_000_000)),
    error_details_pb2.DebugInfo(detail="a detail this client does not know"),
)


def aborting(code: str, *details: Message, prefix: str = "type.googleapis.com/") -> Callable[[Any], None]:
    """Make a failure with details, as grpcio-status sends them."""
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail, type_url_prefix=prefix)
    number = grpc.StatusCode[code].value[0]
    status = rpc_status.to_status(status_pb2.Status(code=number, message=f"said {code}", details=packed))
    return lambda context: context.abort_with_status(status)


async def caught_from(driver: Driver, server: ScriptedServer, *failures: Callable[[Any], None]) -> ExecsvcError:
    server.script.fail("Control", *failures)
    with pytest.raises(ExecsvcError) as caught:
        await driver.call("pause", "e")
    return caught.value


@pytest.mark.parametrize(("code", "name"), CLASSES.items())
async def test_each_status_is_its_own_class_with_every_detail(
    driver: Driver, server: ScriptedServer, code: str, name: str
) -> None:
    # UNAVAILABLE is tried again: all five attempts must fail.
    error = await caught_from(driver, server, *[aborting(code, *DETAILS)] * 5)

    assert type(error) is getattr(execsvc_client, name)
    assert (error.code, error.message) == (code, f"said {code}")
    assert (error.reason, error.domain) == ("ILLEGAL_TRANSITION", "execsvc")
    assert error.metadata == {"execution_id": "e", "state": "PAUSED"}
    assert (error.execution_id, error.state) == ("e", "PAUSED")
    assert error.field_violations == (
        Problem(path="definition.nodes[3]", reason="UNKNOWN", message="no such"),
        Problem(path="input.ü", reason="", message="ändern"),
    )
    assert error.resource == Resource(type="execsvc.v1.Execution", name="e", description="it is there")
    assert error.preconditions == (Violation(type="STATE", subject="e", description="PAUSED"),)
    assert error.quotas == (Violation(type="", subject="queue", description="full"),)
    assert error.retry_delay == pytest.approx(0.001)
    assert isinstance(error.__cause__, grpc.RpcError)


def test_the_table_above_names_every_status() -> None:
    assert set(CLASSES) == {code.name for code in grpc.StatusCode} - {"OK"}


async def test_details_are_matched_by_the_end_of_the_type_url(driver: Driver, server: ScriptedServer) -> None:
    error = await caught_from(driver, server, aborting("ABORTED", DETAILS[0], prefix="https://proxy.example/types/"))

    assert error.reason == "ILLEGAL_TRANSITION"


async def test_an_error_without_details_is_still_typed(driver: Driver, server: ScriptedServer) -> None:
    error = await caught_from(
        driver, server, lambda context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no details")
    )

    assert isinstance(error, FailedPrecondition)
    assert (error.reason, error.metadata, error.field_violations, error.retry_delay) == ("", {}, (), None)
    assert str(error) == "no details [FAILED_PRECONDITION]"


async def test_details_that_do_not_parse_hide_nothing_else(driver: Driver, server: ScriptedServer) -> None:
    def garbage(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "garbled")

    error = await caught_from(driver, server, garbage)

    assert isinstance(error, FailedPrecondition)
    assert error.message == "garbled"


def test_errors_survive_pickling() -> None:
    details = Details(reason="R", metadata={"state": "PAUSED"})
    error = pickle.loads(pickle.dumps(FailedPrecondition("no", details=details)))

    assert (type(error), error.message, error.reason, error.state) == (FailedPrecondition, "no", "R", "PAUSED")


def test_the_docstring_is_the_default_message() -> None:
    assert execsvc_client.OutOfRange().message == "The cursor lies outside the log."
    assert str(execsvc_client.DeadlineExceeded("late")) == "late [DEADLINE_EXCEEDED]"


async def test_the_execution_is_named_by_the_resource_where_metadata_do_not(
    driver: Driver, server: ScriptedServer
) -> None:
    error = await caught_from(driver, server, aborting("NOT_FOUND", DETAILS[2]))

    assert error.execution_id == "e"
