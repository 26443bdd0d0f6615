"""Read ``google.rpc`` error details without a package that defines them.

The messages are built in a descriptor pool of our own: googleapis-common-protos may be installed beside this client,
in any version, and two definitions of one message in the default pool are an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from execsvc_client._values import Problem

#: Key of the trailing metadata that holds a serialized ``google.rpc.Status``.
DETAILS_KEY = "grpc-status-details-bin"

_STRING = FieldDescriptorProto.TYPE_STRING
_MESSAGE = FieldDescriptorProto.TYPE_MESSAGE
_ONE = FieldDescriptorProto.LABEL_OPTIONAL
_MANY = FieldDescriptorProto.LABEL_REPEATED

#: Message -> fields (name, number, label, full name of the message or None for text), as google/rpc/*.proto has them.
_MESSAGES: Mapping[str, tuple[tuple[str, int, Any, str | None], ...]] = {
    "Status": (("message", 2, _ONE, None), ("details", 3, _MANY, "google.protobuf.Any")),
    "MetadataEntry": (("key", 1, _ONE, None), ("value", 2, _ONE, None)),
    # A map field is a repeated pair on the wire.
    "ErrorInfo": (
        ("reason", 1, _ONE, None),
        ("domain", 2, _ONE, None),
        ("metadata", 3, _MANY, "google.rpc.MetadataEntry"),
    ),
    "FieldViolation": (("field", 1, _ONE, None), ("description", 2, _ONE, None), ("reason", 3, _ONE, None)),
    "BadRequest": (("field_violations", 1, _MANY, "google.rpc.FieldViolation"),),
    "ResourceInfo": (
        ("resource_type", 1, _ONE, None),
        ("resource_name", 2, _ONE, None),
        ("owner", 3, _ONE, None),
        ("description", 4, _ONE, None),
    ),
    "PreconditionViolation": (("type", 1, _ONE, None), ("subject", 2, _ONE, None), ("description", 3, _ONE, None)),
    "PreconditionFailure": (("violations", 1, _MANY, "google.rpc.PreconditionViolation"),),
    "QuotaViolation": (("subject", 1, _ONE, None), ("description", 2, _ONE, None)),
    "QuotaFailure": (("violations", 1, _MANY, "google.rpc.QuotaViolation"),),
    "RetryInfo": (("retry_delay", 1, _ONE, "google.protobuf.Duration"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The thing that an error is about."""

    #: Its kind, for example ``execsvc.v1.Execution``.
    type: str
    #: Its id.
    name: str
    #: What is the matter with it; may be empty.
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A precondition that does not hold, or a quota that is used up."""

    #: Kind of the precondition; empty for quotas.
    type: str
    #: What it concerns, for example an execution's id.
    subject: str
    #: What does not hold, for people.
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Everything a ``google.rpc.Status`` says beside its code; empty where the server sent none."""

    #: Stable name of the error, UPPER_SNAKE_CASE.
    reason: str = ""
    #: Who defines the reason: ``execsvc`` for this service.
    domain: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    field_violations: tuple[Problem, ...] = ()
    resource: Resource | None = None
    preconditions: tuple[Violation, ...] = ()
    quotas: tuple[Violation, ...] = ()
    #: Seconds after which another attempt makes sense; None: the server named none.
    retry_delay: float | None = None


def read_details(trailing_metadata: Iterable[tuple[str, str | bytes]] | None) -> Details:
    """Return what the trailing metadata of a failed call says; details that do not parse count as absent."""
    found: dict[str, Any] = {}
    for key, value in trailing_metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                for detail in _message("Status").FromString(value).details:
                    # A proxy may rewrite the part before the slash; the type's name is what counts.
                    name = detail.type_url.rpartition("/")[2].removeprefix("google.rpc.")
                    if name in _READERS:
                        found.update(_READERS[name](_message(name).FromString(detail.value)))
            except DecodeError:
                continue
    return Details(**found)


def _violations(items: Iterable[Any]) -> tuple[Violation, ...]:
    return tuple(
        Violation(type=getattr(item, "type", ""), subject=item.subject, description=item.description) for item in items
    )


_READERS: Mapping[str, Any] = {
    "ErrorInfo": lambda info: {
        "reason": info.reason,
        "domain": info.domain,
        "metadata": {pair.key: pair.value for pair in info.metadata},
    },
    "BadRequest": lambda bad: {
        "field_violations": tuple(
            Problem(path=item.field, reason=item.reason, message=item.description) for item in bad.field_violations
        )
    },
    "ResourceInfo": lambda info: {
        "resource": Resource(type=info.resource_type, name=info.resource_name, description=info.description)
    },
    "PreconditionFailure": lambda failure: {"preconditions": _violations(failure.violations)},
    "QuotaFailure": lambda failure: {"quotas": _violations(failure.violations)},
    "RetryInfo": lambda info: {"retry_delay": info.retry_delay.seconds + info.retry_delay.nanos / 1e9},
}


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    file = FileDescriptorProto(name="execsvc_client/google_rpc.proto", package="google.rpc", syntax="proto3")
    for dependency in (any_pb2, duration_pb2):
        pool.AddSerializedFile(dependency.DESCRIPTOR.serialized_pb)
        file.dependency.append(dependency.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, label, type_name in fields:
            added = message.field.add(name=field_name, number=number, label=label)
            added.type = _MESSAGE if type_name else _STRING
            if type_name:
                added.type_name = f".{type_name}"
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _message(name: str) -> Any:
    return GetMessageClass(_pool().FindMessageTypeByName(f"google.rpc.{name}"))
