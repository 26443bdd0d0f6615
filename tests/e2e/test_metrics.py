"""``execsvc serve --metrics``: where it listens, and what it says when it cannot."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import QUICK, Cli, ServeProcess, command
from tests.support.scrapes import scrape, scraped_once

Serve = Callable[..., ServeProcess]
Write = Callable[..., Path]


async def test_metrics_are_served_beside_the_api(serve: Serve, write: Write) -> None:
    server = serve("--metrics", "127.0.0.1:0")
    address = server.ready["metrics"]
    assert address != server.address
    assert Cli(server.address)("run", write(QUICK), "--input", '{"n": 2}').returncode == 0

    now = await scraped_once(address, lambda now: bool(now("executions_finished_total", state="COMPLETED")))
    assert now("executions_submitted_total") == 1
    assert server.end()[0] == 0


async def test_a_port_alone_is_one_of_this_machine(serve: Serve) -> None:
    server = serve("--metrics", "0")

    assert server.ready["metrics"].startswith("127.0.0.1:")
    assert (await scrape(server.ready["metrics"]))("execution_slots") == 100


def test_the_address_comes_from_the_environment_and_is_told_to_people(tmp_path: Path) -> None:
    arguments = ("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db")
    with Cli().running(*arguments, env={"EXECSVC_METRICS": "127.0.0.1:0"}) as process:
        assert process.stderr is not None
        line = process.stderr.readline()

    assert ", metrics on http://127.0.0.1:" in line
    assert "/metrics, database " in line


def test_a_taken_port_names_it_and_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db", "--metrics", address, "--json")

    assert (done.returncode, done.stdout) == (7, "")
    error = json.loads(done.stderr)["error"]
    assert error["reason"] == "CANNOT_LISTEN"
    assert error["message"] == (
        f"cannot listen on {address} for metrics: Address already in use; "
        "stop what listens there, or name another address with --metrics"
    )


def test_an_address_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    for address in ("here", "host:", "127.0.0.1:99999", ":1"):
        done = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db", "--metrics", address)

        assert done.returncode == 2, command("serve", address)
        assert "is not HOST:PORT" in done.stderr
