"""The HTTP gateway: the API as JSON over HTTP, Server-Sent Events and WebSocket. A client of the gRPC API, no more."""

from execsvc.gateway.server import CannotListen, Running, running, serve
from execsvc.gateway.settings import Settings

__all__ = ["CannotListen", "Running", "Settings", "running", "serve"]
