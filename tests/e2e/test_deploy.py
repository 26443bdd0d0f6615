"""The files of deploy/ at work: a rolling restart behind the proxy, the probes, and the steps that make the image."""

from __future__ import annotations

import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc_client import TLS, ExecutionClient
from tests.e2e.conftest import ENDLESS, QUICK, Cli, ServeProcess, end
from tests.servers.front import INSTALLED, Front
from tests.servers.postgres import shared_server
from tests.support import deployments
from tests.support.deployments import ROOT, Deployment
from tools.languages import missing_is_failure


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database."""
    made = shared_server().migrated()
    yield made
    shared_server().give_back(made)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with a certificate, its key and its authority."""
    folder = tmp_path / "tls"
    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    issued.private_key_pem.write_to_path(str(folder / "tls.key"))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(folder / "tls.crt"), append=True)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the system gives connections: servers come back to them."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def here(deployment: Deployment, **changes: str) -> dict[str, str]:
    """The settings of a deployment with those changed that differ on this machine."""
    ours = {name: value for name, value in deployment.environment.items() if name.startswith("EXECSVC_")}
    assert set(changes) <= set(ours)
    return ours | changes


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a server by its variables alone, until it serves."""
    with Cli().running("serve", "--json", env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), process.communicate()
        yield process


class Load:
    """Clients that submit one execution after the other and wait for each, until they are told to stop."""

    def __init__(self, threads: ThreadPoolExecutor, address: str, tls: TLS, *, clients: int) -> None:
        self._stopping = threading.Event()
        self._address, self._tls = address, tls
        self._running = [threads.submit(self._client, number) for number in range(clients)]

    def _client(self, number: int) -> list[tuple[str, Any]]:
        done = []
        with ExecutionClient(self._address, tls=self._tls, call_timeout=60, reconnect_timeout=60) as client:
            while not self._stopping.is_set():
                name = f"load-{number}-{len(done)}"
                client.execute(QUICK, {"n": len(done)}, execution_id=name)
                execution = client.wait(name)
                done.append((str(execution.state), execution.output))
        return done

    def stop(self) -> None:
        """Let them begin nothing more."""
        self._stopping.set()

    def end(self) -> list[tuple[str, Any]]:
        """Stop them; what became of every execution. Raises what a client was told that it could not get over."""
        self.stop()
        return [done for client in self._running for done in client.result()]


@pytest.mark.skipif(not INSTALLED, reason="there is no wheel of Envoy for this machine")
def test_a_rolling_restart_behind_the_proxy_loses_nothing_and_troubles_no_client(
    url: str, certificates: Path, tmp_path: Path
) -> None:
    compose = list(deployments.compose())
    front, *free = free_ports(1 + 2 * len(compose))
    ports = list(zip(free[::2], free[1::2], strict=True))
    tls = TLS(ca=certificates / "ca.crt")
    servers = [
        here(
            deployment,
            EXECSVC_STORE=url,
            EXECSVC_ADDRESS=f"127.0.0.1:{ours}",
            EXECSVC_HTTP=f"127.0.0.1:{http}",
            EXECSVC_METRICS="127.0.0.1:0",
            EXECSVC_GRACE="500ms",
            EXECSVC_DB=str(tmp_path / "unused.db"),
        )
        for deployment, (ours, http) in zip(compose, ports, strict=True)
    ]
    with ExitStack() as stack:
        # First, and so waited for last: where something goes wrong nothing ends them but that the servers are gone.
        threads = stack.enter_context(ThreadPoolExecutor(5))
        running = [stack.enter_context(serving(environment)) for environment in servers]
        each = ([f"127.0.0.1:{port}" for port in of_all] for of_all in zip(*ports, strict=True))
        stack.enter_context(Front(tmp_path / "front", *each, address=f"127.0.0.1:{front}", certificates=certificates))
        client = stack.enter_context(
            ExecutionClient(f"localhost:{front}", tls=tls, call_timeout=60, reconnect_timeout=60)
        )
        client.execute(ENDLESS, execution_id="long")
        entries = threads.submit(lambda: list(client.logs("long", follow=True)))
        load = Load(threads, f"localhost:{front}", tls, clients=4)
        stack.callback(load.stop)

        for place, environment in enumerate(servers):
            running[place].terminate()
            _, logged = running[place].communicate(timeout=60)
            assert running[place].returncode == 0, logged
            running[place] = stack.enter_context(serving(environment))

        done = load.end()
        assert client.status("long").state == "RUNNING"
        client.stop("long")
        sequences = [entry.sequence for entry in entries.result(60)]

        assert len(done) > len(servers)
        assert {state for state, _ in done} == {"COMPLETED"}
        assert sequences == list(range(1, len(sequences) + 1))
        context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        with urllib.request.urlopen(f"https://localhost:{front}/readyz", timeout=30, context=context) as answer:
            assert answer.status == 200


def test_probes_of_kubernetes_are_answered_over_tls(url: str, certificates: Path, tmp_path: Path) -> None:
    container = deployments.only("base", "Deployment")["spec"]["template"]["spec"]["containers"][0]
    ours, http = free_ports(2)
    environment = here(
        deployments.kubernetes("base"),
        EXECSVC_STORE=url,
        EXECSVC_ADDRESS=f"127.0.0.1:{ours}",
        EXECSVC_HTTP=f"127.0.0.1:{http}",
        EXECSVC_METRICS="127.0.0.1:0",
        EXECSVC_TLS_CERT=str(certificates / "tls.crt"),
        EXECSVC_TLS_KEY=str(certificates / "tls.key"),
        EXECSVC_DB=str(tmp_path / "unused.db"),
    )
    # As the kubelet, which looks at no certificate.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE

    def probed(name: str) -> int:
        probe = container[name]["httpGet"]
        address = f"{probe['scheme'].lower()}://127.0.0.1:{http}{probe['path']}"
        with urllib.request.urlopen(address, timeout=30, context=trusting) as answer:
            return int(answer.status)

    with serving(environment) as server:
        assert [probed(name) for name in ("startupProbe", "readinessProbe", "livenessProbe")] == [200, 200, 200]
        server.terminate()
        server.communicate(timeout=60)
        assert server.returncode == 0
        with pytest.raises(urllib.error.URLError):
            probed("readinessProbe")


def test_probes_of_kubernetes_are_answered_by_grpc_in_a_mesh(url: str, tmp_path: Path) -> None:
    ours, http = free_ports(2)
    container = deployments.only("mesh", "Deployment")["spec"]["template"]["spec"]["containers"][0]
    environment = here(
        deployments.kubernetes("mesh"),
        EXECSVC_STORE=url,
        EXECSVC_ADDRESS=f"127.0.0.1:{ours}",
        EXECSVC_HTTP=f"127.0.0.1:{http}",
        EXECSVC_METRICS="127.0.0.1:0",
        EXECSVC_DB=str(tmp_path / "unused.db"),
    )

    with serving(environment), grpc.insecure_channel(f"127.0.0.1:{ours}") as channel:
        request = health_pb2.HealthCheckRequest(service=container["readinessProbe"]["grpc"].get("service", ""))
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=30)  # type: ignore[attr-defined]

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_steps_of_the_image_make_a_server_that_passes_its_health_check(tmp_path: Path) -> None:
    build, programs = tmp_path / "src", tmp_path / "opt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EXECSVC_", "PYTHON"))}
    commands = deployments.image()
    last = max(place for place, command in enumerate(commands) if command.cmd.upper() == "FROM")
    for command in commands[:last]:
        if command.cmd.upper() == "COPY":
            *sources, target = command.value
            for source in sources:
                copied = build / target / Path(source).name if target.endswith("/") else build / target
                copied.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, copied, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, copied)
        elif command.cmd.upper() == "RUN":
            [line] = command.value
            line = line.replace("/opt/", f"{programs}/").replace("python -m venv", f"{sys.executable} -m venv")
            line = line.replace("--no-cache-dir ", "")
            done = subprocess.run(
                line, shell=True, cwd=build, env=environment, capture_output=True, text=True, check=False
            )
            if "(from versions: none)" in done.stderr and not missing_is_failure():
                pytest.skip("no package index can be reached")
            assert done.returncode == 0, done.stdout + done.stderr
    program = programs / "execsvc/bin/execsvc"

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = {**deployments.image_environment(), **variables}
        return subprocess.run(
            [str(program), *arguments],
            env=environment | {name: value for name, value in settings.items() if name != "PATH"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    here = {"EXECSVC_DB": str(tmp_path / "image.db")}
    unprotected = run(*deployments.image_command(), **here)
    assert unprotected.returncode == 2
    assert "--insecure" in unprotected.stderr
    [check] = [command for command in commands if command.cmd.upper() == "HEALTHCHECK"]
    server = ServeProcess(tmp_path / "checked.db")
    try:
        _, _, *words = check.value
        assert run(*words, **here, EXECSVC_TARGET=server.address).returncode == 0
    finally:
        end(server.process)
    # Of Postgres, too, it has all it needs.
    refused = run("migrate", **here, EXECSVC_STORE="postgresql://nobody@127.0.0.1:1/nothing")
    assert refused.returncode == 7, refused.stderr
