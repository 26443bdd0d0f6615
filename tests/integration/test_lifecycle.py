"""A server starts with what was left, tells what it is, and goes down without losing anything."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from execsvc_client import AsyncExecutionClient, Unavailable
from tests.integration.conftest import StartServer, Stubs
from tests.servers import ChatServer
from tests.support.logs import story, until_logged
from tests.support.nodes import Gates
from tests.support.processes import ROOT, ServerProcess
from tests.support.workflows import ECHO, chain, node, output, workflow

pytestmark = pytest.mark.every_store

SERVICES = ("execsvc.v1.ExecutionService", "execsvc.v1.WorkflowService", "execsvc.v1.ServerService")


async def test_pending_and_running_executions_go_on_at_the_next_start_in_order(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1, grace=0.01) as client:
        await client.execute(chain("a"), execution_id="runs")
        await gates.entered("a")
        await client.execute(chain("b"), execution_id="waits")
        await client.execute(chain("c"), execution_id="first", priority=5)
        await client.execute(ECHO, execution_id="stopped")
        await client.stop("stopped")
    gates.open("a", "b", "c")
    async with start_server(max_concurrent=1) as client:
        assert start_server.recovered == 3
        executions = [await client.wait(name) for name in ("first", "runs", "waits")]
        assert [execution.state for execution in executions] == ["COMPLETED"] * 3
        starts = [execution.nodes[name].start_time for execution, name in zip(executions, "cab", strict=True)]
        assert starts == sorted(starts)  # type: ignore[type-var]
        assert await story(client, "runs") == [
            *("queued", "running", "a:started", "running", "a:started", "a:completed", "out:completed", "completed")
        ]
        assert (await client.get("stopped")).state == "STOPPED"


async def test_a_node_cut_off_by_the_end_of_its_server_runs_again_under_the_same_key(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(grace=0.01) as client:
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
    assert gates.cancelled["a"] == 1
    gates.open("a")
    async with start_server() as client:
        execution = await client.wait("e")
    assert execution.nodes["a"].attempt == 1
    assert gates.keys == [f"{execution.uid}/a/1"] * 2


@pytest.mark.every_place
async def test_a_server_without_slots_runs_nothing_and_lets_what_is_there_be_stopped(
    start_server: StartServer, gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_server(grace=0.0) as client:
        for name in ("stopped", "paused", "going"):
            await client.execute(chain(name), execution_id=name)
            await gates.entered(name)
    async with start_server(max_concurrent=0) as client:
        assert "nothing runs: max_concurrent is 0" in caplog.text
        await client.execute(ECHO, {"n": 1}, execution_id="new")
        assert (await client.stop("stopped")).state == "STOPPED"
        assert (await client.pause("paused")).state == "PAUSED"
        await client.delete("stopped")
        assert (await client.status("going")).state == "RUNNING"
        assert (await client.status("new")).state == "PENDING"
    async with start_server() as client:
        gates.open("going")
        assert (await client.wait("new")).output == {"n": 1}
        assert (await client.wait("going")).state == "COMPLETED"
        assert (await client.status("paused")).state == "PAUSED"


async def test_nodes_in_flight_get_their_grace_and_none_starts_after(start_server: StartServer, gates: Gates) -> None:
    async with start_server(grace=60.0) as client:
        await client.execute(chain("a", "b"), execution_id="e")
        await gates.entered("a")
        asyncio.get_running_loop().call_soon(gates.open, "a")
    assert gates.cancelled["a"] == 0
    assert gates.entries["b"] == 0
    async with start_server() as client:
        gates.open("b")
        assert (await client.wait("e")).state == "COMPLETED"
        assert gates.entries == {"a": 1, "b": 1}


async def test_a_control_call_while_the_server_drains_holds_after_it(start_server: StartServer, gates: Gates) -> None:
    async def control(action: str) -> None:
        async with AsyncExecutionClient(start_server.address) as client:
            while not (await client.server_info()).draining:
                pass
            await getattr(client, action)(action)
            gates.open(action)

    async with start_server(grace=60.0) as client:
        for action in ("pause", "stop"):
            await client.execute(chain(action, "next"), execution_id=action)
            await gates.entered(action)
        controls = [asyncio.create_task(control(action)) for action in ("pause", "stop")]
    for task in controls:
        await task
    async with start_server() as client:
        assert start_server.recovered == 0
        paused = await client.get("pause")
        assert (paused.state, paused.nodes["pause"].state) == ("PAUSED", "COMPLETED")
        stopped = await client.get("stop")
        assert (stopped.state, stopped.nodes["stop"].state) == ("STOPPED", "CANCELLED")
        assert gates.entries["next"] == 0


async def test_health_is_serving_and_reflection_lists_the_services(stubs: Stubs) -> None:
    health = health_pb2_grpc.HealthStub(stubs.channel)
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(stubs.channel)

    async def ask(**request: str) -> reflection_pb2.ServerReflectionResponse:
        call = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))
        async for answer in call:
            return answer
        raise AssertionError("no answer")

    listed = await ask(list_services="")
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {*SERVICES, "grpc.health.v1.Health"}
    for service in SERVICES:
        assert (await ask(file_containing_symbol=service)).file_descriptor_response.file_descriptor_proto


async def test_server_info_says_what_the_server_is_and_allows(client: AsyncExecutionClient, store_name: str) -> None:
    info = await client.server_info()
    assert info.version
    assert not info.draining
    assert f"store:{store_name}" in info.capabilities
    assert "node:llm" in info.capabilities
    assert (info.limits.max_definition_bytes, info.limits.max_nodes) == (1024 * 1024, 5_000)
    assert (info.limits.max_input_bytes, info.limits.max_node_output_bytes) == (4 * 1024 * 1024, 4 * 1024 * 1024)
    assert (info.limits.max_log_message_bytes, info.limits.max_concurrent) == (64 * 1024, 100)
    names = {found.name for found in await client.node_types()}
    assert names >= {"input", "llm", "condition", "transform", "output", "gate"}


async def test_a_taken_port_is_an_error_and_runs_nothing(
    start_server: StartServer, tmp_path: Path, gates: Gates
) -> None:
    async with start_server(grace=0.01) as client:
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
    async with start_server(database=tmp_path / "other.db", postgres=None):
        taken = start_server.address
        with pytest.raises(OSError, match=taken.partition(":")[2]):
            async with start_server(address=taken):
                pass
    assert gates.entries["a"] == 1


# Processes


@pytest.fixture
def chat(tmp_path: Path) -> ChatServer:
    with ChatServer(tmp_path / "requests.jsonl") as server:
        yield server


def _ask(chat: ChatServer, *prompts: str) -> dict[str, object]:
    names = [f"n{i}" for i in range(len(prompts))]
    nodes = {
        name: node("llm", model="openai:ok", base_url=chat.base_url, prompt=prompt)
        for name, prompt in zip(names, prompts, strict=True)
    }
    return workflow(" > ".join([*names, "out"]), **nodes, out=output())


async def test_sigterm_drains_the_process_and_the_next_one_goes_on(chat: ChatServer, tmp_path: Path) -> None:
    database = tmp_path / "execsvc.db"
    with ServerProcess(database, "--grace", "60") as server:
        async with AsyncExecutionClient(server.address, call_timeout=5.0) as client:
            await client.execute(_ask(chat, "@@slow delay=0.2@@ one two three", "after"), execution_id="e")
            await asyncio.to_thread(chat.wait_for, "request", prompt="one two three")
            server.terminate()
            while not (await client.server_info()).draining:
                pass
            with pytest.raises(Unavailable) as refused:
                await client.execute(ECHO, execution_id="late")
            assert refused.value.reason in ("SERVER_DRAINING", "")
        assert await asyncio.to_thread(server.wait) == 0
    assert chat.prompts() == {"one two three": 1}
    with ServerProcess(database) as server:
        assert server.recovered == 1
        async with AsyncExecutionClient(server.address) as client:
            assert (await client.wait("e")).output == "after"
    assert chat.prompts() == {"one two three": 1, "after": 1}


async def test_what_outlasts_its_grace_is_cut_off_and_goes_on_at_the_next_start(
    chat: ChatServer, tmp_path: Path
) -> None:
    database = tmp_path / "execsvc.db"
    with ServerProcess(database, "--grace", "0.05") as server:
        async with AsyncExecutionClient(server.address) as client:
            await client.execute(_ask(chat, "@@hang@@ for ever"), execution_id="e")
            await asyncio.to_thread(chat.wait_for, "request", prompt="for ever")
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0
    with ServerProcess(database, "--grace", "0") as server:
        assert server.recovered == 1
        async with AsyncExecutionClient(server.address) as client:
            await until_logged(client, "e", "node_started", "node_started")
            assert (await client.stop("e")).state == "STOPPED"
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0


def test_a_second_process_on_the_same_database_fails_and_says_why(tmp_path: Path) -> None:
    database = tmp_path / "execsvc.db"
    with ServerProcess(database) as server:
        command = [sys.executable, "-m", "execsvc", "serve", "--address", "127.0.0.1:0", "--db", str(database)]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode != 0
        assert str(server.process.pid) in second.stderr
        assert database.name in second.stderr
        assert "Traceback" not in second.stderr
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0
