"""Connections over TLS: whom the client trusts, and who it says it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import trustme

from clients.python.tests.conftest import Driver, Script, Servicer
from execsvc_client import TLS, ExecutionClient, Unavailable, v1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that nobody but these tests trusts."""
    return trustme.CA()


def pem(certificate: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Callable[..., str]]:
    """Start servers with a certificate for a name; answers their address."""
    servers: list[grpc.Server] = []

    def start(name: str, *, ask: bool = False) -> str:
        certificate = authority.issue_cert(name)
        server = grpc.server(ThreadPoolExecutor(2))
        v1.add_ServerServiceServicer_to_server(Servicer(Script()), server)
        credentials = grpc.ssl_server_credentials(
            [(certificate.private_key_pem.bytes(), pem(certificate))],
            root_certificates=authority.cert_pem.bytes() if ask else None,
            require_client_auth=ask,
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


async def test_a_server_of_a_trusted_authority_is_called(
    authority: trustme.CA, serve: Callable[..., str], connect: Callable[..., Driver], tmp_path: Path
) -> None:
    target = serve("127.0.0.1")
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))

    for ca in (file, file.read_bytes(), file.read_text()):
        assert (await connect(target, tls=TLS(ca=ca)).call("server_info")).version == "1.2.3"


async def test_a_server_of_an_unknown_authority_is_not(
    serve: Callable[..., str], connect: Callable[..., Driver]
) -> None:
    stranger = trustme.CA().cert_pem.bytes()
    driver = connect(serve("127.0.0.1"), tls=TLS(ca=stranger), call_timeout=10)

    with pytest.raises(Unavailable):
        await driver.call("server_info")


async def test_a_certificate_for_another_name_needs_server_name(
    authority: trustme.CA, serve: Callable[..., str], connect: Callable[..., Driver]
) -> None:
    target, ca = serve("workflows.example"), authority.cert_pem.bytes()

    with pytest.raises(Unavailable):
        await connect(target, tls=TLS(ca=ca), call_timeout=10).call("server_info")
    named = connect(target, tls=TLS(ca=ca, server_name="workflows.example"))
    assert (await named.call("server_info")).version == "1.2.3"


async def test_a_server_that_asks_gets_our_certificate(
    authority: trustme.CA, serve: Callable[..., str], connect: Callable[..., Driver]
) -> None:
    target, ca, ours = serve("127.0.0.1", ask=True), authority.cert_pem.bytes(), authority.issue_cert("client.example")

    with pytest.raises(Unavailable):
        await connect(target, tls=TLS(ca=ca), call_timeout=10).call("server_info")
    known = connect(target, tls=TLS(ca=ca, certificate=pem(ours), key=ours.private_key_pem.bytes()))
    assert (await known.call("server_info")).version == "1.2.3"


def test_what_does_not_fit_together_is_refused_when_the_client_is_made() -> None:
    with pytest.raises(ValueError, match="certificate and key go together"):
        ExecutionClient(tls=TLS(certificate="…"))
    with pytest.raises(ValueError, match="give one of them"):
        ExecutionClient(tls=TLS(), credentials=grpc.ssl_channel_credentials())
    with pytest.raises(FileNotFoundError):
        ExecutionClient(tls=TLS(ca=Path("no-such-file.pem")))
