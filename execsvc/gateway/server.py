"""Run a gateway: listen, serve, drain. In a process of its own, or beside a gRPC server in the same event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import grpc.aio
import uvicorn

from execsvc.certificates import Renewing, server_context
from execsvc.gateway.api import make_app
from execsvc.gateway.connections import GuardedProtocol
from execsvc.gateway.context import Gateway, Places
from execsvc.gateway.origins import bearer, trace_context
from execsvc.gateway.request_ids import sent_on
from execsvc.gateway.settings import Settings
from execsvc_client import AsyncExecutionClient

logger = logging.getLogger(__name__)

#: Seconds that one call may take, repeats included; those who wait at the other end of HTTP wait no longer.
_CALL_TIMEOUT: Final = 20.0
#: Largest message that a WebSocket takes, bytes; control messages are small but for a retry's input.
_MAX_MESSAGE: Final = 8 * 1024 * 1024
#: Seconds between two pings of a WebSocket, and for its answer.
_PING: Final = 20.0


class CannotListen(OSError):
    """The address for HTTP cannot be listened on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that serves."""

    #: ``host:port`` with the port taken.
    address: str
    #: The same as a URL.
    url: str
    #: Its connections tell what slow readers cost.
    server: uvicorn.Server


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run a gateway for as long as the context lasts, then drain and stop it.

    The server behind it need not be there: what needs it answers 503 until it is.

    Raises:
        CannotListen: the address cannot be listened on.
        CertificateUnusable: the certificate files cannot be used.
        OSError, ValueError: those for the connection to the server cannot.
    """
    context = None if settings.certificates is None else server_context(Renewing(settings.certificates))
    listener = await asyncio.to_thread(_listen, settings.address)
    host = settings.address.rpartition(":")[0]
    address = f"{host}:{listener.getsockname()[1]}"
    target = _reachable(settings.target)
    try:
        async with (
            AsyncExecutionClient(
                target,
                tls=settings.tls,
                token=_shown,
                metadata=_metadata,
                call_timeout=_CALL_TIMEOUT,
                reconnect_timeout=0,
            ) as calls,
            AsyncExecutionClient(
                target,
                tls=settings.tls,
                token=_shown,
                metadata=_metadata,
                reconnect_timeout=None,
                # A pool of its own: gRPC would put both clients on one connection, where streams could hold up calls.
                options=[("grpc.use_local_subchannel_pool", 1)],
            ) as streams,
            _channel(target, settings) as channel,
        ):
            gateway = Gateway(settings=settings, calls=calls, streams=streams, places=Places(settings.max_streams))
            config = uvicorn.Config(
                make_app(gateway, channel),
                http=GuardedProtocol,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Nobody is known by address here, and connections are found by the real one.
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(settings.grace)),
                ws_max_size=_MAX_MESSAGE,
                ws_ping_interval=_PING,
                ws_ping_timeout=_PING,
            )
            config.load()
            # uvicorn reads certificates once; this context reads them anew when they change.
            config.ssl = context
            server = _Server(config)
            gateway.connections.belong_to(server.server_state.connections)
            async with _serving(server, listener):
                try:
                    scheme = "http" if context is None else "https"
                    yield Running(address=address, url=f"{scheme}://{address}", server=server)
                finally:
                    gateway.closing.set()
    finally:
        listener.close()


def _metadata() -> Sequence[tuple[str, str]]:
    """Give what of a request goes to the server with its calls: its id, and its place in a trace."""
    return (*sent_on(), *trace_context.get())


def _shown() -> str:
    # Nothing at all could count as the gateway's own certificate; a blank says that its caller shows nothing.
    return bearer.get() or " "


def _channel(target: str, settings: Settings) -> grpc.aio.Channel:
    if settings.tls is None:
        return grpc.aio.insecure_channel(target)
    return grpc.aio.secure_channel(target, settings.tls.credentials(), list(settings.tls.options().items()))


@asynccontextmanager
async def _serving(server: _Server, listener: socket.socket) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="gateway")
    started = asyncio.create_task(server.serving.wait())
    try:
        await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        started.cancel()
        server.should_exit = True
        await serving


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        (family, *_, where), *_ = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(where[:2], family=family, backlog=2048)
    except OSError as error:
        # Of a failed bind the words hold the address again; of a name that is not found the number says nothing.
        failed_bind = error.errno is not None and error.errno > 0
        why = os.strerror(error.errno or 0) if failed_bind else error.strerror or str(error)
        raise CannotListen(f"cannot listen on {address} for HTTP: {why}") from error


def _reachable(target: str) -> str:
    """Give where to connect to what listens on every address."""
    for anywhere, here in (("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")):
        if target.startswith(anywhere):
            return here + target.removeprefix(anywhere)
    return target


async def serve(settings: Settings, *, ready: Callable[[Running], None]) -> None:
    """Serve until SIGTERM or SIGINT; calls ``ready`` once the gateway answers. Raises as ``running`` does."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as gateway:
        ready(gateway)
        await stop.wait()
        logger.info("draining: streams end, %g s for calls under way", settings.grace)
