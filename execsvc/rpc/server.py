"""The grpc.aio server: services, health, reflection, and limits on what a connection may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.descriptor_pool import Default
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from execsvc.model import UNLIMITED, Namespaces
from execsvc.redaction import OPEN, Redaction
from execsvc.rpc.admission import Admission
from execsvc.rpc.beside import Beside
from execsvc.rpc.calls import CallObserver, MethodObserver
from execsvc.rpc.gate import Gate
from execsvc.rpc.interceptor import Interceptor
from execsvc.rpc.rates import Rates
from execsvc.rpc.servicers import ExecutionServicer, ServerServicer, WorkflowServicer
from execsvc.service import Identities, Limits, Services
from execsvc_client import v1

SERVICES: Final = ("execsvc.v1.ExecutionService", "execsvc.v1.WorkflowService", "execsvc.v1.ServerService")
#: Bytes of metadata that a call may have: a token, a trace, and some more.
METADATA: Final = 16 * 1024
_STANDARD: Final = (health.SERVICE_NAME, reflection.SERVICE_NAME, "grpc.channelz.v1.Channelz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What callers may take of one server, all of them together and each connection."""

    #: Calls of a kind that are worked on at once.
    calls: int = 256
    #: Streams that are open at once.
    streams: int = 2_000
    #: Calls and streams of one connection at once.
    connection_streams: int = 1_000
    #: Connections that are open at once.
    connections: int = 10_000
    #: Seconds that a connection has until it speaks HTTP/2, its TLS included; and a call, until its request is there.
    handshake: float = 10.0
    request: float = 60.0


class RpcServer:
    """Serves the API on one address.

    Args:
        address: ``host:port``; port 0 takes a free one.
        capabilities: optional abilities, for GetServerInfo.
        credentials: of TLS; None: without.
        guard: what callers may take of it.
        beside: another address, without TLS whatever ``credentials`` say, for what runs in this process.
        identities: who may call; None: anybody, for anything in the default namespace.
        namespaces: how many calls each may make.
        calls: told of each call of the API.
        redaction: what is not shown to anybody.
        tracer: told of each that is let in.
    """

    def __init__(
        self,
        *,
        address: str,
        services: Services,
        limits: Limits,
        start_time: int,
        capabilities: Sequence[str],
        identities: Identities | None = None,
        namespaces: Namespaces = UNLIMITED,
        calls: CallObserver | None = None,
        tracer: CallObserver | None = None,
        credentials: grpc.ServerCredentials | None = None,
        beside: str | None = None,
        redaction: Redaction = OPEN,
        guard: Guard | None = None,
    ) -> None:
        guard = guard or Guard()
        self._server = grpc.aio.server(
            interceptors=[
                Interceptor(
                    gate=Gate(identities, Rates(namespaces)),
                    admission=Admission(calls=guard.calls, streams=guard.streams, request_seconds=guard.request),
                    request_bytes=limits.request_bytes,
                    observers=_observers(calls),
                    tracers=_observers(tracer),
                )
            ],
            options=[
                # What is past the limit by far is cut off by gRPC, without details; the rest is told what the limit is.
                ("grpc.max_receive_message_length", 2 * limits.request_bytes),
                # What may be stored may be read back.
                ("grpc.max_send_message_length", -1),
                # A second server on the same port must fail instead of sharing it.
                ("grpc.so_reuseport", 0),
                # Dead peers are found within a minute and a half; clients may ping every ten seconds.
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 4),
                # Who connects and says nothing is cut off.
                ("grpc.server_handshake_timeout_ms", round(1000 * guard.handshake)),
                ("grpc.max_allowed_incoming_connections", guard.connections),
                # Of more the client waits by itself, as HTTP/2 has it.
                ("grpc.max_concurrent_streams", guard.connection_streams),
                ("grpc.max_metadata_size", METADATA),
                ("grpc.absolute_max_metadata_size", METADATA),
            ],
        )
        beside_loop = Beside()
        v1.add_ExecutionServiceServicer_to_server(ExecutionServicer(services, redaction, beside_loop), self._server)
        v1.add_WorkflowServiceServicer_to_server(WorkflowServicer(services.workflows, beside_loop), self._server)
        v1.add_ServerServiceServicer_to_server(
            ServerServicer(services.executions, limits=limits, start_time=start_time, capabilities=capabilities),
            self._server,
        )
        self._health = health.aio.HealthServicer()
        beside_ours: Any = _Unregistered(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, beside_ours)
        channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), beside_ours)
        reflection.enable_server_reflection((*SERVICES, *_STANDARD), self._server)
        self._address = address
        self._credentials = credentials
        self._beside = beside

    async def start(self) -> str:
        """Listen; answers ``host:port`` with the port taken.

        Raises:
            OSError: the address cannot be listened on.
        """
        host = self._address.rpartition(":")[0]
        try:
            if self._beside is not None:
                self._server.add_insecure_port(self._beside)
            port = (
                self._server.add_insecure_port(self._address)
                if self._credentials is None
                else self._server.add_secure_port(self._address, self._credentials)
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: the port is taken or the address is not ours") from error
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return f"{host}:{port}"

    async def drain(self) -> None:
        """Tell health checkers that this server goes down."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _set_health(self, status: Any) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def stop(self, grace: float) -> None:
        """Stop listening; calls under way have ``grace`` seconds to end."""
        await self._server.stop(grace)


class _Unregistered:
    """Adds services without a queue of calls for each of their methods, all of which gRPC looks at with each call.

    The API's own methods keep theirs: a crowd at one of them does not stand in the way of another.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """See ``grpc.aio.Server``."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Leave them to the generic ones."""


def _observers(calls: CallObserver | None) -> dict[str, MethodObserver]:
    if calls is None:
        return {}
    return {
        f"/{service}/{method.name}": calls.method(service, method.name, streaming=method.server_streaming)
        for service in SERVICES
        for method in Default().FindServiceByName(service).methods
    }
