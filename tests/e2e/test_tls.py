"""TLS of a served address: who is trusted, who is let in, certificates that change, and no listening without."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from execsvc_client import TLS, ExecutionClient, Unavailable
from tests.e2e.conftest import QUICK, Cli, ServeProcess

Serve = Callable[..., ServeProcess]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that nobody but these tests trusts."""
    return trustme.CA()


def write(authority: trustme.CA, certificate: Path, key: Path, name: str = "127.0.0.1") -> None:
    """Issue a certificate for a name, into files."""
    issued = authority.issue_cert(name)
    key.write_bytes(issued.private_key_pem.bytes())
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """A folder with the authority and the certificate of a server and of a client."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    write(authority, tmp_path / "tls.crt", tmp_path / "tls.key")
    write(authority, tmp_path / "client.crt", tmp_path / "client.key", "client.example")
    return tmp_path


def options(files: Path) -> tuple[str, ...]:
    """Those of a server with a certificate."""
    return "--tls-cert", str(files / "tls.crt"), "--tls-key", str(files / "tls.key")


def fetched(address: str, path: str, context: ssl.SSLContext | None) -> Any:
    """Call the HTTP API over TLS."""
    with urllib.request.urlopen(f"https://{address}{path}", timeout=30, context=context) as answer:
        return json.loads(answer.read())


def serial(address: str, authority: Path) -> str:
    """The serial number of the certificate that a server shows."""
    host, port = address.split(":")
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection((host, int(port)), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        shown = connection.getpeercert()
        assert shown is not None
        return str(shown["serialNumber"])


def test_calls_commands_and_http_go_over_tls_and_nothing_goes_without(serve: Serve, files: Path) -> None:
    server = serve(*options(files), "--http", "127.0.0.1:0")
    ca = files / "ca.crt"

    with ExecutionClient(server.address, tls=TLS(ca=ca)) as client:
        status = client.execute(QUICK, {"n": 2}, execution_id="e")
        assert client.wait(status.execution_id).output == {"double": 4} or client.get("e").state == "COMPLETED"
    cli = Cli(server.address)
    assert cli.json("status", "e", "--ca", ca)["state"] == "COMPLETED"
    assert cli.json("status", "e", code=7)["error"]["reason"] == "NO_SERVER"
    trusting = cli("status", "e", env={"EXECSVC_CA": str(ca)})
    assert trusting.returncode == 0, trusting
    context = ssl.create_default_context(cafile=str(ca))
    assert fetched(server.ready["http"], "/api/v1/execute/e/status", context)["status"] == "completed"
    with ExecutionClient(server.address, call_timeout=5) as client, pytest.raises(Unavailable):
        client.server_info()
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://{server.ready['http']}/readyz", timeout=30)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        fetched(server.ready["http"], "/readyz", None)


def test_who_has_no_certificate_is_not_let_in_where_one_is_asked_for(
    serve: Serve, files: Path, authority: trustme.CA, tmp_path: Path
) -> None:
    ca, certificate, key = files / "ca.crt", files / "client.crt", files / "client.key"
    server = serve(*options(files), "--tls-client-ca", str(ca), "--http", "127.0.0.1:0")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    write(trustme.CA(), stranger / "client.crt", stranger / "client.key", "client.example")

    with ExecutionClient(server.address, tls=TLS(ca=ca, certificate=certificate, key=key)) as client:
        assert not client.server_info().draining
    for tls in (TLS(ca=ca), TLS(ca=ca, certificate=stranger / "client.crt", key=stranger / "client.key")):
        with ExecutionClient(server.address, tls=tls, call_timeout=5) as client, pytest.raises(Unavailable):
            client.server_info()
    cli = Cli(server.address)
    assert cli("info", "--ca", ca, "--cert", certificate, "--key", key).returncode == 0
    context = ssl.create_default_context(cafile=str(ca))
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        fetched(server.ready["http"], "/readyz", context)
    context.load_cert_chain(certificate, key)
    assert fetched(server.ready["http"], "/readyz", context)


def test_a_command_is_known_by_its_certificate_until_it_is_taken_out_of_the_file(serve: Serve, files: Path) -> None:
    clients = files / "clients.toml"
    entry = '[[client]]\ndns = "{}"\nname = "cron"\nnamespace = "default"\nrole = "operator"\n'
    clients.write_text(entry.format("client.example"), encoding="utf-8")
    ca = files / "ca.crt"
    more = ("--tls-client-ca", str(ca), "--tls-clients", str(clients), "--auth", "token", "--http", "127.0.0.1:0")
    server = serve(*options(files), *more)
    shown = ("--ca", ca, "--cert", files / "client.crt", "--key", files / "client.key")
    cli = Cli(server.address)

    assert cli("info", *shown).returncode == 0
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(files / "client.crt", files / "client.key")
    assert fetched(server.ready["http"], "/readyz", context)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetched(server.ready["http"], "/api/v1/executions", context)
    assert json.loads(refused.value.read())["reason"] == "CREDENTIALS_MISSING"
    clients.write_text(entry.format("other.example"), encoding="utf-8")
    assert cli.json("info", *shown, code=3)["error"]["reason"] == "CREDENTIALS_INVALID"
    code, logged = server.end()
    assert code == 0
    assert "knows the certificate of client.example" in logged


def test_a_file_of_clients_that_cannot_be_used_is_told_at_the_start(files: Path) -> None:
    (files / "clients.toml").write_text("[[client]]\ncn = 'a'\nrole = 'king'\nnamespace = 'n'\n", encoding="utf-8")
    more = ("--tls-client-ca", files / "ca.crt", "--tls-clients", files / "clients.toml", "--auth", "token")
    error = Cli().json("serve", "--address", "127.0.0.1:0", "--db", files / "x.db", *options(files), *more, code=7)[
        "error"
    ]
    assert error["reason"] == "IDENTITY_UNUSABLE"
    assert "entry 1: role is to be one of reader, operator, admin" in error["message"]


def test_a_certificate_is_renewed_without_a_restart(serve: Serve, files: Path, authority: trustme.CA) -> None:
    server = serve(*options(files), "--http", "127.0.0.1:0")
    before = {address: serial(address, files / "ca.crt") for address in (server.address, server.ready["http"])}

    write(authority, files / "tls.crt", files / "tls.key")

    for address, shown in before.items():
        assert serial(address, files / "ca.crt") != shown
    # A key that does not fit, as while files are being replaced, takes the server off nothing.
    now = {address: serial(address, files / "ca.crt") for address in before}
    write(authority, files / "other.crt", files / "tls.key")
    assert {address: serial(address, files / "ca.crt") for address in before} == now


def test_a_gateway_reaches_its_server_over_tls(serve: Serve, files: Path) -> None:
    server = serve(*options(files))
    ca = files / "ca.crt"
    arguments = ("gateway", "--http", "127.0.0.1:0", "--ca", ca, *options(files), "--json")
    with Cli(server.address).running(*arguments) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["http"]
        context = ssl.create_default_context(cafile=str(ca))
        assert fetched(address, "/readyz", context)


@pytest.mark.parametrize(
    ("arguments", "reason", "message"),
    [
        (("--address", "0.0.0.0:0"), "UNPROTECTED_ADDRESS", "--address 0.0.0.0:0 is reached from other machines"),
        (("--address", "[::]:0"), "UNPROTECTED_ADDRESS", "--insecure where something in front"),
        (("--address", "workflows.example:0"), "UNPROTECTED_ADDRESS", "add --tls-cert and --tls-key"),
        (("--http", "0.0.0.0:0"), "UNPROTECTED_ADDRESS", "--http 0.0.0.0:0"),
        (("--tls-cert", "tls.crt"), "USAGE", "add --tls-key"),
        (("--tls-key", "tls.key"), "USAGE", "add --tls-cert"),
        (("--tls-client-ca", "ca.crt"), "USAGE", "add --tls-cert and --tls-key"),
        (("--tls-clients", "clients.toml"), "USAGE", "without --tls-client-ca"),
    ],
)
def test_what_would_not_be_protected_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], reason: str, message: str
) -> None:
    error = Cli().json("serve", "--db", tmp_path / "x.db", *arguments, code=2)["error"]

    assert error["reason"] == reason
    assert message in error["message"]
    assert not (tmp_path / "x.db").exists()


def test_a_certificate_that_cannot_be_used_ends_the_start(files: Path) -> None:
    (files / "tls.key").write_text("nothing")

    error = Cli().json("serve", "--db", files / "x.db", "--address", "127.0.0.1:0", *options(files), code=7)["error"]

    assert error["reason"] == "CERTIFICATE_UNUSABLE"


def test_listening_beyond_this_machine_can_be_asked_for(serve: Serve) -> None:
    server = serve("--address", "0.0.0.0:0", "--insecure")

    with ExecutionClient(server.address.replace("0.0.0.0", "127.0.0.1")) as client:
        assert not client.server_info().draining
    assert Cli().json("gateway", "--http", "0.0.0.0:0", code=2)["error"]["reason"] == "UNPROTECTED_ADDRESS"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cert", "client.crt"), "add --key"),
        (("--key", "client.key"), "add --cert"),
        (("--cert", "client.crt", "--key", "client.key"), "add --tls, or --ca"),
        (("--ca", "no-such-file.crt"), "no-such-file.crt cannot be read: no such file or directory"),
    ],
)
def test_a_command_says_what_its_connection_lacks(arguments: tuple[str, ...], message: str) -> None:
    error = Cli("127.0.0.1:1").json("info", *arguments, code=2)["error"]

    assert error["reason"] == "USAGE"
    assert message in error["message"]
