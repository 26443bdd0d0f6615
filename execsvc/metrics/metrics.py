"""Every metric of a server: its name, its labels, and what makes it change."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    Metric,
    PlatformCollector,
    ProcessCollector,
)

from execsvc import __version__
from execsvc.engine import Event, NodeChanged
from execsvc.errors import StorageFull, StorageUnavailable
from execsvc.metrics.calls import CallMetrics, MethodMetrics
from execsvc.model import TERMINAL, NodeState
from execsvc.store import BatchDone

#: Upper bounds of buckets, seconds. Pure nodes take microseconds, models take minutes.
NODE_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
WAIT_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200)
COMMIT_SECONDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: Up to as many changes as share a transaction.
COMMIT_CHANGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class _Registry(CollectorRegistry):
    """A registry that leaves out when each series was made, which the library gives as a series of its own."""

    def collect(self) -> Iterator[Metric]:
        """See ``CollectorRegistry``."""
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class Metrics:
    """Takes note of what the parts of one server tell, in a registry of its own.

    Implements the observers of engine, queue, store and rpc; their methods cost about a microsecond each and belong
    to the event loop. Labels are methods, codes, states, node types and reasons, never ids.

    Args:
        node_types: names of the types a node may have.
    """

    def __init__(self, *, node_types: Iterable[str]) -> None:
        self.registry = _Registry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Info("execsvc_build", "The server's version, and Python's.", registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        self._calls = CallMetrics(self.registry)
        self._executions()
        self._queue()
        self._nodes(sorted(node_types))
        self._store()

    def _executions(self) -> None:
        self._submitted = Counter(
            "execsvc_executions_submitted",
            "Executions stored, each once however often its request is repeated.",
            registry=self.registry,
        )
        finished = Counter(
            "execsvc_executions_finished",
            "Moves of executions to a final state; one that is retried finishes again.",
            ["state"],
            registry=self.registry,
        )
        self._finished = {state: finished.labels(state) for state in sorted(TERMINAL)}
        self._running = Gauge(
            "execsvc_executions_running", "Executions that hold a slot of this server.", registry=self.registry
        )
        self._slots = Gauge(
            "execsvc_execution_slots", "Executions that may run at once on this server.", registry=self.registry
        )

    def _queue(self) -> None:
        self._waiting = Gauge("execsvc_queue_depth", "Executions that wait for a slot.", registry=self.registry)
        #: Told how many seconds an execution waited to be started.
        self.waited = Histogram(
            "execsvc_queue_wait_seconds",
            "Time from submitting, resuming, retrying or recovering an execution until its start was on disk.",
            buckets=WAIT_SECONDS,
            registry=self.registry,
        ).observe

    def _nodes(self, types: list[str]) -> None:
        duration = Histogram(
            "execsvc_node_duration_seconds",
            "Time that the last attempt of a node took; state COMPLETED includes those that went on with a fallback.",
            ["type", "state"],
            buckets=NODE_SECONDS,
            registry=self.registry,
        )
        retries = Counter(
            "execsvc_node_retries",
            "Attempts of nodes that failed and were followed by another.",
            ["type"],
            registry=self.registry,
        )
        fallbacks = Counter(
            "execsvc_node_fallbacks",
            "Nodes that failed and went on with a fallback.",
            ["type"],
            registry=self.registry,
        )
        tokens = Counter(
            "execsvc_llm_tokens",
            "Tokens of language models that nodes with a result used, as the providers count them.",
            ["direction"],
            registry=self.registry,
        )
        ends = (NodeState.COMPLETED, NodeState.FAILED)
        self._ended = {state: {name: duration.labels(name, state).observe for name in types} for state in ends}
        self._retried = {name: retries.labels(name).inc for name in types}
        self._fell_back = {name: fallbacks.labels(name).inc for name in types}
        self._input_tokens = tokens.labels("input").inc
        self._output_tokens = tokens.labels("output").inc

    def _store(self) -> None:
        self._changes = Histogram(
            "execsvc_commit_changes",
            "Changes that shared a commit.",
            buckets=COMMIT_CHANGES,
            registry=self.registry,
        )
        self._commit = Histogram(
            "execsvc_commit_duration_seconds",
            "Time the database took for a commit, from its begin.",
            buckets=COMMIT_SECONDS,
            registry=self.registry,
        )
        self._commit_wait = Histogram(
            "execsvc_commit_wait_seconds",
            "Time from handing in the oldest change of a commit until it was answered.",
            buckets=COMMIT_SECONDS,
            registry=self.registry,
        )
        self._backlog = Gauge(
            "execsvc_commit_backlog", "Changes that were handed in and are not on disk yet.", registry=self.registry
        )
        self._entries = Counter("execsvc_log_entries", "Log entries written.", registry=self.registry)
        self._errors = Counter(
            "execsvc_storage_errors",
            "Reads and changes that failed because of the database, or of a bug.",
            ["operation", "reason"],
            registry=self.registry,
        )
        for operation, kind in (("read", StorageUnavailable), ("write", StorageUnavailable), ("write", StorageFull)):
            self._errors.labels(operation, kind.reason)

    def watch(
        self,
        *,
        slots: int,
        running: Callable[[], int],
        waiting: Callable[[], int],
        backlog: Callable[[], int],
    ) -> None:
        """Have what is a matter of the moment looked up at each scrape, on the listener's thread."""
        self._slots.set(slots)
        self._running.set_function(running)
        self._waiting.set_function(waiting)
        self._backlog.set_function(backlog)

    def method(self, service: str, method: str, *, streaming: bool) -> MethodMetrics:
        """See ``rpc.CallObserver``."""
        return self._calls.method(service, method, streaming=streaming)

    def on_event(self, event: Event) -> None:
        """See ``engine.Observer``."""
        if not isinstance(event, NodeChanged):
            return
        state = event.state
        if (usage := event.usage) is not None:
            self._input_tokens(usage.input_tokens)
            self._output_tokens(usage.output_tokens)
        if state is NodeState.COMPLETED or state is NodeState.FAILED:
            self._ended[state][event.type](event.duration / 1e6)
            if event.error is not None and state is NodeState.COMPLETED:
                self._fell_back[event.type]()
        elif state is NodeState.PENDING:
            self._retried[event.type]()

    def batch_done(self, batch: BatchDone) -> None:
        """See ``store.StoreObserver``."""
        for reason in batch.failures:
            self._errors.labels("write", reason).inc()
        written = batch.changes - len(batch.failures)
        if not written:
            return
        self._changes.observe(written)
        self._commit.observe(batch.duration)
        self._commit_wait.observe(batch.wait)
        if batch.created:
            self._submitted.inc(batch.created)
        if batch.entries:
            self._entries.inc(batch.entries)
        for state in batch.ended:
            self._finished[state].inc()

    def read_failed(self, error: StorageUnavailable) -> None:
        """See ``store.StoreObserver``."""
        self._errors.labels("read", error.reason).inc()
