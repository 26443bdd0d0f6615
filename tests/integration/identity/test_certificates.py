"""Callers who are known by their certificates: every RPC, which credential counts, and that it can be taken away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

from execsvc.certificates import CertificateFiles
from execsvc.clock import SystemClock
from execsvc.gateway import Settings as GatewaySettings
from execsvc.gateway import running as gateway_running
from execsvc.model import ActorKind, Role
from execsvc.rpc.roles import RULES
from execsvc_client import TLS, AsyncExecutionClient, to_definition, v1
from tests.integration.conftest import StartServer
from tests.integration.identity.samples import MISSING, OK, SAMPLES, SERVED, call, expected
from tests.support.authorities import Authority, Issued
from tests.support.nodes import Gates
from tests.support.statuses import read
from tests.support.workflows import ECHO, chain

AUTHORITY = Authority()
#: Whoever makes a test's channel, so that names of servers need not be addresses.
OPTIONS = [("grpc.ssl_target_name_override", "server.internal")]


class Cert(StrEnum):
    """Whose certificate is shown."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"
    STRANGER = "admin of another namespace"
    NOBODY = "in no entry"


ROLES = {Cert.READER: Role.READER, Cert.OPERATOR: Role.OPERATOR, Cert.ADMIN: Role.ADMIN, Cert.STRANGER: Role.ADMIN}
ENTRIES = """
[[client]]
uri = "spiffe://prod.example/ns/elsewhere/sa/*"
namespace = "elsewhere"
role = "admin"
""" + "".join(f'[[client]]\ncn = "{role}"\nnamespace = "default"\nrole = "{role}"\n' for role in Role)


def spiffe(name: str) -> str:
    """The name of a workload."""
    return f"spiffe://prod.example/ns/elsewhere/sa/{name}"


@pytest.fixture(scope="module")
def issued() -> Mapping[Cert, Issued]:
    """A certificate of each kind."""
    return {
        **{cert: AUTHORITY.issue(f"CN={role}") for cert, role in ROLES.items() if cert is not Cert.STRANGER},
        Cert.STRANGER: AUTHORITY.issue(uris=(spiffe("api"),)),
        Cert.NOBODY: AUTHORITY.issue("CN=nobody", uris=("spiffe://prod.example/ns/other/sa/api",)),
    }


class World:
    """A server that knows callers by their certificates, and a channel for each."""

    def __init__(self, start_server: StartServer, folder: Path, stack: AsyncExitStack) -> None:
        self.start_server = start_server
        self.folder = folder
        self._stack = stack
        self.clients = folder / "clients.toml"

    async def channel(self, shown: Issued) -> grpc.aio.Channel:
        """Connect with a certificate."""
        credentials = grpc.ssl_channel_credentials(AUTHORITY.certificate, shown.key, shown.certificate)
        channel = grpc.aio.secure_channel(self.start_server.address, credentials, OPTIONS)
        return await self._stack.enter_async_context(channel)


@asynccontextmanager
async def served(start_server: StartServer, folder: Path, **settings: Any) -> AsyncIterator[World]:
    """Serve with TLS and ENTRIES."""
    certificate, key = AUTHORITY.issue("CN=server", hosts=("server.internal", "localhost")).write(folder, "server")
    authority = folder / "ca.crt"
    authority.write_bytes(AUTHORITY.certificate)
    async with AsyncExitStack() as stack:
        world = World(start_server, folder, stack)
        world.clients.write_text(ENTRIES, encoding="utf-8")
        files = CertificateFiles(certificate=certificate, key=key, client_ca=authority)
        given = {
            "certificates": files,
            "auth": "token",
            "tls_clients": world.clients,
            "clock": SystemClock(),
            **settings,
        }
        await stack.enter_async_context(start_server(**given))
        yield world


@pytest.fixture
async def world(start_server: StartServer, tmp_path: Path) -> AsyncIterator[World]:
    """A server."""
    async with served(start_server, tmp_path, grace=0.0) as world:
        yield world


async def started(channel: grpc.aio.Channel, gates: Gates) -> None:
    """Start the execution and store the workflow that samples are about."""
    execute = v1.ExecuteRequest(execution_id="e", definition=to_definition(chain("a")))
    await v1.ExecutionServiceStub(channel).Execute(execute)
    await gates.entered("a")
    create = v1.CreateWorkflowRequest(workflow_id="w", definition=to_definition(ECHO))
    await v1.WorkflowServiceStub(channel).CreateWorkflow(create)


async def test_every_rpc_answers_every_certificate_with_the_code_of_its_rule(
    world: World, issued: Mapping[Cert, Issued], gates: Gates
) -> None:
    channels = {cert: await world.channel(one) for cert, one in issued.items()}
    await started(channels[Cert.OPERATOR], gates)
    found, wanted = {}, {}
    for service in SERVED:
        for method in Default().FindServiceByName(service).methods:
            rule, sample = RULES[service][method.name], SAMPLES[method.name]
            for cert, channel in channels.items():
                key = (service, method.name, cert)
                found[key], _ = await call(channel, service, method, sample.request, [])
                wanted[key] = expected(rule, sample, ROLES.get(cert), elsewhere=cert is Cert.STRANGER)
    assert found == wanted


async def to_the_end(stream: Any) -> None:
    """Read a stream until it ends."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def info(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> str:
    """Ask for what readers may ask; ``OK``, or the reason why not."""
    try:
        await v1.ServerServiceStub(channel).GetServerInfo(v1.GetServerInfoRequest(), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return str(read(error).info.reason)
    return "OK"


async def test_what_a_call_says_of_itself_counts_before_its_certificate(
    world: World, issued: Mapping[Cert, Issued]
) -> None:
    known, nobody = await world.channel(issued[Cert.ADMIN]), await world.channel(issued[Cert.NOBODY])
    token = await world.start_server.token(role=Role.READER)
    reader = ("authorization", f"Bearer {token}")
    assert await info(known) == "OK"
    assert await info(nobody) == "CREDENTIALS_INVALID"
    assert await info(nobody, reader) == "OK"
    # A token that is wrong is not made up for.
    assert await info(known, ("authorization", f"Bearer {token[:-2]}")) == "CREDENTIALS_INVALID"
    assert await info(known, ("authorization", "Bearer  ")) == "CREDENTIALS_MISSING"
    assert await info(known, ("authorization", "Basic dTpw")) == "CREDENTIALS_MISSING"
    # Nor does an administrator's certificate lend its role to a reader's token.
    delete = v1.ExecutionServiceStub(known).DeleteExecution
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await delete(v1.DeleteExecutionRequest(execution_id="e"), metadata=[reader])
    assert read(error.value).info.reason == "ROLE_TOO_LOW"


async def test_nothing_of_a_request_is_read_before_its_certificate_is_known(
    world: World, issued: Mapping[Cert, Issued]
) -> None:
    reasons = []
    for cert in (Cert.NOBODY, Cert.OPERATOR):
        execute = (await world.channel(issued[cert])).unary_unary("/execsvc.v1.ExecutionService/Execute")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await execute(b"\xff no message at all")
        reasons.append(read(error.value).info.reason)
    assert reasons == ["CREDENTIALS_INVALID", "INVALID_REQUEST"]


async def test_a_stream_ends_soon_after_its_certificate_was_taken_out_of_the_file(
    world: World, issued: Mapping[Cert, Issued], gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    channel = await world.channel(issued[Cert.OPERATOR])
    await started(channel, gates)
    follow = v1.StreamLogsRequest(execution_id="e", follow=True)
    stream = v1.ExecutionServiceStub(channel).StreamLogs(follow, timeout=60)
    assert await stream.read() is not grpc.aio.EOF
    world.clients.write_text(ENTRIES.replace('cn = "operator"', 'cn = "somebody else"'), encoding="utf-8")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await to_the_end(stream)
    assert read(error.value).info.reason == "CREDENTIALS_INVALID"
    assert await info(channel) == "CREDENTIALS_INVALID"
    assert "knows the certificate of CN=operator" in caplog.text


async def test_the_log_and_the_audit_trail_name_whoever_a_certificate_names(
    world: World, issued: Mapping[Cert, Issued], gates: Gates
) -> None:
    channel = await world.channel(issued[Cert.STRANGER])
    await started(channel, gates)
    stub = v1.ExecutionServiceStub(channel)
    await stub.Control(v1.ControlRequest(execution_id="e", stop=v1.StopAction()))
    logged = await stub.ListLogs(v1.ListLogsRequest(execution_id="e"))
    assert spiffe("api") in {entry.metadata.fields["by"].string_value for entry in logged.entries}
    found = await world.start_server.audited()
    assert {(one.actor.kind, one.actor.name, one.actor.role, one.namespace) for one in found} == {
        (ActorKind.CERTIFICATE, spiffe("api"), "admin", "elsewhere")
    }
    assert [one.action for one in found] == ["execute", "create_workflow", "stop"]


async def test_a_gateway_lends_its_own_certificate_to_nobody(world: World, issued: Mapping[Cert, Issued]) -> None:
    certificate, key = issued[Cert.ADMIN].write(world.folder, "gateway")
    tls = TLS(ca=world.folder / "ca.crt", certificate=certificate, key=key)
    target = "localhost:" + world.start_server.address.rpartition(":")[2]
    token = await world.start_server.token(role=Role.READER)
    async with (
        AsyncExecutionClient(target, tls=tls) as itself,
        gateway_running(GatewaySettings(target=target, tls=tls, address="127.0.0.1:0")) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=30) as calls,
    ):
        assert (await itself.server_info()).version
        refused = await calls.get("/api/v1/executions")
        assert (refused.status_code, refused.json()["reason"]) == (401, "CREDENTIALS_MISSING")
        assert (await calls.get("/api/v1/execute/e/events")).status_code == 401
        assert (await calls.get("/readyz")).status_code == 200
        allowed = await calls.get("/api/v1/executions", headers={"Authorization": f"Bearer {token}"})
        assert allowed.status_code == 200


async def test_without_a_file_of_clients_a_certificate_is_nobody(
    start_server: StartServer, tmp_path: Path, issued: Mapping[Cert, Issued]
) -> None:
    async with served(start_server, tmp_path, tls_clients=None) as world:
        assert await info(await world.channel(issued[Cert.ADMIN])) == "CREDENTIALS_MISSING"


async def test_many_calls_at_once_are_each_their_callers(world: World, issued: Mapping[Cert, Issued]) -> None:
    """What one call found out of its caller is not another's."""
    admin, stranger = await world.channel(issued[Cert.ADMIN]), await world.channel(issued[Cert.STRANGER])
    service = Default().FindServiceByName("execsvc.v1.ExecutionService")
    execute = service.methods_by_name["Execute"]
    for channel, name in ((admin, "mine"), (stranger, "theirs")):
        request = v1.ExecuteRequest(execution_id=name, definition=to_definition(ECHO))
        assert (await call(channel, service.full_name, execute, request, []))[0] is OK
    status = service.methods_by_name["GetStatus"]
    assert GetMessageClass(status.input_type) is v1.GetStatusRequest
    codes = await asyncio.gather(
        *(
            call(channel, service.full_name, status, v1.GetStatusRequest(execution_id=name), [])
            for _ in range(25)
            for channel in (admin, stranger)
            for name in ("mine", "theirs")
        )
    )
    assert [code for code, _ in codes] == [OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.NOT_FOUND, OK] * 25
    assert MISSING not in codes
