"""Everything a use case can refuse, as exceptions that carry their facts as attributes.

The table in ``execsvc.wire.errors`` gives each class its gRPC status and details; nothing else decides on codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One thing that is wrong with a request."""

    #: Where, as clients write it: ``definition.nodes[3].config.expression``.
    path: str
    #: Stable name of the kind of problem, UPPER_SNAKE_CASE.
    reason: str
    #: What is wrong and what would be right, for people.
    message: str


class ExecsvcError(Exception):
    """The request could not be carried out."""

    #: Stable machine-readable name, ``google.rpc.ErrorInfo.reason`` (AIP-193).
    reason: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The text for people."""
        return str(self.args[0])


class InvalidRequest(ExecsvcError):
    """The request is not valid."""

    reason = "INVALID_REQUEST"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first.path}: {first.message}{more}")


class TooLarge(ExecsvcError):
    """The request is larger than the server allows."""

    reason = "TOO_LARGE"

    def __init__(self, *, path: str, size: int, limit: int, unit: str = "bytes") -> None:
        self.path = path
        self.size = size
        self.limit = limit
        self.unit = unit
        super().__init__(f"{path} has {size} {unit}; at most {limit} are allowed")


class ExecutionNotFound(ExecsvcError):
    """There is no execution with this id."""

    reason = "EXECUTION_NOT_FOUND"

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__(f"there is no execution {execution_id!r}")


class WorkflowNotFound(ExecsvcError):
    """There is no workflow with this id and version."""

    reason = "WORKFLOW_NOT_FOUND"

    def __init__(self, workflow_id: str, version: str = "") -> None:
        self.workflow_id = workflow_id
        self.version = version
        which = f"no version {version!r} of workflow" if version else "no workflow"
        super().__init__(f"there is {which} {workflow_id!r}; store it with CreateWorkflow")


class ExecutionExists(ExecsvcError):
    """The execution id was used before with another request."""

    reason = "EXECUTION_EXISTS"

    def __init__(self, *, execution_id: str, state: str) -> None:
        self.execution_id = execution_id
        self.state = state
        super().__init__(
            f"execution {execution_id!r} exists, made from another request, and is {state}; use a new execution_id"
        )


class IllegalTransition(ExecsvcError):
    """The execution's state does not allow this action."""

    reason = "ILLEGAL_TRANSITION"

    def __init__(self, *, execution_id: str, action: str, state: str, allowed_from: Sequence[str]) -> None:
        self.execution_id = execution_id
        self.action = action
        self.state = state
        self.allowed_from = tuple(allowed_from)
        super().__init__(
            f"cannot {action} execution {execution_id!r}: it is {state}; {action} is possible from "
            + ", ".join(self.allowed_from)
        )


class StateChanged(ExecsvcError):
    """The execution is not in the expected state."""

    reason = "STATE_CHANGED"

    def __init__(self, *, execution_id: str, expected: str, state: str) -> None:
        self.execution_id = execution_id
        self.expected = expected
        self.state = state
        super().__init__(f"execution {execution_id!r} is {state}, not {expected} as expected")


class RequestIdReused(ExecsvcError):
    """The request id was used before for another action."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str, action: str) -> None:
        self.request_id = request_id
        self.action = action
        super().__init__(f"request_id {request_id!r} was used before, to {action}; use a new one")


class CursorOutOfRange(ExecsvcError):
    """The cursor lies outside the log."""

    reason = "CURSOR_OUT_OF_RANGE"

    def __init__(self, *, execution_id: str, cursor: int, first: int, last: int) -> None:
        self.execution_id = execution_id
        self.cursor = cursor
        self.first = first
        self.last = last
        super().__init__(f"the log of {execution_id!r} holds entries {first} to {last}; cursor {cursor} is outside")


class QueueFull(ExecsvcError):
    """As many executions wait as the server allows; try again later."""

    reason = "QUEUE_FULL"
    #: Seconds after which a client should try again.
    retry_delay = 5.0

    def __init__(self, capacity: int, *, of_namespace: bool = False) -> None:
        self.capacity = capacity
        #: Whether it is the caller's namespace that has as many as it may.
        self.of_namespace = of_namespace
        which, allows = (" of this namespace", "it may have") if of_namespace else ("", "this server allows")
        super().__init__(f"{capacity} executions{which} wait already, as many as {allows}; try again later")


class NamespaceFull(ExecsvcError):
    """As many executions of this namespace are on record as it may have; delete some, or try again later."""

    reason = "NAMESPACE_FULL"
    #: Seconds after which a client should try again: some may have passed their retention by then.
    retry_delay = 60.0

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        super().__init__(
            f"{capacity} executions of this namespace are on record, as many as it may have; delete some, or try again "
            "later"
        )


class RateLimited(ExecsvcError):
    """This namespace makes more calls than it may; try again later."""

    reason = "RATE_LIMITED"

    def __init__(self, rate: float, retry_delay: float) -> None:
        #: Calls a second that it may make.
        self.rate = rate
        #: Seconds after which a client should try again.
        self.retry_delay = retry_delay
        super().__init__(f"this namespace may make {rate:g} calls a second on this server; try again later")


class ServerDraining(ExecsvcError):
    """The server is shutting down and takes no new executions; try again."""

    reason = "SERVER_DRAINING"
    #: Seconds after which a client should try again.
    retry_delay = 1.0


class StorageUnavailable(ExecsvcError):
    """The database cannot be written or read right now; nothing was stored."""

    reason = "STORAGE_UNAVAILABLE"
    #: Seconds after which a client should try again.
    retry_delay = 2.0


class StorageFull(StorageUnavailable):
    """The disk of the database is full; nothing was stored."""

    reason = "STORAGE_FULL"
    #: Seconds after which a client should try again.
    retry_delay = 10.0


class CredentialsMissing(ExecsvcError):
    """This server asks who calls: send an API token as `authorization: Bearer TOKEN`."""

    reason = "CREDENTIALS_MISSING"


class CredentialsInvalid(ExecsvcError):
    """The credential is not valid here, or not any more; ask whoever runs this server for another."""

    reason = "CREDENTIALS_INVALID"

    def __init__(self, logged: str = "its credential is not valid") -> None:
        #: For the log alone: what is wrong, without the credential. Callers are not told.
        self.logged = logged
        super().__init__()


class TooManyFailures(ExecsvcError):
    """Too many calls with wrong credentials came from this address; try again later, or with a right one."""

    reason = "TOO_MANY_FAILURES"
    #: Seconds after which a client should try again.
    retry_delay = 1.0


class RoleTooLow(ExecsvcError):
    """The credential's role does not allow this call."""

    reason = "ROLE_TOO_LOW"

    def __init__(self, *, method: str, role: str, required_role: str) -> None:
        self.method = method
        self.role = role
        self.required_role = required_role
        super().__init__(f"{method} takes role {required_role}; this credential has role {role}")


class Overloaded(ExecsvcError):
    """There is more to do than can be done in time; nothing was read of the request. Try again later."""

    reason = "OVERLOADED"
    #: Seconds after which a client should try again.
    retry_delay = 1.0


class TooManyStreams(ExecsvcError):
    """As many streams are open as the server allows; close some, or try again later."""

    reason = "TOO_MANY_STREAMS"
    #: Seconds after which a client should try again.
    retry_delay = 5.0

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"this server has {limit} streams at most, and near that no client more than its share; close some, or "
            "try again later"
        )


class RequestStalled(ExecsvcError):
    """The request did not arrive in time."""

    reason = "REQUEST_STALLED"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request of this call was not there {seconds:g} s after its begin; send it at once")


class LeaseLost(ExecsvcError):
    """Another runner, or a client, took the execution over; what this one wrote was refused."""

    reason = "LEASE_LOST"


class DatabaseLocked(ExecsvcError):
    """Another server uses this database."""

    reason = "DATABASE_LOCKED"

    def __init__(self, path: str, owner: str, advice: str = "stop it, or name another file with --db") -> None:
        self.path = path
        self.owner = owner
        super().__init__(f"another server{owner} uses {path}; {advice}")


class CertificateUnusable(ExecsvcError):
    """A certificate, its key, or the authorities of clients cannot be used."""

    reason = "CERTIFICATE_UNUSABLE"

    def __init__(self, files: str, why: str) -> None:
        self.files = files
        super().__init__(f"{files} cannot be used: {why}")


class IdentityUnusable(ExecsvcError):
    """The identity provider whose tokens are to be taken cannot be used."""

    reason = "IDENTITY_UNUSABLE"


class TracingUnusable(ExecsvcError):
    """Traces cannot be sent as it was asked for."""

    reason = "TRACING_UNUSABLE"


class PluginUnusable(ExecsvcError):
    """A plug-in cannot be used."""

    reason = "PLUGIN_UNUSABLE"

    def __init__(self, name: str, why: str, *, kind: str = "node plug-in") -> None:
        self.name = name
        super().__init__(f"{kind} {name!r} cannot be used: {why}")
