"""A run of an execution as it is traced: what is under way, and when the spans of it begin and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext

from execsvc.engine import Event, HttpCall, ModelCall, ModelRequest, NodeChanged, Observer
from execsvc.model import ErrorInfo, ExecutionState, NodeState
from execsvc.store import Claim
from execsvc.tracing import carrier
from execsvc.tracing.http_calls import HttpCallSpan
from execsvc.tracing.models import ModelCallSpan
from execsvc.tracing.spans import RunSpans, Spans


class Attempt:
    """Implements ``engine.AttemptTrace``.

    Args:
        span: None: it is not sampled, but the trace goes on in what it calls.
    """

    __slots__ = ("_context", "_spans", "span")

    def __init__(self, spans: Spans, context: Context, span: Span | None) -> None:
        self._spans = spans
        self._context = context
        self.span = span

    @property
    def sampled(self) -> bool:
        """See ``AttemptTrace``."""
        return self.span is not None

    def enter(self) -> None:
        """See ``AttemptTrace``."""
        otel_context.attach(self._context)

    def headers(self) -> Mapping[str, str]:
        """See ``AttemptTrace``."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    def model_call(self, request: ModelRequest) -> ModelCall:
        """See ``AttemptTrace``."""
        return ModelCallSpan(self._spans.tracer, request, content=self._spans.content)

    def http_call(self, method: str, host: str, port: int, template: str, redirects: int) -> HttpCall:
        """See ``AttemptTrace``."""
        tracer, content = self._spans.tracer, self._spans.content
        return HttpCallSpan(tracer, method, host, port, template=template, redirects=redirects, content=content)


class _Node:
    """A node with effects that is under way."""

    __slots__ = ("attempt", "context", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.context = trace.set_span_in_context(span, Context())
        self.attempt: Attempt | None = None

    def end_attempt(self) -> Span | None:
        """Leave the attempt that is under way; answers its span, if there is one."""
        attempt, self.attempt = self.attempt, None
        return None if attempt is None else attempt.span


class UnsampledRun:
    """Implements ``engine.RunTrace`` for an execution that was not sampled when it was submitted.

    Args:
        origin: where that was: the trace goes on in what nodes call.
    """

    observer: Observer | None = None

    def __init__(self, spans: Spans, origin: SpanContext) -> None:
        self._attempt = Attempt(spans, carrier.within(origin), None)

    def attempt(self, node_id: str) -> Attempt:
        """See ``RunTrace``."""
        return self._attempt

    def ended(self, state: ExecutionState | None, error: ErrorInfo | None) -> None:
        """See ``RunTrace``."""


class Run:
    """Implements ``engine.RunTrace`` for one that is sampled, or was submitted while nobody traced.

    Args:
        origin: where the execution was submitted; None: nobody traced it then.
        left: called when the run ends.
    """

    def __init__(
        self, spans: Spans, namespace: str, claim: Claim, origin: SpanContext | None, left: Callable[[Run], None]
    ) -> None:
        self.uid = claim.status.uid
        self._spans = spans
        self._made = RunSpans(spans, namespace, claim, claim.status.epoch, origin)
        self._claim = claim
        self._left = left
        self._nodes: dict[str, _Node] = {}
        self._span = self._made.run()
        self._context = trace.set_span_in_context(self._span, Context())
        self.observer: Observer | None = self._on_event

    @property
    def span_context(self) -> SpanContext:
        """Where it is in its trace."""
        return self._span.get_span_context()

    def attempt(self, node_id: str) -> Attempt | None:
        """See ``RunTrace``."""
        node = self._nodes.get(node_id)
        return None if node is None else node.attempt

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, NodeChanged):
            return
        if event.state is NodeState.RUNNING:
            self._attempt_began(event)
        elif event.state is NodeState.PENDING:
            node = self._nodes.get(event.node_id)
            if node is not None:
                self._attempt_ended(node, event)
        elif event.state in (NodeState.COMPLETED, NodeState.FAILED):
            node = self._nodes.pop(event.node_id, None)
            if node is None:
                self._pure_node(event)
            else:
                self._attempt_ended(node, event)
                self._node_ended(node.span, event)

    def ended(self, state: ExecutionState | None, error: ErrorInfo | None) -> None:
        """See ``RunTrace``. What an interrupted run leaves open is told by the next: see ``interrupted``."""
        self._left(self)
        if state is None:
            return
        cut = state in (ExecutionState.STOPPED, ExecutionState.FAILED)
        for node in self._nodes.values():
            attempt = node.end_attempt()
            if attempt is not None:
                attempt.end()
            node.span.set_attribute("execsvc.node.state", (NodeState.CANCELLED if cut else NodeState.PENDING).value)
            node.span.end()
        self._nodes.clear()
        self._span.set_attribute("execsvc.execution.state", state.value)
        if state is ExecutionState.FAILED:
            self._spans.fail(self._span, error)
        self._span.end()

    def _attempt_began(self, event: NodeChanged) -> None:
        node = self._nodes.get(event.node_id)
        if node is None:
            node = self._nodes[event.node_id] = _Node(self._made.node(event.node_id, event.type, self._context))
        recorded = self._claim.nodes.get(event.node_id)
        again = recorded is not None and recorded.state is NodeState.RUNNING and recorded.attempt == event.attempt
        span = self._made.attempt(event.node_id, event.attempt, node.context, again=again)
        node.attempt = Attempt(self._spans, trace.set_span_in_context(span, Context()), span)

    def _attempt_ended(self, node: _Node, event: NodeChanged) -> None:
        span = node.end_attempt()
        if span is not None:
            if event.error is not None:
                self._spans.fail(span, event.error)
            span.end()

    def _pure_node(self, event: NodeChanged) -> None:
        now = time.time_ns()
        span = self._made.node(event.node_id, event.type, self._context, now - event.duration * 1000)
        self._node_ended(span, event, now)

    def _node_ended(self, span: Span, event: NodeChanged, now: int | None = None) -> None:
        span.set_attribute("execsvc.node.state", event.state.value)
        if event.state is NodeState.FAILED:
            self._spans.fail(span, event.error)
        elif event.error is not None:
            # It went on with its fallback.
            span.set_attribute("error.type", event.error.type)
        span.end(now)
