"""Errors as problem details: every error of the server has its HTTP status, and tells its facts as JSON."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from execsvc import errors
from execsvc.gateway.problems import BY_CODE, FIELDS, FieldError, Problem, invalid, of_error, renamed_path
from execsvc.wire.errors import TABLE, internal_status, status_of
from execsvc_client import ExecsvcError, InternalError, ResourceExhausted, Unauthenticated, Unavailable
from execsvc_client._errors import from_rpc_error

#: One error of every class in the table that gives them their gRPC status, and what each is over HTTP.
CASES: dict[type[errors.ExecsvcError], tuple[errors.ExecsvcError, int, dict[str, Any]]] = {
    errors.InvalidRequest: (
        errors.InvalidRequest([errors.FieldProblem(path="input.a[0]", reason="NOT_FINITE", message="is no number")]),
        400,
        {"errors": [{"field": "input_data.a[0]", "reason": "NOT_FINITE", "description": "is no number"}]},
    ),
    errors.TooLarge: (
        errors.TooLarge(path="input", size=9, limit=8),
        413,
        {"path": "input_data", "size": 9, "limit": 8, "unit": "bytes"},
    ),
    errors.ExecutionNotFound: (errors.ExecutionNotFound("e"), 404, {"execution_id": "e"}),
    errors.WorkflowNotFound: (errors.WorkflowNotFound("w", "v"), 404, {"workflow_id": "w", "version": "v"}),
    errors.ExecutionExists: (
        errors.ExecutionExists(execution_id="e", state="RUNNING"),
        409,
        {"execution_id": "e", "state": "running"},
    ),
    errors.IllegalTransition: (
        errors.IllegalTransition(execution_id="e", action="retry", state="PAUSED", allowed_from=["FAILED", "STOPPED"]),
        409,
        {"execution_id": "e", "action": "retry", "state": "paused", "allowed_from": ["failed", "stopped"]},
    ),
    errors.StateChanged: (
        errors.StateChanged(execution_id="e", expected="RUNNING", state="PAUSED"),
        409,
        {"execution_id": "e", "expected": "running", "state": "paused"},
    ),
    errors.RequestIdReused: (errors.RequestIdReused("r", "stop"), 409, {"request_id": "r", "action": "stop"}),
    errors.CursorOutOfRange: (
        errors.CursorOutOfRange(execution_id="e", cursor=9, first=1, last=8),
        416,
        {"execution_id": "e", "first_sequence": 1, "last_sequence": 8},
    ),
    errors.QueueFull: (errors.QueueFull(7), 429, {"capacity": 7, "retry_after": 5.0}),
    errors.NamespaceFull: (errors.NamespaceFull(7), 429, {"capacity": 7, "retry_after": 60.0}),
    errors.RateLimited: (errors.RateLimited(2.5, 2.0), 429, {"rate": 2.5, "retry_after": 2.0}),
    errors.ServerDraining: (errors.ServerDraining(), 503, {"retry_after": 1.0}),
    errors.StorageFull: (errors.StorageFull(), 507, {"retry_after": 10.0}),
    errors.StorageUnavailable: (errors.StorageUnavailable(), 503, {"retry_after": 2.0}),
    errors.CredentialsMissing: (errors.CredentialsMissing(), 401, {}),
    errors.CredentialsInvalid: (errors.CredentialsInvalid(), 401, {}),
    errors.TooManyFailures: (errors.TooManyFailures(), 429, {"retry_after": 1.0}),
    errors.RoleTooLow: (
        errors.RoleTooLow(method="Execute", role="reader", required_role="operator"),
        403,
        {"method": "Execute", "role": "reader", "required_role": "operator"},
    ),
    errors.Overloaded: (errors.Overloaded(), 429, {"retry_after": 1.0}),
    errors.TooManyStreams: (errors.TooManyStreams(7), 429, {"retry_after": 5.0, "limit": 7}),
    errors.RequestStalled: (errors.RequestStalled(60.0), 504, {}),
    errors.LeaseLost: (errors.LeaseLost(), 409, {}),
}


class FailedCall(grpc.RpcError):
    """A call that failed with a status, as gRPC hands it to the client."""

    def __init__(self, code: grpc.StatusCode, message: str, details: bytes) -> None:
        self.answers = code, message, details

    def code(self) -> grpc.StatusCode:
        return self.answers[0]

    def details(self) -> str:
        return self.answers[1]

    def trailing_metadata(self) -> list[tuple[str, bytes]]:
        return [("grpc-status-details-bin", self.answers[2])]


def test_there_is_a_case_for_every_error_of_the_server() -> None:
    assert set(CASES) == set(TABLE)


@pytest.mark.parametrize("cls", CASES, ids=lambda cls: cls.__name__)
def test_an_error_of_the_server_as_a_problem(cls: type[errors.ExecsvcError]) -> None:
    error, status, facts = CASES[cls]
    problem = of_error(from_rpc_error(FailedCall(*status_of(error))))
    document = problem.document("/api/v1/x")

    assert problem.status == status
    assert document == {
        "type": f"urn:execsvc:error:{cls.reason}",
        "title": cls.reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": "input_data.a[0]: is no number" if cls is errors.InvalidRequest else error.message,
        "instance": "/api/v1/x",
        "reason": cls.reason,
        **facts,
    }
    after = facts.get("retry_after")
    headers = {} if after is None else {"Retry-After": str(round(after))}
    assert problem.all_headers() == headers | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})


def test_a_bug_says_nothing_of_what_went_wrong_inside() -> None:
    problem = of_error(from_rpc_error(FailedCall(*internal_status())))

    assert (problem.status, problem.reason) == (500, "INTERNAL")
    assert "log" in problem.detail
    assert of_error(InternalError("Traceback: hunter2", code="UNKNOWN")).detail == problem.detail


def test_every_status_of_grpc_has_one_of_http() -> None:
    codes = {code.name for code in grpc.StatusCode} - {"OK", "UNKNOWN", "DATA_LOSS"}

    assert set(BY_CODE) == codes
    assert of_error(ExecsvcError("odd", code="DATA_LOSS")).status == 500


def test_a_message_that_grpc_finds_too_large_is_413() -> None:
    assert of_error(ResourceExhausted("CLIENT: Sent message larger than max (9 vs. 8)")).status == 413
    assert of_error(ResourceExhausted("busy")).status == 429


def test_who_is_not_known_is_told_how_to_say_so() -> None:
    assert of_error(Unauthenticated()).all_headers() == {"WWW-Authenticate": "Bearer"}


def test_without_a_server_there_is_no_reason_but_the_code() -> None:
    assert of_error(Unavailable("connection refused")).reason == "UNAVAILABLE"


def test_waits_are_told_in_whole_seconds_and_at_least_one() -> None:
    problem = Problem(status=429, reason="QUEUE_FULL", detail="", retry_after=0.2)

    assert problem.all_headers() == {"Retry-After": "1"}
    assert problem.document("/")["retry_after"] == 0.2


def test_facts_do_not_shadow_what_every_problem_has() -> None:
    error = ExecsvcError("no", code="ABORTED")
    error.metadata = {"status": "1", "type": "x", "size": "many", "empty": ""}

    document = of_error(error).document("/")
    assert (document["status"], document["type"]) == (409, "urn:execsvc:error:ABORTED")
    assert document["size"] == "many"
    assert "empty" not in document


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("input", "input_data"),
        ("input.input", "input_data.input"),
        ("input[0]", "input_data[0]"),
        ("workflow_version", "version"),
        ("page_size", "limit"),
        ("min_level", "level"),
        ("after_sequence", "after"),
        ("definition.nodes[0].config.input", "definition.nodes[0].config.input"),
        ("labels['input']", "labels['input']"),
        ("", ""),
    ],
)
def test_paths_have_the_names_of_this_api(path: str, here: str) -> None:
    assert renamed_path(path, FIELDS) == here


def test_several_errors_are_counted_and_all_listed() -> None:
    refused = invalid(
        FieldError(field="", reason="JSON_SYNTAX", description="line 1, column 2: no", line=1, column=2),
        FieldError(field="a", reason="REQUIRED", description="is required"),
    )

    assert refused.problem.detail == "line 1, column 2: no (and 1 more)"
    assert refused.problem.document("/")["errors"] == [
        {"field": "", "reason": "JSON_SYNTAX", "description": "line 1, column 2: no", "line": 1, "column": 2},
        {"field": "a", "reason": "REQUIRED", "description": "is required"},
    ]
