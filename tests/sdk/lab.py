"""Serve scenarios, and servers to try them on, over HTTP on this machine: ``python -m tests.sdk.lab``.

It prints its base URL and serves until SIGTERM or Ctrl-C. ``clients/scenarios/README.md`` says what it answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import trustme

from tests.sdk.databases import PostgresOfServer, SqliteFile
from tests.sdk.scenarios import FOLDER as SCENARIOS
from tests.sdk.scenarios import ScenarioError, load
from tests.sdk.servers import LabError, LabServer
from tests.servers.places import PLACES, Place
from tests.servers.postgres import shared_server

#: Actions that take a body or answer something.
_MORE = ("remove", "revoke", "streams", "token")


class Lab:
    """Serves from when it is made until it is closed; then every server it has started is gone.

    Args:
        place: where its services run. Several servers do not get the scenarios that are of one alone.
    """

    def __init__(
        self, *, scenarios: Path = SCENARIOS, only: frozenset[str] = frozenset(), place: Place = PLACES["sqlite"]
    ) -> None:
        self._files = scenarios
        self._only = only
        self._place = place
        # What is wrong with the files is said before anything is started.
        load(scenarios, only=only)
        self._folder = Path(tempfile.mkdtemp(prefix="execsvc-lab-"))
        self._servers: dict[str, LabServer] = {}
        self._count = 0
        self._authority = trustme.CA()
        #: PEM of an authority that has signed nothing here.
        self._stranger = trustme.CA().cert_pem.bytes().decode()
        self._lock = threading.Lock()
        try:
            self._shared = self._start({"key_limit": 1})
            self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self.answer))
        except BaseException:
            self._remove_all()
            raise
        self._thread = threading.Thread(target=self._http.serve_forever, name="lab")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def target(self) -> str:
        """Where the server that all scenarios share listens."""
        return self._servers[self._shared].target

    def names(self) -> list[str]:
        """The scenarios it serves."""
        return [one["name"] for one in self._scenarios()["scenarios"]]

    def _scenarios(self) -> dict[str, Any]:
        # Read anew each time: whoever works on a scenario need not start the lab again.
        found = load(self._files, only=self._only)
        served = [one for one in found.scenarios if self._place.servers == 1 or "alone" not in one]
        return {"target": self.target, "definitions": found.definitions, "scenarios": served}

    def answer(self, method: str, path: str, body: Any) -> Any:
        """Answer one request."""
        match method, path.strip("/").split("/"):
            case "GET", ["scenarios"]:
                return self._scenarios()
            case "POST", ["echo"]:
                return body
            case "POST", ["servers"]:
                name = self._start(body)
                server = self._servers[name]
                return {"id": name, "target": server.target, "ca": server.ca, "stranger": self._stranger}
            case "POST", ["servers", name, action]:
                return self._act(name, action, body)
            case _:
                raise LabError(f"there is no {method} {path}")

    def _act(self, name: str, action: str, body: dict[str, Any]) -> Any:
        server = self._servers.get(name)
        if server is None:
            raise LabError(f"there is no server {name!r}")
        if action == "streams":
            return {"streams": server.streams(int(body.get("until", 0)))}
        if action == "token":
            return server.token(body)
        if action == "revoke":
            server.revoke(str(body.get("token_id", "")))
            return {}
        if action == "remove":
            server.remove()
            del self._servers[name]
            return {}
        actions: dict[str, Callable[[], None]] = {
            "kill": server.kill,
            "start": server.start,
            "stop": server.stop,
            "drain": server.drain,
            "freeze": server.freeze,
            "thaw": server.thaw,
            "lock": server.lock,
            "unlock": server.unlock,
        }
        if action not in actions:
            raise LabError(f"there is no action {action!r}; there are {', '.join((*actions, *_MORE))}")
        actions[action]()
        return {"id": name, "target": server.target}

    def _start(self, options: dict[str, Any]) -> str:
        with self._lock:
            self._count += 1
            name = f"s{self._count}"
        folder = self._folder / name
        folder.mkdir()
        database = PostgresOfServer(shared_server()) if self._place.postgres else SqliteFile(folder)
        self._servers[name] = LabServer(
            folder, options, self._authority, database=database, servers=self._place.servers
        )
        return name

    def close(self) -> None:
        """Stop serving, and end every server."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._remove_all()

    def _remove_all(self) -> None:
        for server in list(self._servers.values()):
            server.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    """HTTP for the lab: JSON in, JSON out; status 400 with ``{"error": …}`` for what it cannot do."""

    protocol_version = "HTTP/1.1"

    def __init__(self, answer: Callable[[str, str, Any], Any], *connection: Any) -> None:
        self._answer = answer
        # Reads and answers all there is on the connection.
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(content or b"{}")
        except ValueError as error:
            self._send(400, {"error": f"the body is no JSON: {error}"})
        else:
            self._serve(body)

    def _serve(self, body: dict[str, Any]) -> None:
        try:
            answer = self._answer(self.command, self.path, body)
        except (LabError, ScenarioError) as error:
            self._send(400, {"error": str(error)})
        except Exception as error:
            self._send(500, {"error": f"{type(error).__name__}: {error}"})
            raise
        else:
            self._send(200, answer)

    def _send(self, status: int, answer: Any) -> None:
        content = json.dumps(answer, ensure_ascii=False).encode()
        with contextlib.suppress(ConnectionError):
            self._write(status, content)

    def _write(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: stdout is for the address, and runners report what went wrong."""


def add_place(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where its services run."""
    parser.add_argument("--place", choices=PLACES, default="sqlite", help="where the services run (sqlite)")


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="Serve scenarios, and servers to try them on.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios to serve; none: all")
    add_place(parser)
    given = parser.parse_args()
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        with Lab(only=frozenset(given.names), place=PLACES[given.place]) as lab:
            print(lab.url, flush=True)
            ended.wait()
    except (LabError, ScenarioError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
