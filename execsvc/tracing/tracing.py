"""Everything that is traced in one server, and to which trace each execution belongs."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext

from execsvc.encoding.log_entries import decoded_entries
from execsvc.engine import RunTrace
from execsvc.errors import ExecsvcError, StorageUnavailable
from execsvc.store import BatchDone, Claim, Store
from execsvc.tracing import carrier
from execsvc.tracing.calls import CallSpans
from execsvc.tracing.interrupted import find_interrupted, tell
from execsvc.tracing.pipeline import Pipeline
from execsvc.tracing.runs import Run, UnsampledRun
from execsvc.tracing.settings import TracingSettings
from execsvc.tracing.spans import Spans

logger = logging.getLogger(__name__)

#: Executions whose trace is remembered until they start; the log knows it of the others.
REMEMBERED: Final = 20_000
#: Executions that a commit's span links to at most.
MOST_LINKS: Final = 32


class Tracing:
    """Traces the parts of one server. Implements ``engine.Tracing`` and ``store.StoreObserver``; use on the event loop.

    The trace of an execution is the one it was submitted in. It is kept in the execution's log, in the entry that says
    that it was queued, so that runs after a restart, and on other servers, belong to it as well.
    """

    def __init__(self, pipeline: Pipeline, *, content: bool) -> None:
        self._tracer = pipeline.tracer
        self._spans = Spans(pipeline.tracer, pipeline.ids, content=content)
        #: Observes calls of the API.
        self.calls = CallSpans(pipeline.tracer)
        #: Where executions were submitted that have not started yet, by uid.
        self._origins: OrderedDict[str, SpanContext] = OrderedDict()
        #: Runs under way that are sampled, by uid.
        self._runs: dict[str, Run] = {}

    def origin(self, uid: str) -> Mapping[str, str]:
        """Say where in a trace the execution is submitted that is being stored: facts for its log."""
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return {}
        self._origins[uid] = span
        if len(self._origins) > REMEMBERED:
            self._origins.popitem(last=False)
        return carrier.written(span)

    async def prepare(self, namespace: str, claim: Claim, store: Store) -> Callable[[], RunTrace]:
        """See ``engine.Tracing``."""
        origin = self._origins.pop(claim.status.uid, None)
        try:
            if origin is None:
                origin = await _logged_origin(namespace, claim, store)
            if claim.status.epoch > 1 and (origin is None or origin.trace_flags.sampled):
                interrupted = await find_interrupted(namespace, claim, store)
                if interrupted is not None:
                    tell(self._spans, namespace, claim, origin, interrupted)
        except ExecsvcError as error:
            # A trace that falls apart is no reason to keep an execution waiting.
            logger.warning("cannot read how execution %s was traced: %s", claim.status.execution_id, error)
        except Exception:
            logger.exception("cannot make out how execution %s was traced", claim.status.execution_id)

        def begin() -> RunTrace:
            if origin is not None and not origin.trace_flags.sampled:
                return UnsampledRun(self._spans, origin)
            run = Run(self._spans, namespace, claim, origin, self._left)
            if run.span_context.trace_flags.sampled:
                self._runs[run.uid] = run
            return run

        return begin

    def _left(self, run: Run) -> None:
        # After a stop and a retry another one may have begun.
        if self._runs.get(run.uid) is run:
            del self._runs[run.uid]

    def batch_done(self, batch: BatchDone) -> None:
        """See ``store.StoreObserver``."""
        places = [place for uid in dict.fromkeys(batch.uids) if (place := self._place(uid)) is not None]
        if not places:
            return
        parent, *others = places
        now = time.time_ns()
        attributes: dict[str, Any] = {
            "execsvc.commit.changes": batch.changes,
            "execsvc.commit.log_entries": batch.entries,
            "execsvc.commit.wait": batch.wait,
        }
        if batch.failures:
            attributes["error.type"] = batch.failures[0]
        # In the trace of one of those whose changes it holds, so that it is seen there; the others are linked to.
        span = self._tracer.start_span(
            "commit",
            context=carrier.within(parent),
            links=[Link(place, {"execsvc.link": "committed"}) for place in others[:MOST_LINKS]],
            attributes=attributes,
            start_time=now - round(batch.duration * 1e9),
        )
        span.end(now)

    def _place(self, uid: str) -> SpanContext | None:
        run = self._runs.get(uid)
        if run is not None:
            return run.span_context
        origin = self._origins.get(uid)
        return origin if origin is not None and origin.trace_flags.sampled else None

    def read_failed(self, error: StorageUnavailable) -> None:
        """See ``store.StoreObserver``."""


async def _logged_origin(namespace: str, claim: Claim, store: Store) -> SpanContext | None:
    status = claim.status
    page = await store.log_page(namespace, status.execution_id, after=0, limit=1)
    if page.status.uid != status.uid or not page.entries:
        return None
    (first,) = decoded_entries(page.entries.data)
    return carrier.read(first.metadata)


@asynccontextmanager
async def traced(settings: TracingSettings) -> AsyncIterator[Tracing]:
    """Trace for as long as the context lasts, then send what is left.

    Raises:
        TracingUnusable: OpenTelemetry cannot be set up as it is asked to.
    """
    pipeline = Pipeline(settings)
    try:
        yield Tracing(pipeline, content=settings.content)
    finally:
        await pipeline.close()
