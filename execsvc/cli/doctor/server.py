"""Checks of a server that runs where the settings say one would: whether it serves, and which version it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc import __version__
from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc_client import TLS, ExecsvcError, ExecutionClient, PermissionDenied, Unauthenticated

if TYPE_CHECKING:
    from execsvc.cli.configured import Connection
    from execsvc.config.models import ServerSettings

#: Seconds that a server has for an answer.
_PATIENCE: Final = 5.0


def server(wanted: ServerSettings, connection: Connection) -> Iterator[Finding]:
    """Check who answers at the address of the settings.

    Args:
        connection: how commands reach a server.
    """
    host, _, port = wanted.address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    if port == "0":
        yield ok("server.health", "a server would take a free port: there is none to ask")
        return
    target = f"{host}:{port}"
    if not _listening(host, int(port)):
        yield ok("server.health", f"none runs at {target}", address=target)
        return
    tls = _tls(wanted, connection, host)
    try:
        status = _health(target, tls)
    except (grpc.RpcError, OSError, ValueError) as error:
        code = error.code().name if isinstance(error, grpc.RpcError) else str(error)
        yield problem(
            "server.health",
            f"something listens at {target}, and does not answer as a server does: {code}",
            means="another program has the port, or the server has TLS that this command does not know, or it hangs",
            advice="see who listens; for TLS set EXECSVC_CA, and EXECSVC_CERT with EXECSVC_KEY if it asks for them",
            address=target,
        )
        return
    if status != health_pb2.HealthCheckResponse.SERVING:
        yield warning(
            "server.health",
            f"the server at {target} is going down",
            means="it takes nothing new (SERVER_DRAINING)",
            advice="wait for its end, then start it again",
            address=target,
        )
        return
    yield ok("server.health", f"a server serves at {target}", address=target)
    yield _version(target, tls, connection)


def _listening(host: str, port: int) -> bool:
    try:
        with closing(socket.create_connection((host.strip("[]"), port), timeout=_PATIENCE)):
            return True
    except OSError:
        return False


def _tls(wanted: ServerSettings, connection: Connection, host: str) -> TLS | None:
    if wanted.tls_cert is None:
        return None
    if connection.tls is not None:
        return connection.tls
    # Its own certificate may be its authority, too; where it is not, the finding says what to give.
    return TLS(ca=wanted.tls_cert, server_name=_name(wanted.tls_cert, host))


def _name(certificate: Path, host: str) -> str | None:
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    known = [*names.get_values_for_type(x509.DNSName), *addresses]
    return None if host.strip("[]") in known or not known else known[0].replace("*", "any", 1)


def _health(target: str, tls: TLS | None) -> int:
    options = [] if tls is None else list(tls.options().items())
    channel = grpc.insecure_channel(target) if tls is None else grpc.secure_channel(target, tls.credentials(), options)
    with channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE).status)  # type: ignore[attr-defined]


def _version(target: str, tls: TLS | None, connection: Connection) -> Finding:
    try:
        with ExecutionClient(target, tls=tls, token=connection.token, call_timeout=_PATIENCE) as client:
            info = client.server_info()
    except (Unauthenticated, PermissionDenied) as error:
        return ok("server.version", f"not told: {error.message}")
    except ExecsvcError as error:
        return problem(
            "server.version",
            f"the server at {target} does not say who it is: {error.message}",
            means="it is healthy by its own account, and calls fail",
            advice="look at its log",
        )
    if info.version != __version__:
        return warning(
            "server.version",
            f"the server is {info.version}, this command {__version__}",
            means="what this says of versions, packages and the schema is of this installation, not of that server",
            advice="run the doctor of the server's own environment; after an upgrade restart the server",
            server=info.version,
            own=__version__,
        )
    return ok("server.version", f"{info.version}, {', '.join(info.capabilities[:1])}", server=info.version)
