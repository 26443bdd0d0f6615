"""Every example runs as README and examples/README.md show it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, ROOT, Cli, environment
from tests.servers import ChatServer

#: Workflow, input, and the output that examples/README.md shows.
SHOWN = re.findall(
    r"execsvc run examples/(\S+) --input @examples/(\S+)(?: --egress \S+)?\n```\n+```json\n(.*?)```",
    (EXAMPLES / "README.md").read_text(encoding="utf-8"),
    flags=re.DOTALL,
)


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    """Serves the examples as examples/README.md says; answers host and port."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(EXAMPLES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port is not None
        yield f"localhost:{port[1]}"
        server.terminate()


@pytest.mark.parametrize(("workflow", "given", "output"), SHOWN, ids=[given for _, given, _ in SHOWN])
def test_an_example_prints_what_its_readme_shows(
    files: str, tmp_path: Path, workflow: str, given: str, output: str
) -> None:
    # The port that the page names may be somebody else's here.
    text = (EXAMPLES / workflow).read_text(encoding="utf-8").replace("localhost:8000", files)
    (tmp_path / workflow).write_text(text, encoding="utf-8")

    done = Cli()("run", tmp_path / workflow, "--input", f"@{EXAMPLES / given}", "--egress", files)

    assert (done.returncode, done.stdout) == (0, output), done.stderr


def test_an_order_that_is_not_there_is_told(files: str, tmp_path: Path) -> None:
    text = (EXAMPLES / "lookup.json").read_text(encoding="utf-8").replace("localhost:8000", files)
    (tmp_path / "lookup.json").write_text(text, encoding="utf-8")

    done = Cli()("run", tmp_path / "lookup.json", "--input", '{"order": "seven"}', "--egress", files)
    # This server decodes a path before it looks where dots lead.
    sly = Cli()("run", tmp_path / "lookup.json", "--input", '{"order": "a/../order"}', "--egress", files)

    assert (done.returncode, done.stdout) == (0, '"There is no order seven."\n'), done.stderr
    assert "HTTP_INVALID_REQUEST" in sly.stderr


def test_every_example_is_shown() -> None:
    files = {path.name for path in EXAMPLES.glob("*.json")}

    assert {name for workflow, given, _ in SHOWN for name in (workflow, given)} == files
    assert all(f"`{path.name}`" in (EXAMPLES / "README.md").read_text() for path in EXAMPLES.glob("*.py"))


def test_make_run_runs_the_triage_example_as_the_readme_shows_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert "run examples/triage.json --input @examples/triage.input.json" in makefile
    shown = next(output for _, given, output in SHOWN if given == "triage.input.json")
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_branches_of_the_order_overlap_and_the_join_waits_for_both() -> None:
    record = Cli().json("run", EXAMPLES / "order.json", "-i", f"@{EXAMPLES / 'order.input.json'}")

    nodes: dict[str, dict[str, Any]] = {node["node_id"]: node for node in record["nodes"]}
    assert nodes["letter"]["start_time"] < nodes["check_address"]["end_time"]
    assert nodes["parcel"]["end_time"] < nodes["letter"]["end_time"]
    assert nodes["shipment"]["start_time"] >= nodes["letter"]["end_time"]


def test_the_client_example_follows_pauses_resumes_and_prints_the_result(cli: Cli) -> None:
    assert cli.target is not None
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "client.py"), cli.target],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "   PAUSED at " in done.stdout
    assert "execution resumed" in done.stdout
    assert done.stdout.splitlines()[-1].startswith('COMPLETED: We got your message about "Checkout is down".')


def test_the_same_triage_runs_on_a_real_model_by_one_variable(tmp_path: Path) -> None:
    with ChatServer(tmp_path / "events.jsonl") as model:
        env = {"EXECSVC_MODEL": "openai:ok", "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "test-key"}
        done = Cli()("run", EXAMPLES / "triage.json", "-i", f"@{EXAMPLES / 'triage.input.json'}", "--json", env=env)
        requests = model.requests()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"]["queue"] == "on-call"
    assert len(requests) == 2
    assert "test-key" not in done.stdout + done.stderr
