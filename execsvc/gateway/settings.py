"""What a gateway needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from execsvc.certificates import CertificateFiles
from execsvc_client import TLS

#: Where gateways listen unless told otherwise.
DEFAULT_HTTP: Final = "127.0.0.1:8000"
#: The largest definition (1 MiB) and input (4 MiB) that servers take, and room for white space and the rest.
DEFAULT_MAX_BODY: Final = 8 * 1024 * 1024

#: Streams and WebSockets of one gateway.
DEFAULT_MAX_STREAMS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a gateway needs to know."""

    #: The gRPC server, as ``host:port`` or any other gRPC target.
    target: str
    #: How to reach it; None: without TLS.
    tls: TLS | None = None
    #: Certificate files for HTTP; None: no TLS.
    certificates: CertificateFiles | None = None
    #: ``host:port`` to listen on; port 0 takes a free one.
    address: str = DEFAULT_HTTP
    #: Origins whose pages may call, such as ``https://app.example``; ``*``: any. Empty: none but the gateway's own.
    cors: tuple[str, ...] = ()
    #: Largest body of a request, bytes.
    max_body: int = DEFAULT_MAX_BODY
    #: Seconds between two signs of life on a quiet stream.
    keep_alive: float = 15.0
    #: Seconds that a browser may take to read what was sent before it counts as gone.
    send_timeout: float = 30.0
    #: Seconds within which the body of a request has to be there.
    body_timeout: float = 60.0
    #: Streams and WebSockets that are open at once. Each takes up to two of the thousand that the connection to the
    #: server has.
    max_streams: int = DEFAULT_MAX_STREAMS
    #: Seconds that requests under way have when the gateway goes down.
    grace: float = 5.0
