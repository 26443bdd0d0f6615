"""What a real OTLP collector gets of a real server: trees, links and attributes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execsvc import app
from execsvc.app import Settings
from execsvc.tracing import TracingSettings, tracing_settings
from execsvc_client import AsyncExecutionClient, ExecsvcError
from tests.integration.conftest import StartServer
from tests.servers import ChatServer, OtlpCollector
from tests.servers.answers import Asked, answering, sends
from tests.support.nodes import Gates
from tests.support.scrapes import scrape
from tests.support.traces import CALLER, TRACE, TRACEPARENT, children, links_to, named, only
from tests.support.workflows import ECHO, chain, node, output, transform, workflow

EXECUTE = "execsvc.v1.ExecutionService/Execute"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """A model for the tests of this module; each asks with prompts of its own."""
    with ChatServer(tmp_path_factory.mktemp("chat") / "requests.jsonl") as server:
        yield server


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[OtlpCollector]:
    """A collector for one test."""
    with OtlpCollector(tmp_path / "spans.jsonl") as server:
        yield server


@pytest.fixture
def tracing(collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch) -> TracingSettings:
    """Settings that send traces to the test's collector."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    found = tracing_settings(collector.http_url, {})
    assert found is not None
    return found


def asking(chat: ChatServer, prompt: str, **settings: Any) -> dict[str, Any]:
    """A node that asks the model."""
    config = {"model": "openai:ok", "base_url": chat.base_url, "prompt": prompt, **settings}
    return node("llm", **config)


def traced_as(address: str, traceparent: str = TRACEPARENT, **more: str) -> AsyncExecutionClient:
    """A client whose calls belong to a caller's trace."""
    return AsyncExecutionClient(address, metadata=[("traceparent", traceparent), *more.items()])


async def test_an_execution_is_a_tree_in_its_callers_trace(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, chat: ChatServer
) -> None:
    ask = asking(
        chat,
        "tree @@429 after=0 times=1@@",
        parameters={"temperature": 0.5, "max_tokens": 7},
        retry={"max_attempts": 3, "initial_backoff": "0.01s"},
    )
    definition = workflow(
        "start > twice > ask > out",
        start=node("input"),
        twice=transform("input.n * 2"),
        ask=ask,
        out=output("nodes.ask"),
    )
    async with start_server(tracing=tracing), traced_as(start_server.address) as client:
        await client.execute(definition, {"n": 2}, execution_id="tree", workflow_id="asks")
        execution = await client.wait("tree")
        assert execution.state == "COMPLETED", execution.error

    spans = collector.spans()
    call, run = only(spans, EXECUTE), only(spans, "execution asks")
    assert (call.trace_id, call.parent_id, call.kind) == (TRACE, CALLER, 2)
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": EXECUTE,
        "rpc.response.status_code": "OK",
        "execsvc.execution.id": "tree",
    }
    assert (run.trace_id, run.parent_id, run.links) == (TRACE, call.span_id, [])
    assert run.attributes == {
        "execsvc.namespace": "default",
        "execsvc.execution.id": "tree",
        "execsvc.execution.uid": execution.uid,
        "execsvc.workflow.id": "asks",
        "execsvc.workflow.digest": execution.definition_digest,
        "execsvc.run.number": 1,
        "execsvc.execution.state": "COMPLETED",
    }
    assert [span.name for span in children(spans, run)] == ["input start", "transform twice", "llm ask", "output out"]
    for span, (node_id, kind) in zip(
        children(spans, run),
        [("start", "input"), ("twice", "transform"), ("ask", "llm"), ("out", "output")],
        strict=True,
    ):
        assert span.attributes == {
            "execsvc.node.id": node_id,
            "execsvc.node.type": kind,
            "execsvc.node.state": "COMPLETED",
        }
    first, second = children(spans, only(spans, "llm ask"))
    assert (first.name, first.attributes["error.type"], first.status["code"]) == ("attempt 1", "LLM_RATE_LIMITED", 2)
    assert (second.name, second.attributes, second.status["code"]) == ("attempt 2", {"execsvc.node.attempt": 2}, 0)
    (failed,), (answered,) = children(spans, first), children(spans, second)
    assert (failed.attributes["error.type"], failed.status["code"]) == ("LLM_RATE_LIMITED", 2)
    assert (answered.name, answered.kind) == ("chat ok", 3)
    port = answered.attributes.pop("server.port")  # type: ignore[attr-defined]
    assert answered.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "ok",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "ok",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": execution.usage.input_tokens,
        "gen_ai.usage.output_tokens": execution.usage.output_tokens,
        "server.address": "127.0.0.1",
    }
    assert str(port) in chat.base_url
    # Two requests to the model, each as part of its call.
    told = [request["traceparent"] for request in chat.requests(prompt="tree ")]
    assert told == [f"00-{TRACE}-{call.span_id}-01" for call in (failed, answered)]


async def test_a_structured_answer_is_a_model_call_of_type_json(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, chat: ChatServer
) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    definition = workflow("ask > out", ask=asking(chat, "@@json@@ structured", response_schema=schema), out=output())
    async with start_server(tracing=tracing) as client:
        await client.execute(definition, {}, execution_id="json")
        assert (await client.wait("json")).state == "COMPLETED"

    call = only(collector.spans(), "chat ok")
    assert (call.attributes["gen_ai.output.type"], call.attributes["gen_ai.request.stream"]) == ("json", False)
    assert call.attributes["gen_ai.response.finish_reasons"] == ["stop"]


async def test_a_call_over_http_is_a_span_of_its_attempt_and_carries_the_trace_on(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        there = sends("hidden-answer") if "/there" in asked.line else sends("", status="302 F", Location="/there")
        await (sends("", status="503 Down") if len(server.requests) == 1 else there)(asked, writer)

    async with answering(answer) as server:
        call = node("http", url=f"{server.url}/users/{{{{input.id}}}}?q={{{{input.id}}}}", max_redirects=1)
        call["retry"] = {"max_attempts": 2, "initial_backoff": "0.01s"}
        definition = workflow("call > out", call=call, out=output("nodes.call.body"))
        async with start_server(tracing=tracing), traced_as(start_server.address, tracestate="vendor=1") as client:
            await client.execute(definition, {"id": "hidden-id"}, execution_id="call")
            assert (await client.wait("call")).state == "COMPLETED"

    spans = collector.spans()
    first, second = children(spans, only(spans, "http call"))
    (failed,), (redirect, there) = children(spans, first), children(spans, second)
    about = {"http.request.method": "GET", "server.address": "127.0.0.1", "server.port": server.port}
    told = about | {"url.template": "/users/{{input.id}}"}
    assert failed.attributes == told | {"http.response.status_code": 503, "error.type": "HTTP_UNAVAILABLE"}
    assert (failed.name, failed.kind, failed.status["code"]) == ("GET", 3, 2)
    assert redirect.attributes == told | {"http.response.status_code": 302}
    assert there.attributes == about | {"http.request.resend_count": 1, "http.response.status_code": 200}
    assert [asked.headers["traceparent"] for asked in server.requests] == [
        f"00-{TRACE}-{span.span_id}-01" for span in (failed, redirect, there)
    ]
    assert {asked.headers["tracestate"] for asked in server.requests} == {"vendor=1"}
    assert "hidden" not in str(spans)


@pytest.mark.every_store
async def test_runs_after_a_resume_and_a_retry_link_to_the_one_before(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, gates: Gates
) -> None:
    async with start_server(tracing=tracing), traced_as(start_server.address) as client:
        await client.execute(chain("a", "b"), {}, execution_id="on")
        await gates.entered("a")
        await client.pause("on")
        gates.open("a")
        # The run ends once what was under way has.
        await asyncio.to_thread(collector.wait_for, lambda span: span.name == "execution")
        await client.resume("on")
        await gates.entered("b")
        await client.stop("on")
        await asyncio.to_thread(collector.wait_for, lambda span: span.name == "execution", count=2)
        gates.open("b")
        await client.retry("on")
        assert (await client.wait("on")).state == "COMPLETED"

    spans = collector.spans()
    runs = named(spans, "execution")
    assert [run.attributes["execsvc.execution.state"] for run in runs] == ["PAUSED", "STOPPED", "COMPLETED"]
    assert [links_to(run) for run in runs] == [
        [],
        [("run_before", runs[0].span_id)],
        [("run_before", runs[1].span_id)],
    ]
    assert {run.parent_id for run in runs} == {only(spans, EXECUTE).span_id}
    assert [[span.name for span in children(spans, run)] for run in runs] == [
        ["gate a"],
        ["gate b"],
        ["gate b", "output out"],
    ]
    assert [span.attributes["execsvc.node.state"] for span in named(spans, "gate b")] == ["CANCELLED", "COMPLETED"]


@pytest.mark.every_store
async def test_a_run_that_a_drain_cut_off_is_told_by_the_next_one(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, gates: Gates
) -> None:
    async with start_server(tracing=tracing, grace=0.0), traced_as(start_server.address) as client:
        await client.execute(chain("a", "b"), {}, execution_id="cut")
        gates.open("a")
        await gates.entered("b")
    left = collector.spans()
    assert [span.name for span in left if span.parent_id not in {other.span_id for other in left}] != []
    assert named(left, "execution") == []
    gates.open("b")
    async with start_server(tracing=tracing) as client:
        assert (await client.wait("cut")).state == "COMPLETED"

    spans = collector.spans()
    first, second = named(spans, "execution")
    assert (first.attributes["execsvc.interrupted"], first.attributes["execsvc.execution.state"]) == (True, "RUNNING")
    assert links_to(second) == [("run_before", first.span_id)]
    assert [span.name for span in children(spans, first)] == ["gate a", "gate b"]
    assert [span.name for span in children(spans, second)] == ["gate b", "output out"]
    cut, again = (children(spans, span) for span in named(spans, "gate b"))
    assert [(span.name, span.attributes["execsvc.interrupted"]) for span in cut] == [("attempt 1", True)]
    assert links_to(again[0]) == [("interrupted_attempt", cut[0].span_id)]
    assert first.start <= cut[0].start <= cut[0].end <= first.end <= second.start
    # Everything was told once, and belongs to one tree.
    ids = [span.span_id for span in spans]
    assert len(ids) == len(set(ids))
    assert {span.parent_id for span in spans if span.trace_id == TRACE} <= {*ids, CALLER}


async def test_a_failure_is_told_by_its_type_alone(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    definition = workflow("start > bad > out", start=node("input"), bad=transform("int(input.text)"), out=output())
    async with start_server(tracing=tracing) as client:
        await client.execute(definition, {"text": "secret-text"}, execution_id="bad")
        failed = await client.wait("bad")
        assert failed.error is not None

    spans = collector.spans()
    for name in ("execution", "transform bad"):
        span = only(spans, name)
        assert span.attributes["error.type"] == failed.error.type
        assert span.status == {"code": 2, "message": failed.error.type}


async def test_calls_say_how_they_ended(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async with start_server(tracing=tracing) as client:
        with pytest.raises(ExecsvcError):
            await client.status("nowhere")
        await client.execute(ECHO, {}, execution_id="e")
        assert [entry async for entry in client.logs("e", follow=True)]

    spans = collector.spans()
    refused = only(spans, "execsvc.v1.ExecutionService/GetStatus")
    assert refused.attributes["rpc.response.status_code"] == refused.attributes["error.type"] == "NOT_FOUND"
    # Whoever asked for what is not there has erred, not the server.
    assert refused.status["code"] == 0
    stream = only(spans, "execsvc.v1.ExecutionService/StreamLogs")
    assert (stream.attributes["rpc.response.status_code"], stream.parent_id) == ("OK", "")


async def test_commits_stand_in_one_trace_and_link_to_the_others(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async with start_server(tracing=tracing) as client:
        await asyncio.gather(*(client.execute(ECHO, {}, execution_id=f"e{number}") for number in range(50)))
        await asyncio.gather(*(client.wait(f"e{number}") for number in range(50)))

    spans = collector.spans()
    commits = named(spans, "commit")
    places = {span.span_id for span in spans if span.name in (EXECUTE, "execution")}
    assert {span.parent_id for span in commits} <= places
    linked = {other for span in commits for _, other in links_to(span)}
    assert linked
    assert linked <= places
    assert sum(span.attributes["execsvc.commit.changes"] for span in commits) >= 100
    assert all(span.end - span.start >= 0 and span.attributes["execsvc.commit.wait"] > 0 for span in commits)


async def test_what_the_caller_does_not_sample_is_not_sent_but_goes_on(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, chat: ChatServer
) -> None:
    definition = workflow("ask > out", ask=asking(chat, "unsampled"), out=output())
    async with start_server(tracing=tracing):
        unsampled = f"00-{TRACE}-{CALLER}-00"
        async with traced_as(start_server.address, unsampled, tracestate="vendor=1") as client:
            await client.execute(definition, {}, execution_id="quiet")
            assert (await client.wait("quiet")).state == "COMPLETED"

    assert collector.spans() == []
    (request,) = chat.requests(prompt="unsampled")
    assert request["traceparent"].startswith(f"00-{TRACE}-")
    assert request["traceparent"].endswith("-00")


async def test_what_is_no_trace_context_is_ignored(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    for text in ("", "00-zz", f"00-{'0' * 32}-{CALLER}-01", "x" * 5_000):
        async with start_server(tracing=tracing), traced_as(start_server.address, text) as client:
            await client.execute(ECHO, {}, execution_id=f"e{len(text)}")
            await client.wait(f"e{len(text)}")

    calls = named(collector.spans(), EXECUTE)
    assert [span.parent_id for span in calls] == [""] * 4
    assert len({span.trace_id for span in calls}) == 4


async def test_the_state_of_a_trace_is_kept_with_it(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async with (
        start_server(tracing=tracing),
        AsyncExecutionClient(
            start_server.address, metadata=lambda: [("traceparent", TRACEPARENT), ("tracestate", "vendor=1")]
        ) as client,
    ):
        await client.execute(ECHO, {}, execution_id="e")
        await client.wait("e")
        queued, *_ = [entry async for entry in client.logs("e")]

    spans = collector.spans()
    assert only(spans, "execution").trace_state == "vendor=1"
    call = only(spans, EXECUTE)
    # Where a log is read, it says which trace it belongs to.
    assert queued.metadata["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    assert queued.metadata["tracestate"] == "vendor=1"


async def test_an_execution_of_before_tracing_has_a_trace_of_its_own_that_goes_on(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector, gates: Gates
) -> None:
    async with start_server(grace=0.0) as client:
        await client.execute(chain("a"), {}, execution_id="old")
        await gates.entered("a")
    for entries in (2, 3):
        async with start_server(tracing=tracing, grace=0.0) as client:
            while gates.entries["a"] < entries:
                await client.server_info()
    gates.open("a")
    async with start_server(tracing=tracing) as client:
        assert (await client.wait("old")).state == "COMPLETED"

    runs = named(collector.spans(), "execution")
    assert len({run.trace_id for run in runs}) == 1
    assert {run.parent_id for run in runs} == {""}
    assert [run.attributes["execsvc.run.number"] for run in runs] == [1, 2, 3, 4]
    assert [links_to(run) for run in runs[1:]] == [[("run_before", run.span_id)] for run in runs[:-1]]


async def test_calls_that_are_refused_at_the_gate_leave_no_span(
    start_server: StartServer, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async with start_server(tracing=tracing, auth="token") as client:
        with pytest.raises(ExecsvcError):
            await client.status("e")
        async with AsyncExecutionClient(start_server.address, token=await start_server.token()) as known:
            await known.execute(ECHO, {}, execution_id="e")
            await known.wait("e")

    spans = collector.spans()
    assert only(spans, EXECUTE)
    assert not [span for span in spans if span.attributes.get("rpc.response.status_code") == "UNAUTHENTICATED"]


async def test_metrics_and_traces_are_told_of_the_same_calls_and_commits(
    settings: Settings, tracing: TracingSettings, collector: OtlpCollector
) -> None:
    async with app.running(replace(settings, tracing=tracing, metrics="127.0.0.1:0")) as server:
        async with AsyncExecutionClient(server.address) as client:
            await client.execute(ECHO, {}, execution_id="e")
            await client.wait("e")
        assert server.metrics is not None
        now = await scrape(server.metrics)
        assert now("rpcs_total", service="execsvc.v1.ExecutionService", method="Execute", code="OK") == 1
        assert now("executions_submitted_total") == 1

    assert only(collector.spans(), EXECUTE)
    assert named(collector.spans(), "commit")
