"""The gateway as a process and beside ``serve``: what it says and refuses, how it ends; and the lines of its page."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Cli, ServeProcess

Serve = Callable[..., ServeProcess]

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|json)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


def fetched(address: str, path: str) -> tuple[int, Any]:
    """Call the API; the status and the document."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def shape(value: Any) -> Any:
    """The names in a document, whatever the values."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


class Shell:
    """Runs lines of the page as they stand, against a server that listens elsewhere."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder

    def __call__(self, line: str) -> tuple[int, str]:
        """Run a line; the status of the answer and its body."""
        script = f"""curl() {{ command curl -sS -o body -w '%{{http_code}}' "$@"; }}; {line}"""
        done = subprocess.run(
            ["bash", "-ec", script.replace("localhost:8000", self._address)],
            cwd=self._folder,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), line
        body = self._folder / "body"
        return int(done.stdout), body.read_text(encoding="utf-8") if body.exists() else ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_of_the_page_do_what_it_says(serve: Serve, tmp_path: Path) -> None:
    address = serve("--http", "127.0.0.1:0", "--grace", "0").ready["http"]
    shell = Shell(address, tmp_path)
    (tmp_path / "hello.json").write_text(BLOCKS[0][1], encoding="utf-8")
    lines = 0
    answered = ""
    for language, block in BLOCKS[1:]:
        if language == "json":
            # What the page shows below a line is what the line answers.
            assert shape(json.loads(answered)) == shape(json.loads(block)), answered
            continue
        for line in block.splitlines():
            lines += 1
            command, _, wanted = line.partition("  # ")
            code, answered = shell(command)
            assert code == int(wanted), f"{line}: {answered}"
            if command.endswith("/execute") or "/retry" in command or "/resume" in command:
                # Whoever reads the page is not as quick.
                running(address)
    assert lines >= 22


def running(address: str) -> None:
    """Wait until the model of the page's execution is asked, if it is there."""
    while True:
        code, status = fetched(address, "/api/v1/execute/hello-1/status")
        if code == 404 or (status["status"] == "running" and status["current_node"] == "greet"):
            return
        time.sleep(0.02)


def test_the_page_has_every_route() -> None:
    shown = "".join(block for _, block in BLOCKS)

    for path in (
        "/api/v1/execute ",
        "/status",
        "/logs?",
        "/pause",
        "/resume",
        "/stop",
        "/retry",
        "/logs/stream",
        "/events",
        "/api/v1/executions",
        "/api/v1/validate",
        "/api/v1/node-types",
        "/healthz",
        "/readyz",
        "-X DELETE",
    ):
        assert path in shown, path


def test_serve_tells_people_where_http_is(tmp_path: Path) -> None:
    arguments = ("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db")
    with Cli().running(*arguments, env={"EXECSVC_HTTP": "0"}) as process:
        assert process.stderr is not None
        line = process.stderr.readline()

    assert re.search(r", HTTP on http://127\.0\.0\.1:\d+ \(docs at /docs\), database ", line), line


def test_sigterm_ends_streams_and_process(serve: Serve, tmp_path: Path) -> None:
    server = serve("--http", "127.0.0.1:0", "--grace", "0")
    body = json.loads(BLOCKS[0][1])
    request = urllib.request.Request(
        f"http://{server.ready['http']}/api/v1/execute",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
    with urllib.request.urlopen(f"http://{server.ready['http']}/api/v1/execute/hello-1/events", timeout=30) as stream:
        while stream.readline() != b"event: log\n":
            pass
        code, logged = server.end()
        # To its end: a stream that is cut off raises.
        stream.read()

    assert code == 0
    assert "ERROR" not in logged
    assert "Traceback" not in logged


def test_a_gateway_of_its_own_serves_the_same(serve: Serve) -> None:
    server = serve()
    with Cli().running("gateway", "--target", server.address, "--http", "127.0.0.1:0", "--json") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["target"] == server.address
        assert fetched(ready["http"], "/readyz") == (200, {"status": "ok"})
        assert fetched(ready["http"], "/api/v1/executions")[0] == 200
        assert server.end()[0] == 0
        code, problem = fetched(ready["http"], "/readyz")
        assert (code, problem["reason"]) == (503, "NO_SERVER")
        process.terminate()
        _, logged = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "ERROR" not in logged


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_a_taken_port_names_it_and_the_option(tmp_path: Path, command: str) -> None:
    more = ("--address", "127.0.0.1:0", "--db", tmp_path / "a.db") if command == "serve" else ()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = Cli()(command, *more, "--http", address, "--json")

    assert (done.returncode, done.stdout) == (7, "")
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["reason"] == "CANNOT_LISTEN"
    assert error["message"] == (
        f"cannot listen on {address} for HTTP: Address already in use; "
        "stop what listens there, or name another address with --http"
    )
