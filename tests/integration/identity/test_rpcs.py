"""Every RPC that is served, with every kind of credential: the exact code of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from execsvc.rpc.roles import RULES
from execsvc_client import AsyncExecutionClient, v1
from tests.integration.conftest import StartServer
from tests.integration.identity.credentials import ROLES, Shown, credentials
from tests.integration.identity.samples import MISSING, SAMPLES, SERVED, call, expected
from tests.support.nodes import Gates
from tests.support.statuses import read
from tests.support.workflows import ECHO, chain


class World:
    """A server that asks who calls, with something to ask about, and credentials of every kind."""

    def __init__(self, channel: grpc.aio.Channel, shown: dict[Shown, str]) -> None:
        self.channel = channel
        self.shown = shown

    async def call(self, service: str, method: Any, request: Message, shown: Shown) -> tuple[grpc.StatusCode, Any]:
        """Make a call; its code, and the answer (of a stream the first) or the error."""
        metadata = [("authorization", f"Bearer {self.shown[shown]}")] if self.shown[shown] else []
        return await call(self.channel, service, method, request, metadata)


@pytest.fixture
async def world(start_server: StartServer, gates: Gates) -> AsyncIterator[World]:
    """One server, one channel."""
    shown = await credentials(start_server)
    async with (
        start_server(auth="token", grace=0.0, token=shown[Shown.OPERATOR]) as client,
        grpc.aio.insecure_channel(start_server.address) as channel,
    ):
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        await client.create_workflow("w", ECHO)
        yield World(channel, shown)


@pytest.mark.every_store
@pytest.mark.parametrize("service", SERVED)
async def test_every_rpc_answers_every_kind_of_credential_with_the_code_of_its_rule(world: World, service: str) -> None:
    methods = Default().FindServiceByName(service).methods
    found = {
        (method.name, shown): (await world.call(service, method, SAMPLES[method.name].request, shown))[0]
        for method in methods
        for shown in Shown
    }

    assert found == {
        (method.name, shown): expected(
            RULES[service][method.name],
            SAMPLES[method.name],
            ROLES.get(shown),
            elsewhere=shown is Shown.STRANGER,
        )
        for method in methods
        for shown in Shown
    }


async def test_every_method_that_is_served_has_a_rule(world: World) -> None:
    """What a server says of itself, so that a new service or method cannot be forgotten."""
    method = Default().FindMethodByName("grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo")
    _, answer = await world.call(
        method.containing_service.full_name, method, SAMPLES["ServerReflectionInfo"].request, Shown.READER
    )
    served = {service.name for service in answer.list_services_response.service}

    assert served == set(RULES)
    for service in served:
        methods = {method.name for method in Default().FindServiceByName(service).methods}
        # Of the standard services there are versions with more methods and with fewer.
        assert methods <= set(RULES[service]), service
        assert methods == set(RULES[service]) or not service.startswith("execsvc."), service


async def test_nothing_tells_what_is_wrong_with_a_credential(world: World) -> None:
    service = Default().FindServiceByName("execsvc.v1.ExecutionService")
    method = service.methods_by_name["GetStatus"]
    told = set()
    for shown in (Shown.GARBAGE, Shown.WRONG, Shown.UNKNOWN, Shown.EXPIRED, Shown.REVOKED):
        _, error = await world.call(service.full_name, method, SAMPLES["GetStatus"].request, shown)
        refusal = read(error)
        told.add((refusal.message, refusal.info.reason, tuple(refusal.kinds), len(refusal.info.metadata)))

    assert {reason for _, reason, _, _ in told} == {"CREDENTIALS_INVALID"}
    assert len(told) == 1


#: Calls about one execution.
ABOUT_ONE = [name for name, sample in SAMPLES.items() if getattr(sample.request, "execution_id", "")]


@pytest.mark.parametrize("name", ABOUT_ONE)
async def test_an_execution_of_another_namespace_is_as_unknown_as_one_that_never_was(world: World, name: str) -> None:
    service = Default().FindServiceByName("execsvc.v1.ExecutionService")
    method = service.methods_by_name[name]
    told = []
    for execution_id in ("e", "z"):
        request = type(SAMPLES[name].request)()
        request.CopyFrom(SAMPLES[name].request)
        request.execution_id = execution_id
        _, error = await world.call(service.full_name, method, request, Shown.STRANGER)
        trailers = dict(error.trailing_metadata())
        details = trailers["grpc-status-details-bin"].replace(execution_id.encode(), b"?")
        told.append((error.code(), error.details().replace(f"'{execution_id}'", "?"), details))

    # Of both ids every letter is replaced, wherever else it stands.
    assert told[0][:2] == told[1][:2]
    assert told[0][2].replace(b"z", b"?") == told[1][2].replace(b"e", b"?")


@pytest.mark.every_store
async def test_each_namespace_has_ids_workflows_and_lists_of_its_own(start_server: StartServer) -> None:
    a = await start_server.token(namespace="a")
    b = await start_server.token(namespace="b")
    async with (
        start_server(auth="token", token=a) as first,
        AsyncExecutionClient(start_server.address, token=b) as second,
    ):
        for client, n in ((first, 1), (second, 2)):
            await client.execute(ECHO, {"n": n}, execution_id="same", labels={"n": str(n)}, workflow_id="w")
            await client.create_workflow("w", chain("a" * n))
        assert (await first.wait("same")).output != (await second.wait("same")).output
        assert [(one.execution_id, one.labels) async for one in second.list_executions()] == [("same", {"n": "2"})]
        assert (await first.get_workflow("w")).version != (await second.get_workflow("w")).version
        assert len([one async for one in first.list_workflows("w")]) == 1


@pytest.mark.parametrize("metadata", ["Basic dTpw", "bearer", "", "Bearer  ", "Bearer a b"])
async def test_other_ways_to_say_who_one_is_count_as_none(world: World, metadata: str) -> None:
    made = v1.ServerServiceStub(world.channel).GetServerInfo(
        v1.GetServerInfoRequest(), metadata=[("authorization", metadata)]
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await made
    assert error.value.code() == MISSING


async def test_nothing_of_a_request_is_read_before_its_caller_is_known(world: World) -> None:
    execute = world.channel.unary_unary("/execsvc.v1.ExecutionService/Execute")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await execute(b"\xff no message at all")
    assert read(error.value).info.reason == "CREDENTIALS_MISSING"


async def test_an_unknown_method_is_told_to_those_who_may_call(world: World) -> None:
    explode = world.channel.unary_unary("/execsvc.v1.ExecutionService/Explode")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await explode(b"", metadata=[("authorization", f"Bearer {world.shown[Shown.ADMIN]}")])
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_without_auth_nobody_is_asked_and_a_token_does_no_harm(
    client: AsyncExecutionClient, start_server: StartServer
) -> None:
    await client.execute(ECHO, execution_id="e")
    async with AsyncExecutionClient(start_server.address, token="whatever") as other:
        assert (await other.status("e")).execution_id == "e"
