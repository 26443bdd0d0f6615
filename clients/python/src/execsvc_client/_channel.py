"""How this client connects: target, limits, keepalive, and which calls gRPC itself repeats."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc

from execsvc_client import v1
from execsvc_client._retry import INITIAL_DELAY, MAX_ATTEMPTS, Timing

DEFAULT_TARGET = "127.0.0.1:50051"

#: Largest request in bytes, the server's own limit: a larger one fails here, before anything is sent.
MAX_REQUEST_BYTES = 32 * 1024 * 1024

#: Sent as ``authorization: Bearer …`` with every call; a function is asked anew for each call.
#: Empty: nothing is sent.
Token: TypeAlias = str | Callable[[], str]

#: Sent along with every call; a function is asked anew for each call.
Metadata: TypeAlias = Sequence[tuple[str, str]] | Callable[[], Sequence[tuple[str, str]]]

#: Calls that change nothing. gRPC repeats them; Execute and Control are repeated by this client, which gives them ids;
#: so is CreateWorkflow, which a repeat does not change. DeleteExecution is not: see ``_calls.delete``.
SAFE_METHODS = (
    ("execsvc.v1.ExecutionService", "GetStatus"),
    ("execsvc.v1.ExecutionService", "GetExecution"),
    ("execsvc.v1.ExecutionService", "ListLogs"),
    ("execsvc.v1.ExecutionService", "ListExecutions"),
    ("execsvc.v1.WorkflowService", "ValidateWorkflow"),
    ("execsvc.v1.WorkflowService", "ListNodeTypes"),
    ("execsvc.v1.WorkflowService", "GetWorkflow"),
    ("execsvc.v1.WorkflowService", "ListWorkflows"),
    ("execsvc.v1.ServerService", "GetServerInfo"),
)

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": service, "method": method} for service, method in SAFE_METHODS],
            "retryPolicy": {
                "maxAttempts": MAX_ATTEMPTS,
                "initialBackoff": f"{INITIAL_DELAY}s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

OPTIONS: dict[str, Any] = {
    "grpc.max_send_message_length": MAX_REQUEST_BYTES,
    # The full record of an execution holds its input and every node's output: no limit that fits requests fits it.
    "grpc.max_receive_message_length": -1,
    "grpc.service_config": json.dumps(SERVICE_CONFIG),
    # Notices a dead peer while a call waits; the server's heartbeats on streams keep these pings within its limits.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 0,
    # The default waits up to two minutes between attempts to connect, long after a server is back.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both clients are made of."""

    target: str
    #: None: no TLS.
    credentials: grpc.ChannelCredentials | None
    token: Token | None
    more_metadata: Metadata | None
    #: Seconds a unary call may take, repeats included.
    call_timeout: float
    #: Seconds a stream may be broken before it gives up; None: for ever.
    reconnect_timeout: float | None
    #: gRPC channel arguments on top of ``OPTIONS``.
    options: Sequence[tuple[str, Any]]
    timing: Timing = field(default_factory=Timing)
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def channel_options(self) -> list[tuple[str, Any]]:
        """Return the gRPC channel arguments."""
        return list((OPTIONS | dict(self.options)).items())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what is sent with every call."""
        given = self.more_metadata
        more = () if given is None else tuple(given() if callable(given) else given)
        if self.token is None:
            return more
        token = self.token if isinstance(self.token, str) else self.token()
        if not token:
            return more
        return (("authorization", f"Bearer {token}"), *more)

    def deadline(self, timeout: float | None) -> float | None:
        """Return when so many seconds from now have passed, by the clock of ``timing``."""
        return None if timeout is None else self.timing.clock() + timeout


def make_stubs(channel: Any) -> dict[str, Any]:
    """Return the stubs of every service by its name, for a channel of either kind."""
    return {
        "ExecutionService": v1.ExecutionServiceStub(channel),
        "WorkflowService": v1.WorkflowServiceStub(channel),
        "ServerService": v1.ServerServiceStub(channel),
    }
