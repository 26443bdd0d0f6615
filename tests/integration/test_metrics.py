"""Metrics over HTTP say exactly what happened on a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest

from execsvc import __version__, app
from execsvc.app import Settings
from execsvc.metrics import CannotListen
from execsvc_client import AsyncExecutionClient, v1
from tests.support.clocks import HandClock
from tests.support.logs import entries, until_logged
from tests.support.nodes import Gates
from tests.support.scrapes import Scrape, scrape, scraped_once
from tests.support.workflows import ECHO, chain, gate, node, output, workflow

RETRY = {"max_attempts": 3, "initial_backoff": "0.001s"}
SERVICE = "execsvc.v1.ExecutionService"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A server with metrics, and ways to reach it."""

    client: AsyncExecutionClient
    stub: v1.ExecutionServiceAsyncStub
    channel: grpc.aio.Channel
    metrics: str

    async def scrape(self) -> Scrape:
        return await scrape(self.metrics)

    async def finished(self, count: int) -> Scrape:
        """Scrape once so many executions have ended and nothing is under way."""
        await scraped_once(
            self.metrics,
            lambda now: (
                sum(now.by("state", "executions_finished_total").values()) == count
                and not (now("executions_running") or now.by("method", "rpc_streams", service=SERVICE))
            ),
        )
        # A scrape reads one metric after the other: what it read before the last one may be older.
        return await self.scrape()


@asynccontextmanager
async def measured(settings: Settings, **changes: Any) -> AsyncIterator[Measured]:
    settings = replace(settings, metrics="127.0.0.1:0", **changes)
    async with (
        app.running(settings) as server,
        AsyncExecutionClient(server.address) as client,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        assert server.metrics is not None
        stub = v1.ExecutionServiceStub(channel)
        yield Measured(client=client, stub=stub, channel=channel, metrics=server.metrics)


async def test_executions_count_once_each_by_how_they_ended(settings: Settings, gates: Gates) -> None:
    async with measured(settings, max_concurrent=1) as server:
        client = server.client
        gates.open("flaky")
        await client.execute(ECHO, {"n": 1}, execution_id="done")
        await client.wait("done")
        # A repeat is no other execution.
        await client.execute(ECHO, {"n": 1}, execution_id="done")
        failing = workflow("a > out", a=gate("flaky", fail_with="FLAKY", failures=9, retry=RETRY), out=output())
        await client.execute(failing, execution_id="failed")
        assert (await client.wait("failed")).state == "FAILED"
        await client.execute(chain("a", "b"), execution_id="first")
        await gates.entered("a")
        await client.execute(ECHO, execution_id="stopped-early")
        await client.execute(ECHO, execution_id="waited")
        before = await server.scrape()
        assert (before("queue_depth"), before("executions_running"), before("execution_slots")) == (2, 1, 1)
        await client.stop("stopped-early")
        await client.pause("first")
        gates.open("a")
        assert (await client.wait("waited")).state == "COMPLETED"
        await client.resume("first")
        await gates.entered("b")
        await client.pause("first")
        gates.open("b")
        await until_logged(client, "first", "node_completed", node_id="b")
        await client.stop("first")
        now = await server.finished(5)

        assert now.by("state", "executions_finished_total") == {"COMPLETED": 2, "FAILED": 1, "STOPPED": 2}
        assert now("executions_submitted_total") == 5
        assert now("queue_depth") == 0
        # done, failed, first, waited, and first again after its pause.
        assert now("queue_wait_seconds_count") == 5
        assert now("commit_backlog") == 0
        ids = ("done", "failed", "first", "stopped-early", "waited")
        assert now("log_entries_total") == sum([len(await entries(client, name)) for name in ids])
        assert now("commit_changes_count") == now("commit_duration_seconds_count") == now("commit_wait_seconds_count")
        assert now("commit_changes_sum") >= now("commit_changes_count") >= 10
        assert now("commit_wait_seconds_sum") >= now("commit_duration_seconds_sum") > 0


async def test_an_execution_that_is_retried_finishes_twice(settings: Settings, gates: Gates) -> None:
    async with measured(settings) as server:
        gates.open("a")
        await server.client.execute(chain("a", fail_with="ONCE", failures=1), execution_id="e")
        await server.client.wait("e")
        await server.client.retry("e")
        await server.client.wait("e")
        now = await server.finished(2)

        assert now("executions_submitted_total") == 1
        assert now.by("state", "executions_finished_total") == {"COMPLETED": 1, "FAILED": 1}
        assert now("queue_wait_seconds_count") == 2


async def test_nodes_count_by_type_and_outcome(settings: Settings, gates: Gates) -> None:
    async with measured(settings) as server:
        client = server.client
        gates.open("good", "flaky", "bad", "worse")
        definition = workflow(
            "start > good > flaky > bad > ask > out",
            start=node("input"),
            good=gate("good"),
            flaky=gate("flaky", fail_with="FLAKY", failures=2, retry=RETRY),
            bad=gate("bad", fail_with="BAD", failures=1, on_error={"action": "continue", "fallback": None}),
            ask=node("llm", model="echo:", system="d e", prompt="a b c"),
            out=output(),
        )
        await client.execute(definition, execution_id="e")
        execution = await client.wait("e")
        await client.execute(chain("worse", fail_with="WORSE", failures=1), execution_id="failed")
        await client.wait("failed")
        now = await server.finished(2)

        durations = "node_duration_seconds_count"
        assert now.by("type", durations, state="COMPLETED") == {"input": 1, "gate": 3, "llm": 1, "output": 1}
        assert now.by("type", durations, state="FAILED") == {"gate": 1}
        assert now.by("type", "node_retries_total") == {"gate": 2}
        assert now.by("type", "node_fallbacks_total") == {"gate": 1}
        usage = execution.nodes["ask"].usage
        assert usage is not None
        assert usage.input_tokens != usage.output_tokens
        assert now.by("direction", "llm_tokens_total") == {"input": usage.input_tokens, "output": usage.output_tokens}


async def test_durations_and_waits_are_seconds(settings: Settings, gates: Gates) -> None:
    clock = HandClock()
    async with measured(settings, max_concurrent=1, clock=clock) as server:
        await server.client.execute(chain("a"), execution_id="first")
        await gates.entered("a")
        await server.client.execute(ECHO, execution_id="waits")
        clock.advance(20)
        gates.open("a")
        await server.client.wait("waits")
        now = await server.finished(2)

        assert now("node_duration_seconds_sum", type="gate", state="COMPLETED") == pytest.approx(20, abs=0.01)
        buckets = now.by("le", "node_duration_seconds_bucket", type="gate", state="COMPLETED")
        assert list(buckets) == ["30.0", "60.0", "300.0", "1800.0", "+Inf"]
        assert now("queue_wait_seconds_sum") == pytest.approx(20, abs=0.01)
        assert (now("queue_wait_seconds_bucket", le="15.0"), now("queue_wait_seconds_bucket", le="60.0")) == (1, 2)


async def test_calls_count_by_method_and_code(settings: Settings) -> None:
    async with measured(settings) as server:
        stub = server.stub
        await stub.Execute(v1.ExecuteRequest(execution_id="e", definition=_definition()))
        await stub.Execute(v1.ExecuteRequest(execution_id="e", definition=_definition()))
        refused = [
            stub.Execute(v1.ExecuteRequest(execution_id="e", definition=_definition(), priority=1)),
            stub.Execute(v1.ExecuteRequest()),
            stub.GetStatus(v1.GetStatusRequest(execution_id="nobody")),
            stub.StreamLogs(v1.StreamLogsRequest(execution_id="nobody")).read(),
        ]
        assert all(isinstance(error, grpc.aio.AioRpcError) for error in await _outcomes(refused))
        async for _ in stub.StreamLogs(v1.StreamLogsRequest(execution_id="e", follow=True)):
            pass
        now = await server.finished(1)

        def calls(method: str) -> dict[str, float]:
            return now.by("code", "rpcs_total", service=SERVICE, method=method)

        assert calls("Execute") == {"OK": 2, "ALREADY_EXISTS": 1, "INVALID_ARGUMENT": 1}
        assert calls("GetStatus") == {"NOT_FOUND": 1}
        assert calls("StreamLogs") == {"OK": 1, "NOT_FOUND": 1}
        assert calls("Control") == {}
        assert now.by("method", "rpc_duration_seconds_count", service=SERVICE) == {
            "Execute": 4,
            "GetStatus": 1,
            "StreamLogs": 2,
        }
        # There from the start, so that the first call is a change from 0.
        assert now("rpcs_total", service="execsvc.v1.WorkflowService", method="ListWorkflows", code="OK") == 0


async def test_bytes_that_are_no_request_count_as_invalid(settings: Settings) -> None:
    async with measured(settings) as server:
        call = server.channel.unary_unary(f"/{SERVICE}/GetStatus")
        assert isinstance((await _outcomes([call(b"\xff")]))[0], grpc.aio.AioRpcError)
        unknown = server.channel.unary_unary(f"/{SERVICE}/Whatever")
        assert isinstance((await _outcomes([unknown(b"")]))[0], grpc.aio.AioRpcError)
        now = await server.scrape()

        assert now.by("code", "rpcs_total", service=SERVICE, method="GetStatus") == {"INVALID_ARGUMENT": 1}
        assert "Whatever" not in now.text


async def test_streams_are_counted_while_they_live(settings: Settings, gates: Gates) -> None:
    async with measured(settings) as server:
        await server.client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        follow = v1.StreamLogsRequest(execution_id="e", follow=True)
        logs = [server.stub.StreamLogs(follow) for _ in range(3)]
        watch = server.stub.WatchExecution(v1.WatchExecutionRequest(execution_id="e"))
        for stream in (*logs, watch):
            await stream.read()
        during = await server.scrape()
        logs[0].cancel()
        # A scrape reads one metric after the other, so that one may tell of the end before another does.
        one_gone = await scraped_once(
            server.metrics,
            lambda now: (
                now("rpc_streams", service=SERVICE, method="StreamLogs") == 2
                and bool(now.by("code", "rpcs_total", service=SERVICE, method="StreamLogs"))
            ),
        )
        gates.open("a")
        for stream in (*logs[1:], watch):
            while await stream.read() is not grpc.aio.EOF:
                pass
        now = await server.finished(1)

    assert during.by("method", "rpc_streams", service=SERVICE) == {"StreamLogs": 3, "WatchExecution": 1}
    assert during.by("code", "rpcs_total", service=SERVICE, method="StreamLogs") == {}
    assert one_gone.by("code", "rpcs_total", service=SERVICE, method="StreamLogs") == {"CANCELLED": 1}
    assert now.by("method", "rpc_streams", service=SERVICE) == {}
    assert now.by("code", "rpcs_total", service=SERVICE, method="StreamLogs") == {"CANCELLED": 1, "OK": 2}
    assert now.by("code", "rpcs_total", service=SERVICE, method="WatchExecution") == {"OK": 1}


async def test_two_servers_in_one_process_count_for_themselves(settings: Settings) -> None:
    other = replace(settings, database=settings.database.with_name("other.db"))
    async with measured(settings) as one, measured(other) as two:
        await one.client.execute(ECHO, execution_id="e")
        await one.client.wait("e")
        await one.finished(1)

        assert (await one.scrape())("executions_submitted_total") == 1
        assert (await two.scrape())("executions_submitted_total") == 0


async def test_what_was_recovered_waits_from_the_start_of_the_server(settings: Settings, gates: Gates) -> None:
    async with measured(replace(settings, grace=0.0)) as server:
        await server.client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
    gates.open("a")
    async with measured(settings) as server:
        await server.client.wait("e")
        now = await server.finished(1)

        assert now("executions_submitted_total") == 0
        assert now.by("state", "executions_finished_total") == {"COMPLETED": 1}
        assert now("queue_wait_seconds_count") == 1


async def test_version_and_process_are_there(settings: Settings) -> None:
    async with measured(settings) as server:
        now = await server.scrape()

    build = next(family for family in now.families if family.name == "execsvc_build_info")
    assert build.samples[0].labels["version"] == __version__
    assert {"python_info", "python_gc_objects_collected"} <= {family.name for family in now.families}


async def test_a_taken_port_is_an_error_that_names_it_and_leaves_nothing_behind(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=f"cannot listen on {address} for metrics: Address already in use"):
            async with app.running(replace(settings, metrics=address)):
                pass
        # The database was let go of.
        async with measured(settings) as server:
            assert (await server.scrape())("executions_submitted_total") == 0


async def test_without_the_option_nothing_listens(settings: Settings) -> None:
    async with app.running(settings) as server:
        assert server.metrics is None


def _definition() -> v1.WorkflowDefinition:
    return v1.WorkflowDefinition(
        nodes=[v1.Node(id="start", input=v1.InputNode()), v1.Node(id="out", output=v1.OutputNode(expression="input"))],
        edges=[v1.Edge(source="start", target="out")],
    )


async def _outcomes(calls: list[Any]) -> list[Any]:
    async def outcome(call: Any) -> Any:
        return await call

    return await asyncio.gather(*(outcome(call) for call in calls), return_exceptions=True)


async def test_calls_of_nobody_known_count_with_the_code_they_were_refused_with(settings: Settings) -> None:
    async with measured(settings, auth="token") as server:
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError):
                await server.stub.GetStatus(v1.GetStatusRequest(execution_id="e"))
        with pytest.raises(grpc.aio.AioRpcError):
            await server.stub.StreamLogs(v1.StreamLogsRequest(execution_id="e")).read()

        def counted(now: Scrape) -> bool:
            return [
                now.by("code", "rpcs_total", service=SERVICE, method=method) for method in ("GetStatus", "StreamLogs")
            ] == [{"UNAUTHENTICATED": 2}, {"UNAUTHENTICATED": 1}]

        await scraped_once(server.metrics, counted)
