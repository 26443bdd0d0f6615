"""Start and stop the chat completions server, and read what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PROGRAM = Path(__file__).with_name("chat_completions.py")


class ChatServer:
    """A running chat completions server; see ``chat_completions.py`` for what it can do.

    Args:
        events: file that the server appends each request to; it may be kept over restarts.
        delay: seconds the server waits before each answer.
        port: 0 picks a free one; name one to come back at the same address after a restart.
    """

    def __init__(self, events: Path, *, delay: float = 0.0, port: int = 0) -> None:
        self._events = events
        command = [sys.executable, "-E", "-s", str(_PROGRAM), "--events", str(events)]
        command += ["--delay", str(delay), "--port", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("PORT "):
            raise RuntimeError(f"the chat server did not start: exit code {self._process.wait()}")
        self.port = int(line.split()[1])

    @property
    def base_url(self) -> str:
        """What an llm node's ``base_url`` must be to reach it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def events(self, kind: str = "", *, prompt: str | None = None) -> list[dict[str, Any]]:
        """Answer what happened so far, oldest first: of one kind ("request", "left"), with one prompt."""
        text = self._events.read_text() if self._events.exists() else ""
        found = [json.loads(line) for line in text.splitlines()]
        return [
            event for event in found if kind in ("", event["event"]) and (prompt is None or prompt == event["prompt"])
        ]

    def requests(self, *, prompt: str | None = None) -> list[dict[str, Any]]:
        """Answer the requests so far, oldest first."""
        return self.events("request", prompt=prompt)

    def prompts(self) -> Counter[str]:
        """Count how often each prompt was asked."""
        return Counter(event["prompt"] for event in self.requests())

    def wait_for(self, kind: str, *, prompt: str, timeout: float = 20.0) -> dict[str, Any]:
        """Block until something has happened; run it in a thread where an event loop must go on."""
        deadline = time.monotonic() + timeout
        while not (found := self.events(kind, prompt=prompt)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {kind!r} with prompt {prompt!r} in {timeout} s; there is {self.events()}")
            time.sleep(0.005)
        return found[0]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
