"""A value that nodes use as a secret is in none of the bytes that a server stores or sends, however it is spelled.

Real servers as processes, with everything switched on that writes; nodes that tell all they know, on a server that
tells all it was sent.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import grpc
import pytest

from execsvc_client import ExecutionClient, to_definition, v1
from tests.e2e.conftest import ServeProcess, end
from tests.servers.postgres import shared_server
from tests.servers.reflector import Reflector, reflector
from tests.support.workflows import node, output, workflow

#: With characters that URLs, JSON, HTML and base64 change; one value for each place that it may stand in.
CANARY = "cAn4ry/+&%<x"
SECRETS = {name: f"{CANARY}{name}==9" for name in ("URL", "BODY", "VAULT")} | {
    name: f"{CANARY}{name}-9" for name in ("KEY", "HEADER", "BASIC")
}
#: Decoded from whatever runs of letters are long enough to hold it.
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")


def spellings_in(data: bytes) -> list[str]:
    """How the canary can be read in some bytes. Knows nothing of how it was taken out."""
    raw = CANARY.encode()
    found = [name for name, text in _readable(data).items() if raw in text]
    for run in _BASE64.findall(data):
        letters = run.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            part = letters[start:]
            with contextlib.suppress(binascii.Error):
                # Of a last letter that stands alone nothing can be read.
                if raw in base64.b64decode(part + b"=" * (-len(part) % 4)):
                    found.append("base64")
    return found


def _readable(data: bytes) -> dict[str, bytes]:
    text = data.decode("latin-1")
    unescaped = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text).replace("\\", "")
    entities = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    plain = {"as it is": text, "escaped": unescaped, "quoted": unquote(text), "HTML": entities}
    hexed = {f"hex {i}": bytes.fromhex(run) for i, run in enumerate(re.findall(r"(?:[0-9a-fA-F]{2}){12,}", text))}
    return {name: found.encode("latin-1", "replace") for name, found in plain.items()} | hexed


def test_the_search_finds_a_canary_in_every_spelling() -> None:
    sent = f"user:{CANARY}"
    spelled = [
        sent,
        json.dumps(sent),
        quote(sent, safe=""),
        sent.replace("&", "&amp;").replace("<", "&lt;"),
        sent.encode().hex(),
        base64.b64encode(sent.encode()).decode(),
        base64.urlsafe_b64encode(f"us:{CANARY}:x".encode()).decode(),
    ]

    assert [text for text in spelled if not spellings_in(f"before {text} after".encode())] == []
    assert not spellings_in(b"before cAn4ry after " + bytes(range(256)) * 10)


@pytest.fixture(scope="module")
def echo() -> Iterator[Reflector]:
    """A server that tells what it was sent."""
    with reflector() as running:
        yield running


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Environment of servers with a plug-in for nodes and one for secrets, and with a secret in a variable."""
    site = tmp_path / "site"
    about = site / "execsvc_canary-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: execsvc-canary\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[execsvc.nodes]\ncall = tests.support.call_node:call\n"
        "[execsvc.secrets]\nvault = tests.support.call_node:Vault\n"
    )
    vault = tmp_path / "vault.json"
    vault.write_text(json.dumps({"default": {"VAULT": SECRETS["VAULT"]}}))
    files = tmp_path / "secrets" / "default"
    files.mkdir(parents=True)
    for name in ("URL", "BODY", "HEADER", "BASIC"):
        (files / name).write_text(SECRETS[name] + "\n")
    return {
        "PYTHONPATH": f"{site}:{Path(__file__).parents[2]}",
        "VAULT_FILE": str(vault),
        "EXECSVC_SECRET_KEY": SECRETS["KEY"],
    }


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[list[str], Callable[[], bytes]]]:
    """How to name a database to a server, and all that is in it."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"

        def in_files() -> bytes:
            found = sorted(file for file in tmp_path.glob("test.db*") if file.is_file())
            assert path in found
            return b"\n".join(file.read_bytes() for file in found)

        yield [], in_files
        return
    url = shared_server().migrated()

    def in_tables() -> bytes:
        name = url.rpartition("/")[2]
        tables = shared_server().execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            name,
        )
        rows = [row for (table,) in tables for row in shared_server().execute(f"SELECT t::text FROM {table} t", name)]
        assert len(rows) > 10
        return "\n".join(row[0] for row in rows).encode()

    yield ["--store", url], in_tables
    shared_server().give_back(url)


def everything(echo: Reflector) -> dict[str, dict[str, Any]]:
    """Workflows with the canary in every place, ending in every way."""
    where = {"url": f"{echo.url}/hooks/secret:URL/send?key=secret:VAULT"}
    where |= {
        "headers": {"X-Key": "secret:HEADER", "Authorization": "Basic user:secret:BASIC"},
        "body": '{"key": "secret:BODY", "to": "{{input.to}}"}',
    }
    model = {"prompt": "hi {{input.to}}", "base_url": f"{echo.url}/v1", "api_key": "secret:KEY"}
    model |= {"headers": {"X-Key": "Bearer secret:HEADER"}, "parameters": {"user": "secret:BODY"}}
    retry = {"max_attempts": 2, "initial_backoff": "1ms"}
    over_http = {"url": where["url"], "headers": where["headers"], "query": {"more": "secret:VAULT"}, "method": "POST"}
    over_http |= {"body": where["body"]}
    form = {name: over_http[name] for name in over_http if name != "body"} | {"form": {"key": "secret:BODY"}}
    refuses = over_http | {"url": f"{echo.url}/refuse/503/secret:URL?key=secret:VAULT"}
    shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    ask = {"model": "openai:m"} | model
    nodes = {
        "answers": node("call", **where),
        "fails": node("call", **where, ends="fail", retry=retry),
        "raises": node("call", **where, ends="raise"),
        "goes on": node("call", **where, ends="fail", on_error={"action": "continue", "fallback": 1}),
        "is http": node("http", **over_http),
        "is a form": node("http", **form),
        "is text": node("http", **over_http, response_format="text"),
        "is no JSON": node("http", **refuses | {"url": f"{echo.url}/refuse/200/secret:URL"}, response_format="json"),
        "is unexpected": node("http", **over_http, expected_status=["404"]),
        "is unavailable": node("http", **refuses, retry=retry),
        "is redirected": node("http", **refuses | {"url": f"{echo.url}/refuse/307/secret:URL"}, max_redirects=2),
        "is nowhere": node("http", **refuses | {"url": "http://127.0.0.1:1/secret:URL?key=secret:VAULT"}),
        "is no address": node("http", **refuses | {"url": "http://0x7f000001:1/secret:URL?key=secret:VAULT"}),
        "is no header": node("http", **refuses | {"headers": {"X-A": "secret:URL{{input.line}}"}}),
        "streams": node("llm", **ask),
        "refused": node("llm", **ask | {"model": "openai:401"}),
        "rejected": node("llm", **ask | {"model": "openai:400"}),
        "unavailable": node("llm", **ask | {"model": "openai:503"}, retry=retry),
        "no JSON": node("llm", **ask, response_schema=shape),
        "unfit": node("llm", **ask | {"parameters": {"temperature": "secret:BODY"}}),
    }
    return {name: workflow("start > it > out", start=node("input"), it=it, out=output()) for name, it in nodes.items()}


class Wire:
    """Keeps the bytes of every message that a server sends over gRPC, and of every answer over HTTP."""

    def __init__(self, server: ServeProcess) -> None:
        self._channel = grpc.insecure_channel(server.address)
        self._http = f"http://{server.ready['http']}"
        self._metrics = f"http://{server.ready['metrics']}/metrics"
        self.seen: list[bytes] = []

    def call(self, service: str, method: str, request: Any) -> None:
        """Call a method; the answer may be a stream, which is read to its end, or an error."""
        path = f"/execsvc.v1.{service}/{method}"
        invoke = self._channel.unary_stream(path, lambda message: message.SerializeToString(), bytes)
        answer = invoke(request, timeout=60)
        with contextlib.suppress(grpc.RpcError):
            self.seen.extend(answer)
        self.seen += [f"{answer.details()} {answer.trailing_metadata()}".encode()]

    def get(self, path: str) -> None:
        """Ask over HTTP, or for the metrics."""
        try:
            with urllib.request.urlopen(self._metrics if path == "metrics" else self._http + path, timeout=60) as got:
                self.seen.append(str(got.headers).encode() + got.read())
        except urllib.error.HTTPError as error:
            self.seen.append(str(error.headers).encode() + error.read())

    def read_all_of(self, execution_id: str) -> None:
        """Ask for everything there is of an execution."""
        me = {"execution_id": execution_id}
        self.call("ExecutionService", "GetStatus", v1.GetStatusRequest(**me))
        self.call("ExecutionService", "GetExecution", v1.GetExecutionRequest(**me, view=v1.EXECUTION_VIEW_FULL))
        self.call("ExecutionService", "StreamLogs", v1.StreamLogsRequest(**me))
        self.call("ExecutionService", "ListLogs", v1.ListLogsRequest(**me, page_size=1000))
        self.call("ExecutionService", "WatchExecution", v1.WatchExecutionRequest(**me, include_tokens=True))
        self.call("ExecutionService", "Control", v1.ControlRequest(**me, pause=v1.PauseAction()))
        for path in ("", "/status", "/logs?level=debug", "/stream"):
            self.get(f"/api/v1/execute/{execution_id}{path}")

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def test_no_byte_that_is_stored_or_sent_holds_a_secret(
    echo: Reflector,
    installed: dict[str, str],
    database: tuple[list[str], Callable[[], bytes]],
    tmp_path: Path,
) -> None:
    store, stored = database
    echo.requests.clear()
    options = ["--secrets", "env:EXECSVC_SECRET_", "--secrets", f"dir:{tmp_path / 'secrets'}"]
    options += ["--secrets", "plugin:vault", "--plugin", "call", "--http", "0", "--metrics", "0", *store]
    options += ["--egress", "127.0.0.0/8"]
    for level in ("debug", "openai=debug", "httpx2=debug", "httpcore2=debug", "asyncio=debug", "langchain_core=debug"):
        options += ["--log-level", level]
    server = ServeProcess(None if store else tmp_path / "test.db", *options, env=installed)
    lines: list[str] = []
    # Read while it is written: a server that cannot write its log waits.
    reading = threading.Thread(target=lambda: lines.extend(server.process.stderr or ()))
    reading.start()
    wire, workflows = Wire(server), everything(echo)
    try:
        with ExecutionClient(server.address) as client:
            watches = []
            for name, definition in workflows.items():
                execution_id = name.replace(" ", "-")
                request = v1.ExecuteRequest(execution_id=execution_id, definition=to_definition(definition))
                request.input.update({"to": "somebody", "line": "a\nb"})
                wire.call(
                    "WorkflowService", "ValidateWorkflow", v1.ValidateWorkflowRequest(definition=request.definition)
                )
                wire.call("ExecutionService", "Execute", request)
                # From its beginning, so that pieces of answers are seen.
                watched = v1.WatchExecutionRequest(execution_id=execution_id, include_tokens=True)
                watches.append(threading.Thread(target=wire.call, args=("ExecutionService", "WatchExecution", watched)))
                watches[-1].start()
            for watch in watches:
                watch.join()
            states = {name: client.wait(name.replace(" ", "-")).state.name for name in workflows}
            while_running = stored()
            for name in workflows:
                wire.read_all_of(name.replace(" ", "-"))
        wire.call("ExecutionService", "ListExecutions", v1.ListExecutionsRequest())
        wire.call("WorkflowService", "ListNodeTypes", v1.ListNodeTypesRequest())
        wire.call("ServerService", "GetServerInfo", v1.GetServerInfoRequest())
        wire.get("metrics")
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    finally:
        wire.close()
        server.process.terminate()
        reading.join()
        out = server.process.stdout.read() if server.process.stdout is not None else ""
        end(server.process)
    logged = "".join(lines)

    # The secrets did reach those that they are for, and what came back did come in.
    assert states == dict.fromkeys(workflows, "FAILED") | dict.fromkeys(
        ("answers", "goes on", "is http", "is a form", "is text", "streams"), "COMPLETED"
    )
    sent = json.dumps(echo.requests)
    assert all(json.dumps(SECRETS[name])[1:-1] in sent for name in ("KEY", "HEADER", "BASIC"))
    answered = b"".join(wire.seen)
    assert answered.count(b"[redacted]") > 100
    assert b"httpcore2" in logged.encode()
    assert b"[redacted]" in logged.encode()
    # And none of them is anywhere.
    places = {"answers": answered, "log": logged.encode(), "stdout": out.encode()}
    places |= {"database, while it runs": while_running, "database": stored()}
    assert {place: spellings_in(data) for place, data in places.items()} == {place: [] for place in places}
    assert re.search(r"Max core file size +0 ", limits)
