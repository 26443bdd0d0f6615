"""Read what a refused call says: code, and the details of ``google.rpc.Status``."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A refused call."""

    code: grpc.StatusCode
    message: str
    info: details.ErrorInfo
    #: (path, reason, description) of each violation of BadRequest.
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    #: Names of the messages among the details.
    kinds: list[str] = field(default_factory=list)
    #: Each detail by its name.
    by_kind: dict[str, Any] = field(default_factory=dict)

    @property
    def problems(self) -> dict[str, str]:
        """Reason by path."""
        return {path: reason for path, reason, _ in self.fields}


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Make a call that must be refused, and answer why it was."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return read(error)
    raise AssertionError(f"the call was answered: {answer}")


async def outcome(call: Awaitable[Any]) -> Any:
    """Make a call, and answer what it answers, or the error it was refused with."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error


def read(error: grpc.aio.AioRpcError) -> Refusal:
    """Unpack the details of an error; fails where it has none."""
    trailers = dict(error.trailing_metadata() or ())
    raw = trailers.get("grpc-status-details-bin")
    assert raw is not None, f"no details: {error.code()} {error.details()}"
    status = Status.FromString(raw)  # type: ignore[arg-type]
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    by_kind: dict[str, Any] = {}
    for detail in status.details:
        name = detail.type_url.rpartition(".")[2]
        message = getattr(details, name)()
        assert detail.Unpack(message)
        by_kind[name] = message
    # The same for each of them, and in the trailing metadata as well.
    assert by_kind.pop("RequestInfo").request_id == trailers["x-request-id"] != ""
    info = by_kind["ErrorInfo"]
    assert info.domain == "execsvc"
    violations = by_kind["BadRequest"].field_violations if "BadRequest" in by_kind else ()
    return Refusal(
        code=error.code(),
        message=error.details() or "",
        info=info,
        fields=[(v.field, v.reason, v.description) for v in violations],
        kinds=sorted(by_kind),
        by_kind=by_kind,
    )
