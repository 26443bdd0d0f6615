"""``execsvc serve`` with a real collector: traces over a kill, what never gets into one, and what may go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from execsvc_client import AsyncExecutionClient, ExecutionClient
from tests.e2e.conftest import QUICK, Cli
from tests.servers import ChatServer, OtlpCollector, ReceivedSpan
from tests.support.processes import ServerProcess
from tests.support.traces import CALLER, TRACE, TRACEPARENT, children, drawn, links_to, named, only
from tests.support.workflows import node, output, transform, workflow

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
WRITE = os.environ.get("EXECSVC_SNAPSHOTS") == "write"
#: Before and after the trace that the page shows.
BEGIN, END = "<!-- drawn by tests/e2e/test_tracing.py -->\n\n```text\n", "\n```\n"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[OtlpCollector]:
    """A collector for one test."""
    with OtlpCollector(tmp_path / "spans.jsonl") as server:
        yield server


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[ChatServer]:
    """A model that takes a moment for each answer."""
    with ChatServer(tmp_path / "requests.jsonl", delay=0.5) as server:
        yield server


def traced(collector: OtlpCollector, **more: str) -> dict[str, str]:
    """Variables that send traces to a collector, at once."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_url, "OTEL_BSP_SCHEDULE_DELAY": "20", **more}


def undocumented(spans: list[ReceivedSpan]) -> set[str]:
    """Attributes of our spans that the page does not speak of."""
    page = PAGE.read_text(encoding="utf-8")
    return {name for span in spans for name in span.attributes if f"`{name}`" not in page}


def greeting(chat: ChatServer, prompt: str, **settings: Any) -> dict[str, Any]:
    """A question to a model."""
    ask = node("llm", model="openai:ok", base_url=chat.base_url, prompt=prompt, **settings)
    return workflow("question > ask > answer", question=node("input"), ask=ask, answer=output("nodes.ask"))


async def test_one_trace_of_a_run_with_two_attempts_and_a_restart(
    tmp_path: Path, collector: OtlpCollector, chat: ChatServer
) -> None:
    prompt = "Good morning @@429 after=0 times=1@@"
    definition = greeting(chat, prompt, retry={"max_attempts": 3, "initial_backoff": "0.05s"})
    database, variables = tmp_path / "execsvc.db", traced(collector)
    with ServerProcess(database, environment=variables) as server:
        async with AsyncExecutionClient(server.address, metadata=[("traceparent", TRACEPARENT)]) as client:
            await client.execute(definition, {}, execution_id="e-1", workflow_id="greeting")
            while len(chat.requests()) < 2:
                await client.server_info()

        def of_the_first_run(span: ReceivedSpan) -> bool:
            return span.name in ("attempt 1", "commit") and span.trace_id == TRACE

        # In the call of Execute, and in the run: the attempt that failed, and what was written of it.
        await asyncio.to_thread(collector.wait_for, of_the_first_run, count=4)
        server.kill()
    with ServerProcess(database, environment=variables) as server:
        assert server.recovered == 1
        async with AsyncExecutionClient(server.address) as client:
            execution = await client.wait("e-1")
            assert (execution.state, execution.output) == ("COMPLETED", "Good morning ")
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0

    spans = [span for span in collector.spans() if span.trace_id == TRACE]
    call = only(spans, "execsvc.v1.ExecutionService/Execute")
    assert call.parent_id == CALLER
    ids = [span.span_id for span in spans]
    assert len(ids) == len(set(ids))
    assert {span.parent_id for span in spans} <= {*ids, CALLER}
    assert len({span.resource["service.instance.id"] for span in spans}) == 2
    first, second = named(spans, "execution greeting")
    assert links_to(second) == [("run_before", first.span_id)]
    cut, again = named(spans, "attempt 2")
    assert links_to(again) == [("interrupted_attempt", cut.span_id)]
    told = [request["traceparent"] for request in chat.requests()]
    assert [text.split("-")[1] for text in told] == [TRACE] * 3
    calls = named(spans, "chat ok")
    # That the second request was made is known from its server alone: its client was killed in the middle of it.
    assert [told[0].split("-")[2], told[2].split("-")[2]] == [span.span_id for span in calls]

    assert undocumented(spans) == set()
    picture = drawn(spans, call, _about)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    shown, _, after = rest.partition(END)
    if WRITE:
        PAGE.write_text(before + BEGIN + picture + END + after, encoding="utf-8")
        shown = picture
    assert shown == picture, "look at it, then run it with EXECSVC_SNAPSHOTS=write"


def _about(span: ReceivedSpan) -> str:
    """What the page says of a span."""
    said = span.attributes
    parts = []
    if "execsvc.run.number" in said:
        parts.append(f"run {said['execsvc.run.number']}")
    if said.get("execsvc.interrupted"):
        parts.append("interrupted")
    elif "execsvc.execution.state" in said:
        parts.append(said["execsvc.execution.state"])
    elif "execsvc.node.state" in said:
        parts.append(said["execsvc.node.state"])
    if "rpc.response.status_code" in said:
        parts.append(said["rpc.response.status_code"])
    if "error.type" in said:
        parts.append(said["error.type"])
    if "gen_ai.usage.input_tokens" in said:
        used = f"{said['gen_ai.usage.input_tokens']} tokens in, {said['gen_ai.usage.output_tokens']} out"
        parts += [used, *said["gen_ai.response.finish_reasons"]]
    links = {"run_before": "linked to run 1", "interrupted_attempt": "linked to the interrupted attempt"}
    parts += [links[kind] for kind, _ in links_to(span)]
    return ", ".join(parts)


#: What must not get out.
SECRETS = (
    "canary-prompt",
    "canary-system",
    "canary-input",
    "canary-output",
    "canary-label",
    "canary-key",
    "canary-token",
)


def _canaries(chat: ChatServer) -> dict[str, Any]:
    """Calls that succeed, fail with the key or the input in the provider's words, and expressions that fail."""
    settings = {"model": "openai:ok", "base_url": chat.base_url, "system": "canary-system"}
    return workflow(
        "start > good > out",
        "start > echoed > out",
        "start > rejected > out",
        "start > number > out",
        start=node("input"),
        good=node("llm", **settings, prompt="canary-prompt {{input.text}}"),
        echoed=node("llm", **settings, prompt="canary-prompt @@401-echo-key@@", on_error={"action": "continue"}),
        rejected=node("llm", **settings, prompt="canary-prompt @@json-wrong@@", on_error={"action": "continue"}),
        number=transform("int(input.text)", on_error={"action": "continue"}),
        out=output("'canary-output ' + nodes.good"),
    )


async def _run_canaries(server: ServerProcess, chat: ChatServer) -> None:
    metadata = [("traceparent", TRACEPARENT), ("authorization", "Bearer canary-token")]
    async with AsyncExecutionClient(server.address, metadata=metadata) as client:
        await client.execute(
            _canaries(chat), {"text": "canary-input"}, execution_id="c-1", labels={"customer": "canary-label"}
        )
        assert (await client.wait("c-1")).output.startswith("canary-output canary-prompt canary-input")
    server.terminate()
    assert await asyncio.to_thread(server.wait) == 0


async def test_no_prompt_input_output_or_credential_gets_into_a_span(
    tmp_path: Path, collector: OtlpCollector, chat: ChatServer
) -> None:
    with ServerProcess(tmp_path / "execsvc.db", environment=traced(collector, OPENAI_API_KEY="canary-key")) as server:
        await _run_canaries(server, chat)

    assert {"chat ok", "transform number", "execution"} <= {span.name for span in collector.spans()}
    # What the exporter itself is told to send along is no span.
    sent = collector.raw()
    assert [secret for secret in SECRETS if secret in sent] == []


async def test_messages_are_in_spans_where_that_is_asked_for(
    tmp_path: Path, collector: OtlpCollector, chat: ChatServer
) -> None:
    variables = traced(
        collector, OPENAI_API_KEY="canary-key", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true"
    )
    with ServerProcess(tmp_path / "execsvc.db", environment=variables) as server:
        await _run_canaries(server, chat)

    spans = collector.spans()
    good = only(children(spans, only(children(spans, only(spans, "llm good")), "attempt 1")), "chat ok")
    assert json.loads(good.attributes["gen_ai.system_instructions"]) == [{"type": "text", "content": "canary-system"}]
    assert json.loads(good.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "canary-prompt canary-input"}]}
    ]
    assert json.loads(good.attributes["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "canary-prompt canary-input"}],
            "finish_reason": "stop",
        }
    ]
    refused = only(children(spans, only(spans, "llm echoed")), "attempt 1")
    assert "refused the credentials (401)" in refused.status["message"]
    assert undocumented(spans) == set()
    # Credentials never are.
    assert [secret for secret in ("canary-key", "canary-token") if secret in collector.raw()] == []


async def test_a_secret_of_a_workflow_is_not_in_spans_that_hold_messages_and_errors(
    tmp_path: Path, collector: OtlpCollector, chat: ChatServer
) -> None:
    variables = traced(
        collector, CANARY_KEY="canary-of-the-workflow", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true"
    )
    definition = greeting(chat, "say @@401-echo-key@@", api_key="secret:KEY", on_error={"action": "continue"})
    with ServerProcess(tmp_path / "execsvc.db", "--secrets", "env:CANARY_", environment=variables) as server:
        async with AsyncExecutionClient(server.address) as client:
            await client.execute(definition, {}, execution_id="e-1")
            await client.wait("e-1")
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0

    assert chat.requests()[0]["authorization"] == "Bearer canary-of-the-workflow"
    asked = only(collector.spans(), "chat ok")
    assert "refused the credentials (401)" in asked.status["message"]
    assert "canary-of-the-workflow" not in collector.raw()


async def test_standard_variables_say_how_traces_are_sent(tmp_path: Path, collector: OtlpCollector) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=blue",
        "OTEL_SERVICE_NAME": "orders",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    with ServerProcess(tmp_path / "execsvc.db", environment=variables) as server:
        with ExecutionClient(server.address) as client:
            client.execute(QUICK, {"n": 2}, execution_id="e-1")
            client.wait("e-1")
        # At once, though the SDK would wait for five seconds: a drain sends what there is.
        server.terminate()
        assert server.wait() == 0

    run = only(collector.spans(), "execution")
    assert (run.protocol, run.headers["x-tenant"], run.scope) == ("grpc", "blue", "execsvc")
    assert run.resource["service.name"] == "orders"
    assert run.resource["deployment.environment"] == "test"


def test_the_sampler_is_the_variables(tmp_path: Path, collector: OtlpCollector) -> None:
    with ServerProcess(
        tmp_path / "execsvc.db", environment=traced(collector, OTEL_TRACES_SAMPLER="always_off")
    ) as server:
        with ExecutionClient(server.address, metadata=[("traceparent", TRACEPARENT)]) as client:
            client.execute(QUICK, {"n": 2}, execution_id="e-1")
            assert client.wait("e-1").state == "COMPLETED"
        server.terminate()
        assert server.wait() == 0

    assert collector.spans() == []


def test_the_http_gateway_passes_the_callers_trace_on(tmp_path: Path, collector: OtlpCollector) -> None:
    process = Cli().start(
        *("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db", "--json", "--http", "0"),
        *("--tracing", collector.http_url),
    )
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["http"]
        for number, traceparent in enumerate((TRACEPARENT.encode(), b"not a trace\xe4")):
            answer = httpx.post(
                f"http://{address}/api/v1/execute",
                json={"execution_id": f"e-{number}", "definition": QUICK, "input_data": {"n": 1}},
                headers=[(b"traceparent", traceparent), (b"tracestate", b"a=1")],
            )
            assert answer.status_code == 202, answer.text
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()

    calls = named(collector.spans(), "execsvc.v1.ExecutionService/Execute")
    assert [(span.trace_id, span.parent_id, span.trace_state) for span in calls[:1]] == [(TRACE, CALLER, "a=1")]
    assert [span.parent_id for span in calls[1:]] == [""]


PLUGIN = """
from execsvc.definition import Builder, NodeType
from execsvc.engine import NodePlugin, NodeResult, trace_headers
from opentelemetry import trace


class Look:
    effect = True

    async def run(self, config, context):
        with trace.get_tracer("a library").start_as_current_span("inside"):
            await context.http.post(config["url"], json={"messages": [{"role": "user", "content": "look"}]})
            return NodeResult(output=dict(trace_headers()))


look = NodePlugin(
    type=NodeType(name="look", description="", config_schema={}, effect=True, compile=lambda config, builder: config),
    executor=Look,
)
"""


def test_spans_of_libraries_nest_below_the_attempt_of_a_plug_in_and_its_requests_carry_them_on(
    tmp_path: Path, collector: OtlpCollector, chat: ChatServer
) -> None:
    site = tmp_path / "site"
    about = site / "look-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "look_plugin.py").write_text(PLUGIN, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: look\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[execsvc.nodes]\nlook = look_plugin:look\n")
    definition = workflow(
        "look > out", look=node("look", url=f"{chat.base_url}/chat/completions"), out=output("nodes.look")
    )
    variables = traced(collector, PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    with ServerProcess(tmp_path / "execsvc.db", "--plugin", "look", environment=variables) as server:
        with ExecutionClient(server.address) as client:
            client.execute(definition, {}, execution_id="e-1")
            told = client.wait("e-1").output
        server.terminate()
        assert server.wait() == 0

    spans = collector.spans()
    inside = only(spans, "inside")
    assert (inside.parent_id, inside.scope) == (only(spans, "attempt 1").span_id, "a library")
    assert told["traceparent"].startswith(f"00-{inside.trace_id}-{inside.span_id}-")
    (request,) = chat.requests()
    assert request["traceparent"] == told["traceparent"]


@pytest.mark.parametrize("answer", ["unavailable", "never", "gone"])
async def test_a_collector_out_of_order_holds_up_nothing(tmp_path: Path, answer: str) -> None:
    with OtlpCollector(tmp_path / "spans.jsonl", answer="ok" if answer == "gone" else answer) as collector:
        if answer == "gone":
            collector.stop()
        variables = traced(collector, OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16")
        with ServerProcess(tmp_path / "execsvc.db", environment=variables) as server:
            async with AsyncExecutionClient(server.address) as client:
                for start in range(0, 200, 50):
                    ids = [f"e{number}" for number in range(start, start + 50)]
                    await asyncio.gather(*(client.execute(QUICK, {"n": 1}, execution_id=id) for id in ids))
                    ended = await asyncio.gather(*(client.wait(id) for id in ids))
                    assert {execution.state for execution in ended} == {"COMPLETED"}
            server.terminate()
            assert await asyncio.to_thread(server.wait) == 0
    log = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    warnings = [entry for entry in log if entry["level"] == "WARNING"]
    # Hundreds of spans were dropped; what is said of them is a few lines, once each.
    assert 1 <= len(warnings) <= 5, warnings
    assert {entry["level"] for entry in log} <= {"INFO", "WARNING"}
    assert [entry for entry in log if "exception" in entry] == []


HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def test_what_is_configured_and_not_installed_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDDEN, encoding="utf-8")
    variables = {"PYTHONPATH": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    arguments = ("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db", "--json")
    refused = Cli()(*arguments, env=variables)

    assert (refused.returncode, refused.stdout) == (7, "")
    error = json.loads(refused.stderr.splitlines()[-1])["error"]
    assert error["reason"] == "TRACING_UNUSABLE"
    assert error["message"] == (
        "tracing needs packages that are not installed: pip install 'execsvc[otel]', or --tracing off"
    )
    with Cli().running(*arguments, "--tracing", "off", env=variables) as process:
        assert process.stdout is not None
        assert "address" in json.loads(process.stdout.readline())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'; there are otlp and none"),
        (
            {"EXECSVC_TRACING": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'; there are grpc and http/protobuf",
        ),
    ],
)
def test_variables_that_ask_for_what_there_is_not_are_refused(
    tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    refused = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db", "--json", env=variables)

    error = json.loads(refused.stderr.splitlines()[-1])["error"]
    assert (refused.returncode, error["reason"], error["message"]) == (7, "TRACING_UNUSABLE", message)


OFF = """
import asyncio, sys
from pathlib import Path
from execsvc.app import Settings, running
from execsvc_client import AsyncExecutionClient

async def main():
    async with running(Settings(address="127.0.0.1:0", database=Path(sys.argv[1]))) as server:
        async with AsyncExecutionClient(server.address) as client:
            await client.execute(Path(sys.argv[2]), {"name": "Ada"}, execution_id="e")
            assert (await client.wait("e")).state == "COMPLETED"

asyncio.run(main())
print([name for name in sys.modules if name.startswith(("opentelemetry.exporter", "execsvc.tracing."))])
"""


def test_without_tracing_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    ask = node("llm", model="echo:", prompt="hello")
    (tmp_path / "w.json").write_text(json.dumps(workflow("ask > out", ask=ask, out=output())), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", OFF, str(tmp_path / "a.db"), str(tmp_path / "w.json")],
        capture_output=True,
        text=True,
        check=False,
    )

    # LangChain's own packages load the SDK wherever it is installed.
    assert (done.returncode, done.stdout) == (0, "['execsvc.tracing.settings']\n"), done.stderr
