"""Where an execution and each of its nodes stand, read from its log alone, or from snapshots of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execsvc_client import LogEntry, NodeRun, Snapshot

_EXECUTION_EVENTS = {
    "execution_queued": "PENDING",
    "execution_paused": "PAUSED",
    "execution_resumed": "RUNNING",
    "execution_stopped": "STOPPED",
    "execution_completed": "COMPLETED",
    "execution_failed": "FAILED",
}
_ENDED = frozenset({"COMPLETED", "FAILED", "STOPPED"})
#: States of nodes that count towards the progress.
_DONE = frozenset({"COMPLETED", "SKIPPED"})


@dataclass(slots=True, kw_only=True)
class NodeLine:
    """What is known of one node."""

    node_id: str
    type: str = ""
    #: As the API names it; WAITING between two attempts.
    state: str = "PENDING"
    attempt: int = 0
    #: When its attempt under way began; None while none is.
    since: datetime | None = None
    #: How long its last attempt took; None before its end.
    took: timedelta | None = None
    #: What else there is to say: the branch, or the error.
    note: str = ""


class Board:
    """Takes log entries in order, or snapshots; counts nodes that have ended.

    Args:
        total: nodes of the workflow.
    """

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.state = "PENDING"
        self.done = 0
        #: By id, in the order they began or were skipped.
        self.nodes: dict[str, NodeLine] = {}

    @property
    def progress(self) -> float:
        """Ended nodes over all, 0 to 1; 1 exactly when COMPLETED."""
        return 1.0 if self.state == "COMPLETED" else min(self.done / self.total, 0.999)

    def take(self, entry: LogEntry) -> None:
        """Learn from one entry."""
        event = str(entry.metadata.get("event", ""))
        if not entry.node_id:
            self.state = _EXECUTION_EVENTS.get(event, self.state)
            if self.state in _ENDED:
                self._cut_off()
            return
        if not event.startswith("node_"):
            return
        if self.state == "PENDING":
            self.state = "RUNNING"
        line = self.nodes.setdefault(entry.node_id, NodeLine(node_id=entry.node_id))
        line.type = str(entry.metadata.get("type", line.type))
        line.attempt = entry.attempt
        self._apply(event, line, entry)

    def show(self, snapshot: Snapshot) -> None:
        """Learn from one snapshot; what it says replaces what was known."""
        self.total = max(len(snapshot.nodes), 1)
        self.state = str(snapshot.state)
        for node_id in snapshot.changed:
            before, line = self.nodes.get(node_id), _line(snapshot.nodes[node_id])
            self.done += (line.state in _DONE) - (before is not None and before.state in _DONE)
            if line.state != "PENDING":
                self.nodes[node_id] = line
            elif before is not None:
                # A retry lets it begin anew.
                del self.nodes[node_id]

    def _apply(self, event: str, line: NodeLine, entry: LogEntry) -> None:
        if event == "node_started":
            line.state, line.since, line.note = "RUNNING", entry.time, ""
            return
        since, line.since = line.since, None
        if event == "node_skipped":
            line.state = "SKIPPED"
            self.done += 1
            return
        milliseconds = entry.metadata.get("duration_ms")
        if isinstance(milliseconds, int | float):
            line.took = timedelta(milliseconds=milliseconds)
        elif since is not None:
            line.took = entry.time - since
        if event == "node_completed":
            line.state = "COMPLETED"
            branch = entry.metadata.get("branch")
            line.note = f"branch {branch}" if branch is not None else ""
            self.done += 1
            return
        line.note = str(entry.metadata.get("error_type", ""))
        if event == "node_retry":
            line.state = "WAITING"
        elif entry.level == "ERROR":
            line.state = "FAILED"
        else:
            # It goes on with its fallback, and counts as completed.
            line.state = "COMPLETED"
            self.done += 1

    def _cut_off(self) -> None:
        for line in self.nodes.values():
            if line.state in ("RUNNING", "WAITING"):
                line.state, line.since = "CANCELLED", None


def _line(node: NodeRun) -> NodeLine:
    error = "" if node.error is None else node.error.type
    return NodeLine(
        node_id=node.node_id,
        type=node.type,
        state=str(node.state),
        attempt=node.attempt,
        since=node.start_time if node.state == "RUNNING" else None,
        took=None if node.start_time is None or node.end_time is None else node.end_time - node.start_time,
        note=f"branch {node.branch}" if node.branch else error,
    )
