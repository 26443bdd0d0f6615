"""Calls that a server's gRPC core gives up because the server closes or is overrun: nobody's wish, and repeated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from execsvc_client import Cancelled, Unavailable, v1
from execsvc_client._errors import from_rpc_error, is_cut_off
from execsvc_client._retry import MAX_ATTEMPTS, Repeats, Retry, Timing

if TYPE_CHECKING:
    from clients.python.tests.conftest import Driver, ScriptedServer

DEFINITION = {"nodes": [{"id": "out", "type": "output"}], "edges": []}
FINAL = v1.ExecutionStatus(execution_id="e", state=v1.EXECUTION_STATE_COMPLETED, progress=1.0)
MESSAGE = "the server gave the call up before it was read, as one does that closes or is overrun"


def cut_off(context: grpc.ServicerContext) -> None:
    """As a core does that is overrun, which is shown below, or closes."""
    context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")


def failed(code: grpc.StatusCode, text: str, *trailing: tuple[str, bytes]) -> Any:
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), text))


def test_it_is_unavailability_and_what_grpc_said_is_its_cause() -> None:
    error = failed(grpc.StatusCode.CANCELLED, "CANCELLED")

    assert type(error) is Unavailable
    assert (error.code, error.reason, error.message) == ("UNAVAILABLE", "", MESSAGE)
    assert isinstance(error.__cause__, grpc.aio.AioRpcError)
    assert error.__cause__.code() is grpc.StatusCode.CANCELLED
    assert is_cut_off(error)


@pytest.mark.parametrize(
    "text", ["", "Channel closed!", "Locally cancelled by application!", "the job was CANCELLED", "cancelled"]
)
def test_a_call_that_somebody_gave_up_stays_cancelled(text: str) -> None:
    error = failed(grpc.StatusCode.CANCELLED, text)

    assert type(error) is Cancelled
    assert not is_cut_off(error)


def test_an_error_with_a_reason_is_the_servers_own() -> None:
    status = status_pb2.Status(code=1, message="CANCELLED")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="R", domain="execsvc"))
    error = failed(grpc.StatusCode.CANCELLED, "CANCELLED", ("grpc-status-details-bin", status.SerializeToString()))

    assert (type(error), error.reason) == (Cancelled, "R")


def test_only_the_code_and_the_text_together_tell() -> None:
    assert not is_cut_off(failed(grpc.StatusCode.UNAVAILABLE, "CANCELLED"))
    assert failed(grpc.StatusCode.ABORTED, "CANCELLED").code == "ABORTED"


def test_what_grpc_repeats_is_repeated_here_only_where_the_core_gave_it_up() -> None:
    timing = Timing(clock=lambda: 1000.0, chance=lambda: 1.0)
    given_up = failed(grpc.StatusCode.CANCELLED, "CANCELLED")
    for repeats in (Repeats.BY_GRPC, Repeats.BY_CLIENT):
        retry = Retry(timing, repeats=repeats, deadline=1030)
        assert [retry.delay_after(given_up) for _ in range(MAX_ATTEMPTS - 1)] == pytest.approx([0.1, 0.2, 0.4, 0.8])
        with pytest.raises(Unavailable):
            retry.delay_after(given_up)

    with pytest.raises(Unavailable):
        Retry(timing, repeats=Repeats.BY_GRPC, deadline=1030).delay_after(Unavailable())
    with pytest.raises(Unavailable):
        Retry(timing, repeats=Repeats.NEVER, deadline=1030).delay_after(given_up)
    with pytest.raises(Unavailable):
        Retry(timing, repeats=Repeats.BY_GRPC, deadline=1000.05).delay_after(given_up)


async def test_execute_is_repeated_with_the_same_id(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("Execute", cut_off, cut_off)

    status = await driver.call("execute", DEFINITION)

    assert [request.execution_id for request in server.script.asked("Execute")] == [status.execution_id] * 3


@pytest.mark.parametrize(
    ("rpc", "method", "args"),
    [
        ("Control", "pause", ("e",)),
        ("CreateWorkflow", "create_workflow", ("w", DEFINITION)),
        ("GetStatus", "status", ("e",)),
        ("GetExecution", "get", ("e",)),
        ("ListExecutions", "list_executions_page", ()),
        ("ListLogs", "list_logs_page", ("e",)),
        ("GetWorkflow", "get_workflow", ("w",)),
        ("ValidateWorkflow", "validate", (DEFINITION,)),
        ("ListNodeTypes", "node_types", ()),
        ("GetServerInfo", "server_info", ()),
    ],
)
async def test_a_call_that_is_safe_to_repeat_is_repeated(
    driver: Driver, server: ScriptedServer, rpc: str, method: str, args: tuple[Any, ...]
) -> None:
    server.script.fail(rpc, cut_off)

    await driver.call(method, *args)

    first, second = server.script.asked(rpc)
    assert first == second


async def test_delete_is_not_repeated(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("DeleteExecution", cut_off)

    with pytest.raises(Unavailable, match=MESSAGE):
        await driver.call("delete", "e")
    assert len(server.script.asked("DeleteExecution")) == 1


async def test_after_five_attempts_the_error_says_what_happened(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("Execute", *[cut_off] * 10)

    with pytest.raises(Unavailable, match=MESSAGE) as caught:
        await driver.call("execute", DEFINITION)
    assert len(server.script.asked("Execute")) == 5
    assert isinstance(caught.value.__cause__, grpc.RpcError)


async def test_logs_watches_and_wait_go_on(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(4, final=FINAL)
    server.script.watches.append([v1.WatchExecutionResponse(status=FINAL)])
    for rpc in ("StreamLogs", "WatchExecution", "GetExecution"):
        server.script.fail(rpc, cut_off, cut_off)

    log = await driver.read(driver.client.logs("e", follow=True))
    server.script.fail("StreamLogs", cut_off)
    (snapshot,) = await driver.read(driver.client.watch("e"))
    execution = await driver.call("wait", "e")

    assert [entry.sequence for entry in log] == [1, 2, 3, 4]
    assert (snapshot.state, execution.state) == ("COMPLETED", "COMPLETED")


class OverrunServer:
    """A server whose event loop stands still: its gRPC core keeps a few calls that wait, and gives the others up."""

    def __init__(self) -> None:
        self._still = threading.Event()
        self._freed = threading.Event()
        self._closed = threading.Event()
        self._listening = threading.Event()
        self.target = ""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._listening.wait(30)
        self._channel = grpc.insecure_channel(self.target)
        # A call that nobody holds is cancelled.
        self._crowd: list[grpc.Future[v1.GetStatusResponse]] = []

    async def _serve(self) -> None:
        limits = [("grpc.server.max_pending_requests", 1), ("grpc.server.max_pending_requests_hard_limit", 1)]
        server = grpc.aio.server(options=limits)
        methods: dict[str, Any] = {"GetStatus": grpc.unary_unary_rpc_method_handler(self._stand_still)}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("execsvc.v1.ExecutionService", methods)])
        self.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._listening.set()
        await asyncio.to_thread(self._closed.wait)
        await server.stop(None)

    async def _stand_still(self, request: bytes, context: Any) -> bytes:
        self._still.set()
        self._freed.wait()
        return b""

    def crowd(self) -> None:
        """Let it stand still, and call until a call is given up: as many wait then as are kept."""
        given_up = threading.Event()
        self._call()
        assert self._still.wait(30)
        for _ in range(10):
            self._call().add_done_callback(lambda call: given_up.set())
        assert given_up.wait(30)

    def _call(self) -> grpc.Future[v1.GetStatusResponse]:
        call = v1.ExecutionServiceStub(self._channel).GetStatus.future(v1.GetStatusRequest(execution_id="crowd"))
        self._crowd.append(call)
        return call

    def go_on(self) -> None:
        self._freed.set()

    def close(self) -> None:
        self._freed.set()
        self._closed.set()
        self._thread.join()
        self._channel.close()


@pytest.fixture
def overrun() -> Iterator[OverrunServer]:
    server = OverrunServer()
    try:
        server.crowd()
        yield server
    finally:
        server.close()


async def test_this_is_what_a_core_says_that_is_overrun(connect: Callable[..., Driver], overrun: OverrunServer) -> None:
    driver = connect(overrun.target)

    with pytest.raises(Unavailable, match=MESSAGE):
        await driver.call("status", "e")
    overrun.go_on()

    assert (await driver.call("status", "e")).execution_id == ""
