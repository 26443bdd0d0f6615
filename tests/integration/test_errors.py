"""The table of errors, walked through a real server; and that no bytes whatsoever make a server answer INTERNAL."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct, Value

from execsvc import errors
from execsvc.model import NamespaceLimits, Namespaces, Role
from execsvc.rpc import Guard, lanes
from execsvc.store.sqlite import store as sqlite_store
from execsvc.wire.errors import TABLE
from execsvc_client import AsyncExecutionClient, to_definition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.nodes import Gates
from tests.support.statuses import Refusal, outcome, read, refusal
from tests.support.workflows import ECHO, chain

Case = Callable[["World"], Awaitable[Refusal]]


class World:
    """What a case may use."""

    def __init__(self, client: AsyncExecutionClient, stubs: Stubs, gates: Gates, database: Path) -> None:
        self.client, self.stubs, self.gates, self.database = client, stubs, gates, database
        #: API tokens, where the server asks for one.
        self.reader = self.operator = ""

    def execute(self, **fields: Any) -> Awaitable[Any]:
        return self.stubs.executions.Execute(v1.ExecuteRequest(definition=to_definition(ECHO), **fields))

    async def running(self) -> None:
        await self.client.execute(chain("a"), execution_id="e")
        await self.gates.entered("a")


async def invalid(world: World) -> Refusal:
    found = await refusal(world.execute(execution_id="no spaces", priority=2000, labels={"": "x"}))
    assert found.problems == {
        "execution_id": "INVALID_ID",
        "priority": "OUT_OF_RANGE",
        "labels['']": "INVALID_LABEL",
    }
    assert found.info.metadata["problems"] == "3"
    assert "'no spaces'" in found.message
    return found


async def too_large(world: World) -> Refusal:
    given = Struct()
    given.update({"text": "x" * (4 * 1024 * 1024)})
    found = await refusal(world.execute(input=given))
    assert found.info.metadata == {
        "path": "input",
        "size": "4194315",
        "limit": "4194304",
        "unit": "bytes",
    }
    (violation,) = found.by_kind["QuotaFailure"].violations
    assert violation.subject == "input"
    return found


async def execution_not_found(world: World) -> Refusal:
    found = await refusal(world.stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="nope")))
    assert found.info.metadata == {"execution_id": "nope"}
    assert found.by_kind["ResourceInfo"].resource_name == "nope"
    assert found.by_kind["ResourceInfo"].resource_type == "execsvc.v1.Execution"
    return found


async def workflow_not_found(world: World) -> Refusal:
    found = await refusal(world.stubs.workflows.GetWorkflow(v1.GetWorkflowRequest(workflow_id="nope")))
    assert found.info.metadata["workflow_id"] == "nope"
    assert found.by_kind["ResourceInfo"].resource_name == "nope"
    return found


async def execution_exists(world: World) -> Refusal:
    await world.running()
    found = await refusal(world.execute(execution_id="e"))
    assert found.info.metadata == {"execution_id": "e", "state": "RUNNING"}
    assert found.by_kind["ResourceInfo"].resource_name == "e"
    return found


async def illegal_transition(world: World) -> Refusal:
    await world.running()
    request = v1.ControlRequest(execution_id="e", resume=v1.ResumeAction())
    found = await refusal(world.stubs.executions.Control(request))
    assert found.info.metadata == {
        "execution_id": "e",
        "action": "resume",
        "state": "RUNNING",
        "allowed_from": "PAUSED",
    }
    (violation,) = found.by_kind["PreconditionFailure"].violations
    assert (violation.type, violation.subject, violation.description) == ("STATE", "e", "the execution is RUNNING")
    return found


async def state_changed(world: World) -> Refusal:
    await world.running()
    request = v1.ControlRequest(execution_id="e", stop=v1.StopAction(), expected_state=v1.EXECUTION_STATE_PAUSED)
    found = await refusal(world.stubs.executions.Control(request))
    assert found.info.metadata == {"execution_id": "e", "expected": "PAUSED", "state": "RUNNING"}
    return found


async def request_id_reused(world: World) -> Refusal:
    await world.running()
    await world.client.pause("e", request_id="r")
    request = v1.ControlRequest(execution_id="e", stop=v1.StopAction(), request_id="r")
    found = await refusal(world.stubs.executions.Control(request))
    assert found.info.metadata == {"request_id": "r", "action": "pause"}
    return found


async def cursor_out_of_range(world: World) -> Refusal:
    await world.execute(execution_id="e")
    await world.client.wait("e")
    request = v1.StreamLogsRequest(execution_id="e", after_sequence=1000)
    found = await refusal(world.stubs.executions.StreamLogs(request).read())
    assert found.info.metadata == {"execution_id": "e", "first_sequence": "1", "last_sequence": "5"}
    return found


async def queue_full(world: World) -> Refusal:
    await world.running()
    await world.client.execute(chain("b"), execution_id="waits")
    found = await refusal(world.execute(execution_id="one-too-many"))
    assert found.info.metadata == {"capacity": "1"}
    assert found.by_kind["RetryInfo"].retry_delay.ToNanoseconds() > 0
    return found


async def server_draining(world: World) -> Refusal:
    """The case's own server goes down at its end; see ``drained``."""
    raise NotImplementedError


async def storage_unavailable(world: World) -> Refusal:
    with sqlite3.connect(world.database) as other:
        other.execute("ALTER TABLE log_entries RENAME TO elsewhere")
    other.close()
    found = await refusal(world.execute(execution_id="e"))
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 2
    assert (await refusal(world.stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="e")))).info.reason == (
        "EXECUTION_NOT_FOUND"
    )
    return found


async def storage_full(world: World) -> Refusal:
    given = Struct()
    given.update({"text": "x" * 1_000_000})
    found = await refusal(world.execute(execution_id="e", input=given))
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 10
    return found


async def namespace_full(world: World) -> Refusal:
    await world.execute(execution_id="first")
    found = await refusal(world.execute(execution_id="second"))
    assert found.info.metadata == {"capacity": "1"}
    assert found.by_kind["QuotaFailure"].violations[0].subject == "namespace/stored"
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 60
    await world.execute(execution_id="first")
    return found


async def rate_limited(world: World) -> Refusal:
    info = v1.GetServerInfoRequest()
    async with asyncio.timeout(30):
        while True:
            try:
                await world.stubs.server.GetServerInfo(info)
            except grpc.aio.AioRpcError as error:
                found = read(error)
                break
    assert found.info.metadata == {"rate": "0.1"}
    assert found.by_kind["QuotaFailure"].violations[0].subject == "namespace/rate"
    assert 0 < found.by_kind["RetryInfo"].retry_delay.ToMilliseconds() <= 10_000
    return found


async def credentials_missing(world: World) -> Refusal:
    return await refusal(world.execute(execution_id="e"))


def shown(world: World, token: str) -> Awaitable[Any]:
    request = v1.ExecuteRequest(definition=to_definition(ECHO))
    return world.stubs.executions.Execute(request, metadata=[("authorization", f"Bearer {token}")])


async def credentials_invalid(world: World) -> Refusal:
    return await refusal(shown(world, "exs_aaaaaaaaaaaa_" + "a" * 43))


async def too_many_failures(world: World) -> Refusal:
    async with asyncio.timeout(60):
        while True:
            found = await refusal(shown(world, "wrong"))
            if found.code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                break
            assert found.code == grpc.StatusCode.UNAUTHENTICATED
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 1
    await shown(world, world.operator)
    return found


async def role_too_low(world: World) -> Refusal:
    found = await refusal(shown(world, world.reader))
    assert found.info.metadata == {"method": "Execute", "role": "reader", "required_role": "operator"}
    return found


async def overloaded(world: World) -> Refusal:
    held = world.stubs.channel.stream_unary("/execsvc.v1.ExecutionService/Execute")()
    await held.wait_for_connection()
    async with asyncio.timeout(60):
        while True:
            found = await outcome(world.execute())
            if isinstance(found, grpc.aio.AioRpcError):
                break
    held.cancel()
    refused = read(found)
    assert refused.by_kind["RetryInfo"].retry_delay.seconds == 1
    return refused


async def too_many_streams(world: World) -> Refusal:
    await world.running()
    request = v1.StreamLogsRequest(execution_id="e", follow=True)
    first = world.stubs.executions.StreamLogs(request)
    assert (await first.read()).entries
    found = await refusal(world.stubs.executions.StreamLogs(request).read())
    assert found.info.metadata == {"limit": "1"}
    first.cancel()
    return found


async def request_stalled(world: World) -> Refusal:
    return await refusal(world.stubs.channel.stream_unary("/execsvc.v1.ExecutionService/GetStatus")())


CASES: dict[type[errors.ExecsvcError], tuple[Case, str]] = {
    errors.InvalidRequest: (invalid, "BadRequest"),
    errors.TooLarge: (too_large, "QuotaFailure"),
    errors.ExecutionNotFound: (execution_not_found, "ResourceInfo"),
    errors.WorkflowNotFound: (workflow_not_found, "ResourceInfo"),
    errors.ExecutionExists: (execution_exists, "ResourceInfo"),
    errors.IllegalTransition: (illegal_transition, "PreconditionFailure"),
    errors.StateChanged: (state_changed, ""),
    errors.RequestIdReused: (request_id_reused, ""),
    errors.CursorOutOfRange: (cursor_out_of_range, ""),
    errors.QueueFull: (queue_full, "QuotaFailure RetryInfo"),
    errors.NamespaceFull: (namespace_full, "QuotaFailure RetryInfo"),
    errors.RateLimited: (rate_limited, "QuotaFailure RetryInfo"),
    errors.ServerDraining: (server_draining, "RetryInfo"),
    errors.StorageUnavailable: (storage_unavailable, "RetryInfo"),
    errors.StorageFull: (storage_full, "RetryInfo"),
    errors.CredentialsMissing: (credentials_missing, ""),
    errors.CredentialsInvalid: (credentials_invalid, ""),
    errors.TooManyFailures: (too_many_failures, "RetryInfo"),
    errors.RoleTooLow: (role_too_low, ""),
    errors.Overloaded: (overloaded, "RetryInfo"),
    errors.TooManyStreams: (too_many_streams, "RetryInfo"),
    errors.RequestStalled: (request_stalled, ""),
}
#: Of a server that has room for little.
OF_GUARD = {
    errors.Overloaded: Guard(calls=1),
    errors.TooManyStreams: Guard(streams=1),
    errors.RequestStalled: Guard(request=0.05),
}
#: Of a server that asks who calls.
OF_IDENTITY = {errors.CredentialsMissing, errors.CredentialsInvalid, errors.TooManyFailures, errors.RoleTooLow}
#: Told to the engine only: no call of a client carries a lease.
INTERNAL_ONLY = {errors.LeaseLost}


def test_every_class_of_the_table_has_a_case_here() -> None:
    assert set(TABLE) - INTERNAL_ONLY == set(CASES)


@pytest.mark.parametrize("error", CASES, ids=lambda error: error.__name__)
async def test_the_error_has_the_code_reason_and_details_of_the_table(
    start_server: StartServer,
    gates: Gates,
    tmp_path: Path,
    error: type[errors.ExecsvcError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, kinds = CASES[error]
    settings: dict[str, Any] = {"grace": 0.0}
    if error in OF_IDENTITY:
        settings |= {"auth": "token"}
    if error is errors.QueueFull:
        settings |= {"max_concurrent": 1, "max_queued": 1}
    if error in OF_GUARD:
        settings |= {"guard": OF_GUARD[error]}
        monkeypatch.setattr(lanes, "ROOM", 0)
    if error is errors.NamespaceFull:
        settings |= {"namespaces": Namespaces(default=NamespaceLimits(stored=1))}
    if error is errors.RateLimited:
        settings |= {"namespaces": Namespaces(default=NamespaceLimits(rate=0.1))}
    if error is errors.StorageFull:
        _limit_the_database(monkeypatch)
    if error is errors.ServerDraining:
        found = await drained(start_server, gates)
    else:
        async with (
            start_server(**settings) as client,
            grpc.aio.insecure_channel(start_server.address) as channel,
        ):
            world = World(client, Stubs(channel), gates, tmp_path / "execsvc.db")
            if error in OF_IDENTITY:
                world.reader = await start_server.token(role=Role.READER)
                world.operator = await start_server.token(role=Role.OPERATOR)
            found = await case(world)
    assert found.code == TABLE[error].code
    assert found.info.reason == error.reason
    assert found.kinds == sorted(["ErrorInfo", *kinds.split()])


async def drained(start_server: StartServer, gates: Gates) -> Refusal:
    """Execute while the server waits for a node under way."""
    down = asyncio.Event()

    async def serve() -> None:
        async with start_server(grace=30.0) as client:
            await client.execute(chain("a"), execution_id="e")
            await gates.entered("a")
            up.set()
            await down.wait()

    up = asyncio.Event()
    serving = asyncio.create_task(serve())
    await up.wait()
    async with (
        grpc.aio.insecure_channel(start_server.address) as channel,
        AsyncExecutionClient(start_server.address) as client,
    ):
        down.set()
        async with asyncio.timeout(20):
            while not (await client.server_info()).draining:
                pass
        found = await refusal(Stubs(channel).executions.Execute(v1.ExecuteRequest(definition=to_definition(ECHO))))
        assert found.by_kind["RetryInfo"].retry_delay.seconds == 1
        gates.open("a")
        await serving
    return found


def _limit_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database grow by a few pages only: what SQLite then says is what it says on a full disk."""
    opened = sqlite_store._opened

    def small(path: Path) -> sqlite3.Connection:
        db = opened(path)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 20}")
        return db

    monkeypatch.setattr(sqlite_store, "_opened", small)


# Bytes


_FILES = (v1.ExecuteRequest, v1.ValidateWorkflowRequest, v1.GetServerInfoRequest)
METHODS = [
    (f"/{service.full_name}/{method.name}", method.server_streaming)
    for message in _FILES
    for service in message.DESCRIPTOR.file.services_by_name.values()
    for method in service.methods
]


def _nested(depth: int) -> bytes:
    """Bytes of a Struct in field 4 (the input of Execute) that nests deeper than any parser follows."""
    value = Value(string_value="bottom").SerializeToString()
    for _ in range(depth):
        struct = _field(1, _field(1, b"a") + _field(2, value))
        value = _field(5, struct)
    return _field(4, _field(1, _field(1, b"a") + _field(2, value)))


def _field(number: int, data: bytes) -> bytes:
    size, length = len(data), b""
    while True:
        length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + length + data


GARBAGE = {
    "noise": bytes(range(255, 0, -1)),
    "cut off": b"\x0a\xff",
    "text that is no UTF-8": _field(1, b"\xff\xfe") + _field(2, b"\xc3\x28"),
    "deep": _nested(5_000),
    "too large": _field(1, b"x" * (33 * 1024 * 1024)),
    "wrong wire type": b"\x08\x01",
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_no_bytes_make_any_method_answer_internal(stubs: Stubs, what: str) -> None:
    for method, streams in METHODS:
        if streams:
            found = await outcome(stubs.channel.unary_stream(method)(GARBAGE[what]).read())
        else:
            found = await outcome(stubs.channel.unary_unary(method)(GARBAGE[what]))
        if not isinstance(found, grpc.aio.AioRpcError):
            # Fields that a method's request does not have are skipped, as protobuf has it.
            assert what != "cut off", method
            continue
        assert found.code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.NOT_FOUND,
        ), (method, found.code(), found.details())
        told = read(found)
        if what == "too large":
            assert told.info.reason == "TOO_LARGE", method
        if what == "text that is no UTF-8" and method.endswith(("Execute", "GetStatus", "Control", "StreamLogs")):
            assert told.problems == {"request": "UNREADABLE"}, method
    # It still serves.
    assert (await stubs.server.GetServerInfo(v1.GetServerInfoRequest())).version


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("garbage", "none that this service made"),
        ("é💥", "none that this service made"),
        (base64.urlsafe_b64encode(b"[]").decode(), "none that this service made"),
        (base64.urlsafe_b64encode(b"7").decode(), "none that this service made"),
        (base64.urlsafe_b64encode(b'{"a":1,"b":2,"c":3}').decode(), "none that this service made"),
        (base64.urlsafe_b64encode(b'[-1,"","x"]').decode(), "none that this service made"),
    ],
)
async def test_a_page_token_that_is_none_is_refused_with_the_reason(stubs: Stubs, token: str, why: str) -> None:
    await stubs.executions.Execute(v1.ExecuteRequest(execution_id="e", definition=to_definition(ECHO)))
    found = await refusal(stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e", page_token=token)))
    assert found.problems == {"page_token": "INVALID_PAGE_TOKEN"}
    assert why in found.message


async def test_a_forged_page_token_with_a_cursor_beyond_any_log_leads_nowhere(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    definition = chain("a")
    await client.execute(definition, execution_id="e")
    page = await stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e", page_size=1))
    arguments, _, uid = json.loads(base64.urlsafe_b64decode(page.next_page_token))
    for cursor in (2**63, 2**64 - 1, 2**80, 1.5, True):
        token = base64.urlsafe_b64encode(json.dumps([arguments, cursor, uid]).encode()).decode()
        call = stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e", page_token=token))
        found = await outcome(call)
        if isinstance(found, grpc.aio.AioRpcError):
            assert read(found).problems == {"page_token": "INVALID_PAGE_TOKEN"}, cursor
        else:
            assert not found.entries


async def test_many_long_problems_in_any_alphabet_still_arrive_with_their_details(stubs: Stubs) -> None:
    definition = v1.WorkflowDefinition(
        nodes=[v1.Node(id="💥" * 200 + str(i), custom=v1.CustomNode(type="ß" * 300)) for i in range(200)]
    )
    found = await refusal(
        stubs.executions.Execute(
            v1.ExecuteRequest(execution_id="é" * 5_000, workflow_id="字" * 5_000, definition=definition)
        )
    )
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert int(found.info.metadata["problems"]) > 400
    assert len(found.fields) >= 5


@pytest.mark.parametrize(
    ("request_", "problems"),
    [
        (v1.ControlRequest(), {"execution_id": "REQUIRED", "action": "REQUIRED"}),
        (
            v1.ControlRequest(execution_id="e e", request_id="r r", reason="x" * 1025, pause=v1.PauseAction()),
            {"execution_id": "INVALID_ID", "request_id": "INVALID_ID", "reason": "TOO_LONG"},
        ),
        (
            v1.ControlRequest(execution_id="e", pause=v1.PauseAction(), expected_state=77),  # type: ignore[arg-type]
            {"expected_state": "UNKNOWN_VALUE"},
        ),
        (v1.GetStatusRequest(), {"execution_id": "REQUIRED"}),
        (v1.GetStatusRequest(execution_id="x" * 129), {"execution_id": "INVALID_ID"}),
        (v1.GetExecutionRequest(execution_id="e", view=9), {"view": "UNKNOWN_VALUE"}),  # type: ignore[arg-type]
        (
            v1.ListLogsRequest(execution_id="e\n", node_id="a b"),
            {"execution_id": "INVALID_ID", "node_id": "INVALID_ID"},
        ),
        (v1.ListLogsRequest(execution_id="e", page_size=-1), {"page_size": "OUT_OF_RANGE"}),
        (v1.ListLogsRequest(execution_id="e", min_level=44), {"min_level": "UNKNOWN_VALUE"}),  # type: ignore[arg-type]
        (
            v1.StreamLogsRequest(execution_id="", node_id="ä", after_sequence=-1),
            {"execution_id": "REQUIRED", "node_id": "INVALID_ID", "after_sequence": "OUT_OF_RANGE"},
        ),
        (v1.StreamLogsRequest(execution_id="e", tail=-1), {"tail": "OUT_OF_RANGE"}),
        (v1.StreamLogsRequest(execution_id="e", after_sequence=1, tail=1), {"tail": "CONFLICT"}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "-".join(value),
)
async def test_every_wrong_field_of_a_request_is_named_at_once(
    stubs: Stubs, request_: Any, problems: dict[str, str]
) -> None:
    method = type(request_).__name__.removesuffix("Request")
    call = getattr(stubs.executions, method)(request_)
    found = await refusal(call.read() if method == "StreamLogs" else call)
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert found.problems.items() >= problems.items()


@pytest.mark.parametrize("method", ["GetStatus", "GetExecution", "ListLogs", "StreamLogs", "Control"])
async def test_an_unknown_execution_is_not_found_everywhere(stubs: Stubs, method: str) -> None:
    request = getattr(v1, f"{method}Request")(execution_id="nobody")
    if method == "Control":
        request.stop.SetInParent()
    call = getattr(stubs.executions, method)(request)
    found = await refusal(call.read() if method == "StreamLogs" else call)
    assert (found.code, found.info.reason) == (grpc.StatusCode.NOT_FOUND, "EXECUTION_NOT_FOUND")
    assert found.info.metadata["execution_id"] == "nobody"


async def test_a_response_that_nobody_is_there_to_take_is_no_failure_of_the_server(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a connection that broke, a response that cannot be sent may tell before the call is cancelled."""

    async def gone(items: AsyncGenerator[Any, None], *_: Any) -> bytes:
        await items.aclose()
        raise grpc.aio.InternalError("Failed grpc_call_start_batch")

    monkeypatch.setattr("execsvc.rpc.servicers._answered", gone)
    with caplog.at_level("DEBUG", logger="execsvc.rpc"):
        async with start_server(), grpc.aio.insecure_channel(start_server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await Stubs(channel).executions.StreamLogs(v1.StreamLogsRequest(execution_id="e")).read()
    ours = [record for record in caplog.records if record.name.startswith("execsvc.rpc")]
    assert [record.getMessage().split()[:2] for record in ours] == [["StreamLogs", "CANCELLED"]]
