"""The exceptions of this client, and the one place where gRPC's become ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import grpc

from execsvc_client._status_details import Details, Resource, Violation, read_details
from execsvc_client._values import Problem


class ExecsvcError(Exception):
    """A call did not succeed. Base of every exception that this client raises on purpose.

    Attributes:
        code: name of the gRPC status, for example ``"NOT_FOUND"``.
        reason: stable name of the error, UPPER_SNAKE_CASE, for example ``"EXECUTION_NOT_FOUND"``; empty where the
            error did not come from an execsvc server.
        message: what happened, for people.
        domain: who defines the reason; ``"execsvc"`` for errors of the service.
        metadata: facts by name, such as ``execution_id`` and ``state``.
        field_violations: what is wrong with the request, each with its path.
        resource: what the error is about; None where the server does not say.
        preconditions: what would have to hold first.
        quotas: limits that are used up.
        retry_delay: seconds after which another attempt makes sense; None where the server names none.
    """

    #: The status this class stands for; ``UNKNOWN`` where it stands for several.
    default_code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str | None = None, *, code: str | None = None, details: Details | None = None) -> None:
        details = details or Details()
        self.message: str = message or (type(self).__doc__ or "").strip().partition("\n")[0]
        self.code: str = code or self.default_code
        self.reason: str = details.reason
        self.domain: str = details.domain
        self.metadata: Mapping[str, str] = details.metadata
        self.field_violations: tuple[Problem, ...] = details.field_violations
        self.resource: Resource | None = details.resource
        self.preconditions: tuple[Violation, ...] = details.preconditions
        self.quotas: tuple[Violation, ...] = details.quotas
        self.retry_delay: float | None = details.retry_delay
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} [{self.reason or self.code}]"

    @property
    def execution_id(self) -> str:
        """Id of the execution the error is about; empty where it is about none."""
        named = self.resource.name if self.resource and self.resource.type.lower().endswith("execution") else ""
        return self.metadata.get("execution_id", named)

    @property
    def state(self) -> str:
        """State of that execution when the call was refused, for example ``"PAUSED"``; empty where not told."""
        return self.metadata.get("state", "")


class InvalidArgument(ExecsvcError):
    """The request is not valid; ``field_violations`` name each problem. Do not repeat it unchanged."""

    default_code = "INVALID_ARGUMENT"


class DefinitionError(InvalidArgument):
    """The workflow definition cannot be read; found before anything was sent.

    ``field_violations`` hold every problem with its path. What only the server can know (expressions, cycles, names
    that are not upstream) is reported by it: as ``InvalidArgument``, or by ``validate``.
    """


class NotFound(ExecsvcError):
    """There is no execution or stored workflow with this id, or it is not visible to this caller."""

    default_code = "NOT_FOUND"


class AlreadyExists(ExecsvcError):
    """The execution id was used before with another request; ``execution_id`` and ``state`` say of which."""

    default_code = "ALREADY_EXISTS"


class FailedPrecondition(ExecsvcError):
    """The execution's state does not allow this action; ``state`` says what it is."""

    default_code = "FAILED_PRECONDITION"


class Aborted(ExecsvcError):
    """The execution is not in the expected state, or another call was faster. Look at it, then decide again."""

    default_code = "ABORTED"


class OutOfRange(ExecsvcError):
    """The cursor lies outside the log."""

    default_code = "OUT_OF_RANGE"


class ResourceExhausted(ExecsvcError):
    """Something is too large, or a limit is reached; with a ``retry_delay`` another attempt makes sense."""

    default_code = "RESOURCE_EXHAUSTED"


class Unauthenticated(ExecsvcError):
    """The server does not know who calls: the token is missing, wrong or expired."""

    default_code = "UNAUTHENTICATED"


class PermissionDenied(ExecsvcError):
    """The caller is known, but may not do this."""

    default_code = "PERMISSION_DENIED"


class Unavailable(ExecsvcError):
    """The server cannot be reached, or takes no calls right now. The client has tried again before raising this."""

    default_code = "UNAVAILABLE"


class DeadlineExceeded(ExecsvcError, TimeoutError):
    """No answer came in time; the call may have taken effect. Also a ``TimeoutError``."""

    default_code = "DEADLINE_EXCEEDED"


class Cancelled(ExecsvcError):
    """The call was given up: by the server, or because this client was closed."""

    default_code = "CANCELLED"


class Unimplemented(ExecsvcError):
    """The server has no such call; it is older than this client, or no execsvc server."""

    default_code = "UNIMPLEMENTED"


class InternalError(ExecsvcError):
    """The server, or something on the way to it, has a bug (INTERNAL, UNKNOWN, DATA_LOSS)."""

    default_code = "INTERNAL"


_BY_CODE: Mapping[str, type[ExecsvcError]] = {
    cls.default_code: cls
    for cls in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        OutOfRange,
        ResourceExhausted,
        Unauthenticated,
        PermissionDenied,
        Unavailable,
        DeadlineExceeded,
        Cancelled,
        Unimplemented,
        InternalError,
    )
}

#: What gRPC cores write where a connection broke without a status from the server.
_BROKEN = ("RST_STREAM", "GOAWAY", "Stream removed", "Socket closed", "ENHANCE_YOUR_CALM", "Connection reset")
#: What a server's gRPC core says, with the code of the same name, of a call that it hands to nobody: one that comes
#: while the server closes, or while more wait than it keeps. A call given up on this side is told in words.
_CUT_OFF = "CANCELLED"


def from_rpc_error(error: grpc.RpcError) -> ExecsvcError:
    """Return the exception that stands for a failed gRPC call, its details unpacked."""
    # Every error of a call is also the call; the type stubs do not say so.
    call = cast("grpc.Call", error)
    name = call.code().name
    details = read_details(call.trailing_metadata())
    translated: ExecsvcError
    if name == "CANCELLED" and call.details() == _CUT_OFF and not details.reason:
        # Nobody's wish: that code would say so.
        translated = Unavailable(
            "the server gave the call up before it was read, as one does that closes or is overrun"
        )
    else:
        translated = _BY_CODE.get(name, InternalError)(call.details() or None, code=name, details=details)
    # Raised away from where the call failed: without this the cause would be lost.
    translated.__cause__ = error
    return translated


def invalid(problems: Sequence[Problem], cls: type[InvalidArgument] = InvalidArgument) -> InvalidArgument:
    """Return the exception for problems that were found before anything was sent."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return cls(f"{problems[0]}{more}", details=Details(reason="INVALID_REQUEST", field_violations=tuple(problems)))


def is_cut_off(error: ExecsvcError) -> bool:
    """Whether a server's gRPC core gave the call up: it is unavailable, but gRPC on this side does not know."""
    # Every error of a call is also the call.
    cause = error.__cause__
    return (
        isinstance(error, Unavailable)
        and isinstance(cause, grpc.RpcError)
        and cast("grpc.Call", cause).code() is grpc.StatusCode.CANCELLED
    )


def is_lost_connection(error: ExecsvcError) -> bool:
    """Whether a stream broke for a reason that says nothing about the request, so that connecting again may help."""
    if isinstance(error, Unavailable | DeadlineExceeded):
        return True
    if error.reason:
        return False
    return error.code in {"INTERNAL", "UNKNOWN", "CANCELLED", "RESOURCE_EXHAUSTED"} and any(
        mark in error.message for mark in _BROKEN
    )
