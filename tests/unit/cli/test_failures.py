"""Errors of every kind get the exit code that is documented for them."""

from __future__ import annotations

import json

import grpc
import pytest

from execsvc import errors
from execsvc.cli.exit_codes import ExitCode, by_state, by_status
from execsvc.cli.failures import CliError, Problem, as_cli_error, print_error
from execsvc_client import InternalError, Unavailable

EXPECTED = {
    "OK": ExitCode.INTERNAL,
    "CANCELLED": ExitCode.UNAVAILABLE,
    "UNKNOWN": ExitCode.INTERNAL,
    "INVALID_ARGUMENT": ExitCode.INVALID,
    "DEADLINE_EXCEEDED": ExitCode.UNAVAILABLE,
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "ALREADY_EXISTS": ExitCode.CONFLICT,
    "PERMISSION_DENIED": ExitCode.INVALID,
    "UNAUTHENTICATED": ExitCode.INVALID,
    "RESOURCE_EXHAUSTED": ExitCode.INVALID,
    "FAILED_PRECONDITION": ExitCode.CONFLICT,
    "ABORTED": ExitCode.CONFLICT,
    "UNIMPLEMENTED": ExitCode.INTERNAL,
    "OUT_OF_RANGE": ExitCode.INVALID,
    "INTERNAL": ExitCode.INTERNAL,
    "UNAVAILABLE": ExitCode.UNAVAILABLE,
    "DATA_LOSS": ExitCode.INTERNAL,
}


@pytest.mark.parametrize("status", grpc.StatusCode, ids=lambda status: status.name)
def test_every_status_has_an_exit_code(status: grpc.StatusCode) -> None:
    assert by_status(status.name, later=False) is EXPECTED[status.name]


def test_a_full_queue_is_no_fault_of_the_request() -> None:
    assert by_status("RESOURCE_EXHAUSTED", later=True) is ExitCode.UNAVAILABLE


def test_only_failed_and_stopped_executions_are_no_success() -> None:
    states = ["COMPLETED", "FAILED", "STOPPED", "RUNNING"]
    assert [by_state(state) for state in states] == [ExitCode.OK, ExitCode.FAILED, ExitCode.STOPPED, ExitCode.OK]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.DatabaseLocked("x.db", ""), ExitCode.UNAVAILABLE, "DATABASE_LOCKED"),
        (errors.CertificateUnusable("x.crt", "it is gone"), ExitCode.UNAVAILABLE, "CERTIFICATE_UNUSABLE"),
        (errors.StorageFull(), ExitCode.UNAVAILABLE, "STORAGE_FULL"),
        (errors.TooLarge(path="definition", size=2, limit=1), ExitCode.INVALID, "TOO_LARGE"),
        (Unavailable("gone"), ExitCode.UNAVAILABLE, "UNAVAILABLE"),
        (InternalError("bug"), ExitCode.INTERNAL, "INTERNAL"),
        (PermissionError(13, "Permission denied", "x"), ExitCode.UNAVAILABLE, "OS_ERROR"),
    ],
)
def test_foreseen_errors_are_told(error: Exception, code: ExitCode, reason: str) -> None:
    found = as_cli_error(error)

    assert found is not None
    assert (found.exit_code, found.reason) == (code, reason)


def test_what_nobody_foresaw_is_left_for_a_traceback() -> None:
    assert as_cli_error(KeyError("x")) is None


def test_one_problem_is_told_once_and_several_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (Problem(path=path, reason="R", message="bad\x1b") for path in ("a", "b"))

    print_error(CliError("bad", problems=[one]), as_json=False)
    print_error(CliError("2 problems", problems=[one, two]), as_json=False)

    assert capsys.readouterr().err == (
        "error: a: bad\\x1b [R]\nerror: 2 problems\n  a: bad\\x1b [R]\n  b: bad\\x1b [R]\n"
    )


def test_as_json_an_error_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem(path="a", reason="R", message="bad", position="f:1:2")

    print_error(CliError("bad", problems=[problem], metadata={"k": "v"}), as_json=True)

    assert json.loads(capsys.readouterr().err) == {
        "error": {
            "reason": "INVALID_REQUEST",
            "message": "bad",
            "exit_code": 3,
            "problems": [{"path": "a", "reason": "R", "message": "bad", "position": "f:1:2"}],
            "metadata": {"k": "v"},
        }
    }


def test_people_are_told_what_to_do_next_and_programs_get_the_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    error = CliError("there is no execution 'x'", reason="EXECUTION_NOT_FOUND")

    print_error(error, as_json=False)
    print_error(error, as_json=True)

    told, document = capsys.readouterr().err.splitlines()
    assert told == "error: there is no execution 'x'; `execsvc list` shows those there are"
    assert json.loads(document)["error"]["message"] == "there is no execution 'x'"
