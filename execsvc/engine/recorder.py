"""What a run writes down of each node: its journal row, its log entry, and the event that tells observers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execsvc.clock import Clock
from execsvc.definition import PlanNode
from execsvc.engine.attempt import Failure, Success, encode
from execsvc.engine.events import NodeChanged, Observer, TokenListener
from execsvc.engine.journal import Journal
from execsvc.engine.messages import bounded, plain_facts
from execsvc.model import ExecutionStatus, LogLevel, NewLogEntry, NodeRun, NodeState, TokenUsage
from execsvc.redaction import Redaction


def total(spent: TokenUsage | None, used: TokenUsage | None) -> TokenUsage | None:
    """Tokens of the attempts before and of this one, together; None where none called a model."""
    return used if spent is None else spent if used is None else spent + used


class Recorder:
    """Notes what happens to the nodes of one execution in its journal, and publishes it.

    This is the one place through which every change of a node passes.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        observers: tuple[Observer, ...],
        on_token: TokenListener | None,
        namespace: str,
        held: ExecutionStatus,
        redaction: Redaction,
    ) -> None:
        self._redaction = redaction
        self._journal = journal
        self._clock = clock
        self._observers = observers
        self._on_token = on_token
        self._namespace = namespace
        self._held = held

    def log(self, node: PlanNode, attempt: int, level: LogLevel, message: str, metadata: Mapping[str, Any]) -> None:
        """Write what a node itself has to say."""
        facts, size = plain_facts(self._redaction.shown(metadata))
        entry = self._entry(level, str(message), node=node, attempt=attempt, metadata=facts, metadata_size=size)
        self._journal.note(None, entry)

    def token(self, node: PlanNode, attempt: int, text: str) -> None:
        """Publish a piece of a model's answer; it is not kept."""
        if self._on_token is not None:
            self._on_token(self._namespace, self._held.execution_id, node.id, attempt, text)

    def started(
        self, node: PlanNode, attempt: int, started: int, *, before: int, again: bool, spent: TokenUsage | None
    ) -> None:
        """An attempt begins; ``again`` if it was begun before and cut off."""
        progress = self._journal.progress
        progress.running[node.id] = None
        progress.current_node = node.id
        run = NodeRun(
            node_id=node.id,
            state=NodeState.RUNNING,
            attempt=attempt,
            attempts_before=before,
            start_time=started,
            usage=spent,
        )
        verb = "runs again after an interruption" if again else "started" if attempt == 1 else f"attempt {attempt}"
        self._record(node, run, LogLevel.INFO, f"{node.name}: {verb}", {"event": "node_started", "type": node.type})

    def completed(
        self,
        node: PlanNode,
        outcome: Success,
        *,
        attempt: int,
        before: int,
        started: int,
        spent: TokenUsage | None,
    ) -> None:
        """A node has a result."""
        ended = self._clock()
        self._ended(node)
        run = NodeRun(
            node_id=node.id,
            state=NodeState.COMPLETED,
            attempt=attempt,
            attempts_before=before,
            start_time=started,
            end_time=ended,
            output=outcome.output,
            branch=outcome.branch,
            usage=total(spent, outcome.usage),
        )
        metadata: dict[str, Any] = {
            "event": "node_completed",
            "type": node.type,
            "duration_ms": (ended - started) / 1000,
        }
        message = f"{node.name}: completed"
        if node.type == "condition":
            metadata["branch"] = outcome.branch
            message += f", branch {outcome.branch}" if outcome.branch is not None else ", no branch"
        if outcome.usage is not None:
            metadata["total_tokens"] = outcome.usage.total_tokens
        self._record(node, run, LogLevel.INFO, message, metadata, used=outcome.usage)

    def skipped(self, node: PlanNode) -> None:
        """No edge into a node was active."""
        self._journal.progress.nodes_done += 1
        run = NodeRun(node_id=node.id, state=NodeState.SKIPPED, end_time=self._clock())
        metadata = {"event": "node_skipped", "type": node.type}
        self._record(node, run, LogLevel.INFO, f"{node.name}: skipped", metadata)

    def will_retry(
        self,
        node: PlanNode,
        failure: Failure,
        *,
        before: int,
        started: int,
        due: int,
        delay: float,
        attempts: int,
        spent: TokenUsage | None,
    ) -> None:
        """An attempt failed and another one follows in ``delay`` seconds, at ``due``."""
        error = failure.error
        self._journal.progress.running.pop(node.id, None)
        run = NodeRun(
            node_id=node.id,
            state=NodeState.PENDING,
            attempt=error.attempt,
            attempts_before=before,
            start_time=started,
            retry_time=due,
            error=error,
            usage=total(spent, failure.usage),
        )
        metadata = {"event": "node_retry", "type": node.type, "error_type": error.type, "delay_ms": delay * 1000}
        message = (
            f"{node.name}: attempt {error.attempt} of {attempts} failed with {error.type}: {error.message}; "
            f"next in {delay:.3g} s"
        )
        self._record(node, run, LogLevel.WARNING, message, metadata, used=failure.usage)

    def failed(self, node: PlanNode, failure: Failure, *, before: int, started: int, spent: TokenUsage | None) -> None:
        """The last attempt failed; the node goes on with its fallback if it has one."""
        error = failure.error
        proceed = node.on_error.proceed
        if proceed:
            self._ended(node)
        else:
            self._journal.progress.running.pop(node.id, None)
        run = NodeRun(
            node_id=node.id,
            state=NodeState.COMPLETED if proceed else NodeState.FAILED,
            attempt=error.attempt,
            attempts_before=before,
            start_time=started,
            end_time=self._clock(),
            output=encode(node.on_error.fallback) if proceed else None,
            error=error,
            usage=total(spent, failure.usage),
        )
        metadata = {"event": "node_failed", "type": node.type, "error_type": error.type}
        message = f"{node.name}: failed with {error.type}: {error.message}"
        if proceed:
            message += "; goes on with its fallback"
        level = LogLevel.WARNING if proceed else LogLevel.ERROR
        self._record(node, run, level, message, metadata, used=failure.usage)

    def _ended(self, node: PlanNode) -> None:
        progress = self._journal.progress
        progress.running.pop(node.id, None)
        progress.nodes_done += 1
        progress.current_node = next(reversed(progress.running), node.id)

    def _record(
        self,
        node: PlanNode,
        run: NodeRun,
        level: LogLevel,
        message: str,
        metadata: Mapping[str, Any],
        *,
        used: TokenUsage | None = None,
    ) -> None:
        self._journal.note(run, self._entry(level, message, node=node, attempt=run.attempt, metadata=metadata))
        if not self._observers:
            return
        event = NodeChanged(
            namespace=self._namespace,
            execution_id=self._held.execution_id,
            uid=self._held.uid,
            node_id=node.id,
            type=node.type,
            state=run.state,
            attempt=run.attempt,
            duration=run.end_time - run.start_time if run.end_time and run.start_time else 0,
            error=run.error,
            usage=used,
        )
        for observer in self._observers:
            observer(event)

    def _entry(
        self,
        level: LogLevel,
        message: str,
        *,
        node: PlanNode,
        attempt: int,
        metadata: Mapping[str, Any],
        metadata_size: int = 0,
    ) -> NewLogEntry:
        return NewLogEntry(
            time=self._clock(),
            level=level,
            message=bounded(message),
            node_id=node.id,
            attempt=attempt,
            metadata=metadata,
            metadata_size=metadata_size,
        )
