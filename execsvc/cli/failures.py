"""Errors as the command line tells them: one line of what, where and what to do, or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from execsvc.cli.exit_codes import ExitCode, by_status
from execsvc.cli.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One of the things that are wrong with a workflow or a request."""

    #: Where, as the API writes it: ``definition.nodes[3].config.expression``; empty where nothing can be named.
    path: str
    #: Stable name of the kind of problem, UPPER_SNAKE_CASE.
    reason: str
    #: What is wrong and what would be right.
    message: str
    #: ``file:line:column``; empty where it is in no file.
    position: str = ""

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        place = f"{self.position}: " if self.position else ""
        return f"{place}{path}{self.message} [{self.reason}]"


class CliError(Exception):
    """The command cannot be carried out.

    Args:
        message: one line of what, where and what to do.
        exit_code: what the process ends with.
        reason: stable name of the kind of error, UPPER_SNAKE_CASE.
        problems: told one a line, below the message.
        metadata: facts for programs.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: ExitCode = ExitCode.INVALID,
        reason: str = "INVALID_REQUEST",
        problems: Sequence[Problem] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message
        self.exit_code = exit_code
        self.reason = reason
        self.problems = tuple(problems)
        self.metadata = dict(metadata or {})
        super().__init__(message)


def usage_error(message: str) -> CliError:
    """Make the error of a command line that is wrong."""
    return CliError(message, exit_code=ExitCode.USAGE, reason="USAGE")


def no_server(target: str, detail: str) -> CliError:
    """Make the error of a server that does not answer."""
    refused = "connection refused" if "refused" in detail.lower() else printable(detail, most=200)
    return CliError(
        f"no server answers at {target} ({refused}); start one with `execsvc serve`, "
        "or name another with --target or EXECSVC_TARGET",
        exit_code=ExitCode.UNAVAILABLE,
        reason="NO_SERVER",
        metadata={"target": target},
    )


def as_cli_error(error: Exception) -> CliError | None:
    """Give what an exception means to the user; None for one that nobody foresaw."""
    if isinstance(error, CliError):
        return error
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return CliError(str(error), exit_code=ExitCode.UNAVAILABLE, reason="OS_ERROR")
    # Loaded only now: a command that succeeds does not pay for them.
    from execsvc import errors
    from execsvc_client import ExecsvcError

    if isinstance(error, ExecsvcError):
        return CliError(
            error.message,
            exit_code=by_status(error.code, later=error.retry_delay is not None),
            reason=error.reason or error.code,
            problems=[Problem(path=p.path, reason=p.reason, message=p.message) for p in error.field_violations],
            metadata=error.metadata,
        )
    if isinstance(error, errors.InvalidRequest):
        return CliError(
            error.message,
            problems=[Problem(path=p.path, reason=p.reason, message=p.message) for p in error.problems],
        )
    if isinstance(
        error,
        errors.DatabaseLocked
        | errors.StorageUnavailable
        | errors.PluginUnusable
        | errors.CertificateUnusable
        | errors.IdentityUnusable,
    ):
        return CliError(error.message, exit_code=ExitCode.UNAVAILABLE, reason=error.reason)
    if isinstance(error, errors.ExecsvcError):
        return CliError(error.message, reason=error.reason)
    return None


#: What to do next, told to people, by the reason of an error whose message comes from the server.
_HINTS = {
    "EXECUTION_NOT_FOUND": "`execsvc list` shows those there are",
    "CREDENTIALS_MISSING": "here that is EXECSVC_TOKEN",
    "EXECUTION_EXISTS": "or leave out --id",
    "QUEUE_FULL": "`execsvc list --state pending` shows what waits",
    "NAMESPACE_FULL": "`execsvc prune` deletes what has ended",
}


def print_error(error: CliError, *, as_json: bool) -> None:
    """Write an error to stderr."""
    if as_json:
        print(json.dumps({"error": error_document(error)}, ensure_ascii=False), file=sys.stderr)
        return
    # With one problem the message is that problem: say it once, with its place.
    if len(error.problems) == 1:
        lines = [f"error: {error.problems[0]}"]
    else:
        hint = f"; {_HINTS[error.reason]}" if error.reason in _HINTS else ""
        lines = [f"error: {error.message}{hint}", *(f"  {problem}" for problem in error.problems)]
    print("\n".join(printable(line) for line in lines), file=sys.stderr)


def error_document(error: CliError) -> dict[str, object]:
    """Give the JSON form of an error."""
    document: dict[str, object] = {
        "reason": error.reason,
        "message": error.message,
        "exit_code": int(error.exit_code),
    }
    if error.problems:
        document["problems"] = [problem_document(problem) for problem in error.problems]
    if error.metadata:
        document["metadata"] = error.metadata
    return document


def problem_document(problem: Problem) -> dict[str, str]:
    """Give the JSON form of a problem."""
    document = {"path": problem.path, "reason": problem.reason, "message": problem.message}
    return document | ({"position": problem.position} if problem.position else {})
