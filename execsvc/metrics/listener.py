"""The HTTP listener that Prometheus scrapes: its own port and threads, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server


class CannotListen(OSError):
    """The address for metrics cannot be listened on."""


@asynccontextmanager
async def served(registry: CollectorRegistry, address: str) -> AsyncIterator[str]:
    """Serve a registry over HTTP for as long as the context lasts; answers ``host:port`` with the port taken.

    Args:
        address: ``host:port``; port 0 takes a free one.

    Raises:
        CannotListen: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    try:
        # In a thread: it looks up the host's name.
        server, thread = await asyncio.to_thread(start_http_server, int(port), host.strip("[]"), registry)
    except OSError as error:
        raise CannotListen(f"cannot listen on {address} for metrics: {error.strerror or error}") from error
    try:
        yield f"{host}:{server.server_port}"
    finally:
        await asyncio.to_thread(_stop, server, thread)


def _stop(server: WSGIServer, thread: Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
