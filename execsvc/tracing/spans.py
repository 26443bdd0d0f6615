"""Spans of runs, nodes and attempts: their names, attributes, links, and ids that can be worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, TraceFlags

from execsvc.model import ErrorInfo
from execsvc.store import Claim
from execsvc.tracing import carrier
from execsvc.tracing.ids import Ids, attempt_id_of, node_id_of, run_id_of, trace_id_of

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class Spans:
    """Makes spans with given ids.

    Args:
        content: whether they hold texts that may come from inputs and outputs.
    """

    def __init__(self, tracer: Tracer, ids: Ids, *, content: bool) -> None:
        self.tracer = tracer
        self.content = content
        self._ids = ids

    def start(self, name: str, *, id: int, trace: int = 0, **options: Any) -> Span:
        """Start a span.

        Args:
            trace: its trace, where it has no parent.
            options: as ``Tracer.start_span``.
        """
        self._ids.next_span, self._ids.next_trace = id, trace
        return self.tracer.start_span(name, **options)

    def fail(self, span: Span, error: ErrorInfo | None) -> None:
        """Say that what a span stands for has failed."""
        if error is None:
            span.set_status(Status(StatusCode.ERROR))
            return
        # Texts of errors may quote what nodes work with.
        span.set_status(Status(StatusCode.ERROR, error.message if self.content else error.type))
        span.set_attribute("error.type", error.type)


class RunSpans:
    """Makes the spans of one run of an execution.

    Args:
        epoch: the run's; it may be one before the claim's.
        origin: where the execution was submitted; None: nobody traced it then.
    """

    def __init__(self, spans: Spans, namespace: str, claim: Claim, epoch: int, origin: SpanContext | None) -> None:
        self._spans = spans
        self._namespace = namespace
        self._claim = claim
        self._epoch = epoch
        self._origin = origin
        self._uid = claim.status.uid
        self._trace = trace_id_of(self._uid) if origin is None else origin.trace_id
        self._flags = _SAMPLED if origin is None else origin.trace_flags

    def run(self, start_time: int | None = None) -> Span:
        """Start the run's own span."""
        status = self._claim.status
        return self._spans.start(
            f"execution {status.workflow_id}".strip(),
            id=run_id_of(self._uid, self._epoch),
            trace=self._trace if self._origin is None else 0,
            context=Context() if self._origin is None else carrier.within(self._origin),
            links=self._links(self._epoch > 1, run_id_of(self._uid, self._epoch - 1), "run_before"),
            attributes={
                "execsvc.namespace": self._namespace,
                "execsvc.execution.id": status.execution_id,
                "execsvc.execution.uid": self._uid,
                "execsvc.workflow.id": status.workflow_id,
                "execsvc.workflow.digest": self._claim.definition_digest,
                "execsvc.run.number": self._epoch,
            },
            start_time=start_time,
        )

    def node(self, node_id: str, type: str, within: Context, start_time: int | None = None) -> Span:
        """Start the span of a node."""
        return self._spans.start(
            f"{type} {node_id}",
            id=node_id_of(self._uid, self._epoch, node_id),
            context=within,
            attributes={"execsvc.node.id": node_id, "execsvc.node.type": type},
            start_time=start_time,
        )

    def attempt(
        self, node_id: str, number: int, within: Context, *, again: bool = False, start_time: int | None = None
    ) -> Span:
        """Start the span of an attempt.

        Args:
            again: whether the run before had begun it, and was interrupted.
        """
        return self._spans.start(
            f"attempt {number}",
            id=attempt_id_of(self._uid, self._epoch, node_id, number),
            context=within,
            links=self._links(again, attempt_id_of(self._uid, self._epoch - 1, node_id, number), "interrupted_attempt"),
            attributes={"execsvc.node.attempt": number},
            start_time=start_time,
        )

    def _links(self, linked: bool, span_id: int, what: str) -> Sequence[Link]:
        if not linked:
            return ()
        span = SpanContext(self._trace, span_id, is_remote=True, trace_flags=self._flags)
        return (Link(span, {"execsvc.link": what}),)
