"""Tells of a run that its server could not end, as far as journal and log know: spans are sent only once they end.

So a trace is whole in spite of a kill, and of a drain that could not wait. Each run is told once: one that ended by
itself was followed by an entry in the log that says why there is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import LogEntry, NodeState
from execsvc.record import record
from execsvc.store import Claim, Store
from execsvc.tracing.spans import RunSpans, Spans

#: Entries that are read of a log, up to the claim.
ENTRIES: Final = 1000
#: Entries between the end of a run and the next claim; of an execution that has not run, the one before the first.
_ENDED: Final = frozenset({"execution_queued", "execution_resumed", "execution_retried"})


@record(frozen=True, slots=True, kw_only=True)
class OpenNode:
    """A node with effects that was under way."""

    node_id: str
    type: str
    #: Microseconds since the epoch, as all times here.
    start: int
    #: Number and start of the attempt that was under way; None: the node waited for its next one.
    attempt: tuple[int, int] | None


@record(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A run that did not end by itself."""

    start: int
    #: When it was heard of last.
    end: int
    nodes: tuple[OpenNode, ...]


async def find_interrupted(namespace: str, claim: Claim, store: Store) -> Interrupted | None:
    """Find out whether the run before this claim was interrupted. Raises as ``Store.log_page``."""
    status = claim.status
    # The claim has written one entry, the last as of then.
    after = max(0, status.last_sequence - 1 - ENTRIES)
    page = await store.log_page(namespace, status.execution_id, after=after, limit=ENTRIES + 1)
    entries = decoded_entries(page.entries.data)
    before = [number for number, entry in enumerate(entries) if entry.sequence < status.last_sequence]
    if page.status.uid != status.uid or not before:
        return None
    last = before[-1]
    if _own_event(entries[last]) in _ENDED:
        return None
    claims = [number for number in before if _own_event(entries[number]) == "execution_running"]
    first = claims[-1] if claims else before[0]
    start = entries[first].time
    if not claims and status.epoch == 2 and status.start_time is not None:
        start = status.start_time
    nodes = _open_nodes(claim, entries[first : last + 1], start if claims or status.epoch == 2 else 0)
    return Interrupted(start=start, end=entries[last].time, nodes=nodes)


def tell(spans: Spans, namespace: str, claim: Claim, origin: SpanContext | None, found: Interrupted) -> None:
    """Send what the interrupted run left open."""
    made = RunSpans(spans, namespace, claim, claim.status.epoch - 1, origin)
    run = made.run(found.start * 1000)
    run.set_attribute("execsvc.execution.state", "RUNNING")
    within = trace.set_span_in_context(run, Context())
    for node in found.nodes:
        span = made.node(node.node_id, node.type, within, node.start * 1000)
        if node.attempt is not None:
            number, start = node.attempt
            inside = trace.set_span_in_context(span, Context())
            _end(made.attempt(node.node_id, number, inside, start_time=start * 1000), found)
        span.set_attribute("execsvc.node.state", "RUNNING" if node.attempt else "PENDING")
        _end(span, found)
    _end(run, found)


def _end(span: Span, found: Interrupted) -> None:
    span.set_attribute("execsvc.interrupted", True)
    span.end(found.end * 1000)


def _open_nodes(claim: Claim, run: Sequence[LogEntry], since: int) -> tuple[OpenNode, ...]:
    begun: dict[str, int] = {}
    for entry in run:
        if entry.metadata.get("event") == "node_started":
            begun.setdefault(entry.node_id, entry.time)
    types = {node["id"]: node["type"] for node in orjson.loads(claim.definition)["nodes"]}
    return tuple(
        OpenNode(
            node_id=node.node_id,
            type=types.get(node.node_id, ""),
            start=min(begun.get(node.node_id, node.start_time), node.start_time),
            attempt=(node.attempt, node.start_time) if node.state is NodeState.RUNNING else None,
        )
        for node in claim.nodes.values()
        # One that an earlier run has begun, and this one had not reached yet, was told before.
        if node.start_time is not None and node.start_time >= since
        if node.state is NodeState.RUNNING or (node.state is NodeState.PENDING and node.retry_time is not None)
    )


def _own_event(entry: LogEntry) -> object:
    """Give what an entry of the execution itself tells; None for those of nodes, who may write what they like."""
    return None if entry.node_id else entry.metadata.get("event")
