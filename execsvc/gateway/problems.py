"""Errors as RFC 9457 problem details: which HTTP status each has, and what a document says of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from execsvc_client import ExecsvcError
from execsvc_client import Problem as FieldViolation

MEDIA_TYPE: Final = "application/problem+json"

#: HTTP status of each gRPC status. What is not listed is 500: a bug.
BY_CODE: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "FAILED_PRECONDITION": 409,
    "ABORTED": 409,
    "OUT_OF_RANGE": 416,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "CANCELLED": 503,
    "DEADLINE_EXCEEDED": 504,
}
#: Reasons for which HTTP has a better word than for their gRPC status.
BY_REASON: Final[Mapping[str, int]] = {"TOO_LARGE": 413, "STORAGE_FULL": 507}

#: What fields of the gRPC API are called here, where that differs.
FIELDS: Final[Mapping[str, str]] = {
    "input": "input_data",
    "workflow_version": "version",
    "page_size": "limit",
    "min_level": "level",
    "after_sequence": "after",
}


def _lower_list(text: str) -> list[str]:
    return [part.lower() for part in text.split(",") if part]


#: How facts that gRPC carries as text become JSON.
_FACTS: Final[Mapping[str, Callable[[str], Any]]] = {
    "state": str.lower,
    "expected": str.lower,
    "allowed_from": _lower_list,
    "size": int,
    "limit": int,
    "capacity": int,
    "rate": float,
    "first_sequence": int,
    "last_sequence": int,
}
#: Facts that another member says already.
_SAID: Final = frozenset({"problems"})
_STANDARD: Final = frozenset(
    {"type", "title", "status", "detail", "instance", "reason", "errors", "retry_after"} | _SAID
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing that is wrong with a request."""

    #: Where: a path such as ``definition.nodes[3].config.expression``, a query parameter or a header; empty: all of it.
    field: str
    #: Stable name of the kind of problem, UPPER_SNAKE_CASE.
    reason: str
    #: What is wrong and what would be right, for people.
    description: str
    #: Where the body stops to be JSON, from 1; 0 where it is JSON.
    line: int = 0
    column: int = 0

    def document(self) -> dict[str, Any]:
        """Give its JSON form."""
        document: dict[str, Any] = {"field": self.field, "reason": self.reason, "description": self.description}
        return document | ({"line": self.line, "column": self.column} if self.line else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a refused request is answered with."""

    status: int
    #: Stable name of the error, UPPER_SNAKE_CASE.
    reason: str
    #: What happened, for people.
    detail: str
    errors: Sequence[FieldError] = ()
    #: Seconds after which another attempt makes sense; None: nobody knows of any.
    retry_after: float | None = None
    #: Further facts by name.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: HTTP headers that go with it.
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, instance: str) -> dict[str, Any]:
        """Give its JSON form.

        Args:
            instance: path of the request.
        """
        document: dict[str, Any] = {
            "type": f"urn:execsvc:error:{self.reason}",
            "title": self.reason.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "reason": self.reason,
        }
        if self.errors:
            document["errors"] = [error.document() for error in self.errors]
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return document | dict(self.facts)

    def all_headers(self) -> dict[str, str]:
        """Give the HTTP headers, Retry-After among them where it is known."""
        after = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        return {**after, **self.headers}


class Refused(Exception):
    """The request is refused before, or instead of, asking the server."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


def invalid(*errors: FieldError, status: int = 400, reason: str = "INVALID_REQUEST") -> Refused:
    """Make the refusal of a request with these errors."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{first.field}: " if first.field else ""
    return Refused(Problem(status=status, reason=reason, detail=f"{where}{first.description}{more}", errors=errors))


def of_error(error: ExecsvcError, renamed: Mapping[str, str] = FIELDS) -> Problem:
    """Make the problem that an error of the gRPC API is here.

    Args:
        renamed: what fields of the gRPC API are called here.
    """
    errors = tuple(field_error(violation, renamed) for violation in error.field_violations)
    return Problem(
        status=status_of(error),
        reason=error.reason or error.code,
        detail=_detail(error, errors),
        errors=errors,
        retry_after=error.retry_delay,
        facts=_facts(error, renamed),
        headers={"WWW-Authenticate": "Bearer"} if error.code == "UNAUTHENTICATED" else {},
    )


def status_of(error: ExecsvcError) -> int:
    """Give the HTTP status of an error of the gRPC API."""
    if error.code == "RESOURCE_EXHAUSTED" and not error.reason and "larger than max" in error.message:
        # gRPC itself refused the size of the message.
        return 413
    return BY_REASON.get(error.reason, BY_CODE.get(error.code, 500))


def field_error(violation: FieldViolation, renamed: Mapping[str, str] = FIELDS) -> FieldError:
    """Make one error out of what the client or the server says of a field."""
    return FieldError(
        field=renamed_path(violation.path, renamed),
        reason=violation.reason or "INVALID_VALUE",
        description=violation.message,
    )


def renamed_path(path: str, renamed: Mapping[str, str]) -> str:
    """Give a path with its first part as it is called here."""
    end = min((place for place in (path.find("."), path.find("[")) if place >= 0), default=len(path))
    return renamed.get(path[:end], path[:end]) + path[end:]


def _detail(error: ExecsvcError, errors: Sequence[FieldError]) -> str:
    if errors:
        # The server's own sentence has the path as gRPC calls it.
        return str(invalid(*errors))
    if not error.reason and status_of(error) == 500:
        return "internal error; the server's log has the details"
    return error.message


def _facts(error: ExecsvcError, renamed: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, text in error.metadata.items():
        if name in _STANDARD or not text:
            continue
        try:
            facts[name] = _FACTS.get(name, str)(text)
        except ValueError:
            facts[name] = text
    if "path" in facts:
        facts["path"] = renamed_path(facts["path"], renamed)
    return facts
