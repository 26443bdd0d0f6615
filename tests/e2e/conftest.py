"""The command line and servers as processes, the way users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

#: An llm node that runs until it is stopped, between an input and an output.
ENDLESS: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "input"},
        {"id": "slow", "type": "llm", "config": {"model": "echo:", "prompt": "a b", "parameters": {"delay": 3600}}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "start", "target": "slow"}, {"source": "slow", "target": "end"}],
}
#: Answers its input at once, with a field that is computed.
QUICK: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "input", "config": {"schema": {"properties": {"n": {"type": "integer"}}}}},
        {"id": "double", "type": "transform", "config": {"expression": "input.n * 2"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "start", "target": "double"}, {"source": "double", "target": "end"}],
}


def environment(**more: str) -> dict[str, str]:
    """The process's own without what would change a command's behaviour."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EXECSVC_", "OPENAI_", "FORCE_COLOR", "LANGCHAIN_", "LANGSMITH_"))
    }
    return kept | {"TZ": "UTC", "PYTHONUNBUFFERED": "1"} | more


def command(*arguments: str | Path) -> list[str]:
    """The command line of an ``execsvc`` process."""
    return [sys.executable, "-m", "execsvc", *map(str, arguments)]


class Cli:
    """Runs commands; ``target`` is the server they talk to."""

    def __init__(self, target: str | None = None) -> None:
        self.target = target

    def env(self, **more: str) -> dict[str, str]:
        """Environment of the processes."""
        return environment(**({"EXECSVC_TARGET": self.target} if self.target else {}), **more)

    def __call__(
        self, *arguments: str | Path, env: dict[str, str] | None = None, stdin: str = "", cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command(*arguments),
            env=self.env(**(env or {})),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run a command with ``--json``; its document, or its error's where ``code`` is not 0."""
        done = self(*arguments, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout or done.stderr)

    def start(self, *arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command that goes on; whoever starts it ends it."""
        return subprocess.Popen(
            command(*arguments),
            env=self.env(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    @contextmanager
    def running(self, *arguments: str | Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
        """Start a command that is killed at the end of the context, if it has not ended by then."""
        process = self.start(*arguments, env=env)
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process if it has not ended, and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


class ServeProcess:
    """A running ``execsvc serve`` on a free port; ``database`` is None where the arguments name another store."""

    def __init__(self, database: Path | None, *arguments: str, env: dict[str, str] | None = None) -> None:
        place = [] if database is None else ["--db", str(database)]
        # Of an option that stands twice the last counts, so --address may be among the arguments.
        self.process = Cli().start("serve", "--address", "127.0.0.1:0", *place, "--json", *arguments, env=env)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        self.ready = json.loads(line)
        self.address: str = self.ready["address"]

    def end(self) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it logged."""
        self.process.terminate()
        _, logged = self.process.communicate(timeout=30)
        return self.process.returncode, logged


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServeProcess]]:
    """Start servers that end with the test."""
    started: list[ServeProcess] = []

    def start(*arguments: str, database: Path = tmp_path / "test.db") -> ServeProcess:
        started.append(ServeProcess(database, *arguments))
        return started[-1]

    yield start
    for server in started:
        end(server.process)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """One server for the module's tests; they use ids of their own."""
    server = ServeProcess(tmp_path_factory.mktemp("server") / "test.db", "--grace", "0")
    yield server
    code, _ = server.end()
    assert code == 0


@pytest.fixture
def cli(server: ServeProcess) -> Cli:
    """Commands that talk to the module's server."""
    return Cli(server.address)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object, str], Path]:
    """Write a JSON file, or text as it is."""

    def to_file(content: object, name: str = "workflow.json") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return to_file


def lines_until(stream: Any, text: str) -> list[str]:
    """Read lines up to the one that holds the text; the test's timeout bounds the wait."""
    seen: list[str] = []
    for line in stream:
        seen.append(line.rstrip("\n"))
        if text in line:
            return seen
    raise AssertionError(f"the output ended without {text!r}: {seen}")
