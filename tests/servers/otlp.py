"""Start and stop the OTLP collector, and read the spans it got."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from execsvc.record import record

_PROGRAM = Path(__file__).with_name("otlp_collector.py")


@record(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """A span as a collector gets it."""

    trace_id: str
    span_id: str
    #: Empty: it has none.
    parent_id: str
    trace_state: str
    name: str
    #: 1 internal, 2 server, 3 client.
    kind: int
    #: Nanoseconds since the epoch.
    start: int
    end: int
    attributes: Mapping[str, Any]
    links: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    #: ``code`` is 0 unset, 1 ok, 2 error.
    status: Mapping[str, Any]
    resource: Mapping[str, Any]
    scope: str
    protocol: str
    headers: Mapping[str, str]


class OtlpCollector:
    """A running collector; see ``otlp_collector.py`` for what it can do.

    Args:
        spans: file that it appends each span to.
        answer: ``ok``, ``unavailable`` or ``never``.
    """

    def __init__(self, spans: Path, *, answer: str = "ok") -> None:
        self._spans = spans
        command = [sys.executable, "-E", "-s", str(_PROGRAM), "--spans", str(spans), "--answer", answer]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("PORTS "):
            raise RuntimeError(f"the collector did not start: exit code {self._process.wait()}")
        _, grpc, http = line.split()
        self.grpc_url = f"http://127.0.0.1:{grpc}"
        self.http_url = f"http://127.0.0.1:{http}"

    def raw(self) -> str:
        """Everything it got, as text."""
        return self._spans.read_text(encoding="utf-8")

    def spans(self) -> list[ReceivedSpan]:
        """What it got so far, in the order in which it came."""
        # A line that is being written is not there yet.
        whole = self.raw().rpartition("\n")[0]
        return [ReceivedSpan(**json.loads(line)) for line in whole.splitlines()]

    def wait_for(
        self, wanted: Callable[[ReceivedSpan], bool], *, count: int = 1, timeout: float = 30.0
    ) -> list[ReceivedSpan]:
        """Block until so many spans have come; run it in a thread where an event loop must go on."""
        deadline = time.monotonic() + timeout
        while len(found := [span for span in self.spans() if wanted(span)]) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} spans in {timeout} s; there are {self._names()}")
            time.sleep(0.005)
        return found

    def _names(self) -> list[str]:
        return [span.name for span in self.spans()]

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
