"""What a server logs may be changed while it runs: by its file of settings, or for a while by a signal."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from execsvc_client import ExecutionClient
from tests.e2e.conftest import Cli, ServeProcess, end

Serve = Callable[..., ServeProcess]


class Log:
    """The log of a process, read as it grows."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def told(self, number: signal.Signals, text: str) -> None:
        """Send a signal, and read up to the line that says what came of it."""
        self._process.send_signal(number)
        self.until(text)

    def until(self, text: str) -> list[dict[str, Any]]:
        """Read up to the line that holds a text."""
        assert self._process.stderr is not None
        seen = []
        for line in self._process.stderr:
            seen.append(json.loads(line))
            if text in seen[-1]["message"]:
                return seen
        raise AssertionError(f"the log ended without {text!r}: {seen}")


@contextmanager
def gateway(target: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a gateway of its own."""
    process = Cli(target).start("gateway", "--http", "127.0.0.1:0", "--json", *arguments)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        end(process)


def calls(server: ServeProcess, log: Log) -> list[str]:
    """What a call leaves in the log; a signal's line ends it."""
    with ExecutionClient(server.address) as client:
        client.server_info()
    server.process.send_signal(signal.SIGUSR2)
    return [line["message"].split()[0] for line in log.until("log levels:")[:-1]]


def test_the_file_of_settings_is_read_anew_on_sighup(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('log_level = "info"\n')
    server = serve("--config", str(file))
    log = Log(server.process)

    assert calls(server, log) == []
    file.write_text('log_level = ["info", "execsvc.rpc.calls=debug"]\n')
    log.told(signal.SIGHUP, "log levels: info execsvc.rpc.calls=debug")
    assert calls(server, log) == ["GetServerInfo"]
    file.write_text('log_level = "loud"\n')
    log.told(signal.SIGHUP, "the settings were not read anew")
    assert calls(server, log) == ["GetServerInfo"], "as before"


def test_sigusr1_says_more_until_sigusr2(serve: Serve) -> None:
    server = serve()
    log = Log(server.process)

    log.told(signal.SIGUSR1, "log levels: debug")
    assert calls(server, log) == ["GetServerInfo"]
    assert calls(server, log) == []


def test_without_a_file_of_settings_sighup_ends_a_server_as_it_does_any_process(serve: Serve) -> None:
    server = serve()

    server.process.send_signal(signal.SIGHUP)

    assert server.process.wait(timeout=30) == -signal.SIGHUP


def test_a_gateway_heeds_the_same_signals(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("")
    with gateway(serve().address, "--config", file) as process:
        log = Log(process)

        file.write_text('log_level = "warning"\n')
        process.send_signal(signal.SIGHUP)
        log.told(signal.SIGUSR1, "log levels: debug")
