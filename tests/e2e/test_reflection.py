"""Any reflection client can list the services and call every RPC: here buf curl, against a running server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.e2e.conftest import Cli, ServeProcess, environment

BUF = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")


def test_reflection_lists_the_services(server: ServeProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert services >= {
        "execsvc.v1.ExecutionService",
        "execsvc.v1.WorkflowService",
        "execsvc.v1.ServerService",
        "grpc.health.v1.Health",
    }


def buf_curl(address: str, method: str, request: str) -> subprocess.CompletedProcess[str]:
    """Call a method knowing nothing but the address."""
    assert BUF is not None
    url = f"http://{address}/execsvc.v1.{method}"
    # No "reflect v1": the server has v1alpha, which buf tries next.
    return subprocess.run(
        [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--data", request, url],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(BUF is None, reason="buf is not installed")
def test_buf_curl_runs_a_workflow_and_reads_its_log(server: ServeProcess, cli: Cli) -> None:
    definition = {"nodes": [{"id": "end", "output": {"expression": "input.n + 1"}}]}
    request = {"executionId": "buf-1", "definition": definition, "input": {"n": 1}}

    executed = buf_curl(server.address, "ExecutionService/Execute", json.dumps(request))
    followed = buf_curl(
        server.address, "ExecutionService/StreamLogs", json.dumps({"executionId": "buf-1", "follow": True})
    )
    missing = buf_curl(server.address, "ExecutionService/GetStatus", json.dumps({"executionId": "none"}))

    assert executed.returncode == 0, executed.stderr
    assert json.loads(executed.stdout)["status"]["executionId"] == "buf-1"
    assert "EXECUTION_STATE_COMPLETED" in followed.stdout
    assert cli.json("show", "buf-1")["output"] == 2
    assert json.loads(missing.stderr)["code"] == "not_found"
