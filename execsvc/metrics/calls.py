"""Metrics of calls, by method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: Upper bounds of buckets, seconds. Streams last as long as what they follow.
CALL_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)


class CallMetrics:
    """Makes the metrics of each method; implements ``rpc.CallObserver``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "execsvc_rpcs",
            "Calls of the API that have ended; CANCELLED where the client gave up or the server stopped.",
            ["service", "method", "code"],
            registry=registry,
        )
        self._durations = Histogram(
            "execsvc_rpc_duration_seconds",
            "Time that calls of the API took; of streams, from their begin to their end.",
            ["service", "method"],
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self._streams = Gauge("execsvc_rpc_streams", "Streams under way.", ["service", "method"], registry=registry)

    def method(self, service: str, method: str, *, streaming: bool) -> MethodMetrics:
        """See ``rpc.CallObserver``."""
        # From the start, so that the first error is a change from 0 and not a series out of nowhere.
        self._calls.labels(service, method, "OK")
        return MethodMetrics(
            count=lambda code: self._calls.labels(service, method, code),
            observe=self._durations.labels(service, method).observe,
            streams=self._streams.labels(service, method) if streaming else None,
        )


class MethodMetrics:
    """Counts and times the calls of one method; implements ``rpc.MethodObserver``.

    Args:
        count: makes the counter of a status code.
    """

    def __init__(
        self, *, count: Callable[[str], Counter], observe: Callable[[float], None], streams: Gauge | None
    ) -> None:
        self._count = count
        self._by_code: dict[str, Counter] = {}
        self._observe = observe
        self._streams = streams

    def began(self, request: Any, context: Any) -> None:
        """See ``rpc.MethodObserver``."""
        if self._streams is not None:
            self._streams.inc()

    def ended(self, call: Any, code: str, seconds: float) -> None:
        """See ``rpc.MethodObserver``."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._count(code)
        counter.inc()
        self._observe(seconds)
        if self._streams is not None:
            self._streams.dec()
