"""TLS in the words of its users: whom to trust, and who we are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc

#: PEM text or bytes, or the path of a file that holds it.
Pem: TypeAlias = str | bytes | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Encrypt the connection, and make sure of who is at its other end.

    Example:
        >>> ExecutionClient("workflows.example:443", tls=TLS(ca=Path("ca.pem")), token="…")
    """

    #: Certificates of the authorities to trust; None: those that come with gRPC.
    ca: Pem | None = None
    #: Our own certificate, for servers that ask who we are (mTLS); with ``key``.
    certificate: Pem | None = None
    #: Private key of ``certificate``.
    key: Pem | None = None
    #: Name that the server's certificate must be for, where it is not the host of the target. None: it is.
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Return this as gRPC has it; files are read now.

        Raises:
            OSError: a file cannot be read.
            ValueError: a certificate without its key, or a key without its certificate.
        """
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; one of them is missing")
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca), private_key=_read(self.key), certificate_chain=_read(self.certificate)
        )

    def options(self) -> dict[str, str]:
        """Return the gRPC channel arguments that belong to it."""
        return {} if self.server_name is None else {"grpc.ssl_target_name_override": self.server_name}


def _read(pem: Pem | None) -> bytes | None:
    if isinstance(pem, Path):
        return pem.read_bytes()
    return pem.encode() if isinstance(pem, str) else pem
