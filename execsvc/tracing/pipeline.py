"""The SDK: where spans come from, the bounded queue they leave by, and what is said when they do not get through."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from execsvc import __version__
from execsvc.errors import TracingUnusable
from execsvc.tracing.ids import Ids
from execsvc.tracing.settings import MISSING, TracingSettings

logger = logging.getLogger(__name__)

#: Seconds that what is left has to get through when the server ends.
FLUSH: Final = 5.0
#: Seconds between two warnings of the same kind.
QUIET: Final = 60.0


class _Provider(TracerProvider):
    """One of ours, to be told from one that somebody else has set up for the process."""


class Pipeline:
    """Makes spans and sends them from a thread of its own; what does not fit into its queue is dropped.

    Where somebody has set up a provider for the process, as ``opentelemetry-instrument`` does, spans go there.

    Raises:
        TracingUnusable: the SDK takes the variables for wrong.
    """

    def __init__(self, settings: TracingSettings) -> None:
        self.ids = Ids()
        present = trace.get_tracer_provider()
        self._owned = not isinstance(present, TracerProvider) or isinstance(present, _Provider)
        if self._owned or not isinstance(present, TracerProvider):
            _say_it_seldom()
            try:
                self._provider: TracerProvider = _Provider(resource=_resource(), shutdown_on_exit=False)
                self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
                logger.info(
                    "traces go to %s by %s", settings.endpoint or "where OTEL_ variables say", settings.protocol
                )
            except ImportError as error:
                raise TracingUnusable(MISSING) from error
            except Exception as error:
                raise TracingUnusable(f"OpenTelemetry cannot be set up: {error}") from error
            if not isinstance(present, _Provider):
                # So that spans of plug-ins, and of libraries that are traced, are sent as well.
                trace.set_tracer_provider(self._provider)
        else:
            self._provider = present
        tracer = self._provider.get_tracer("execsvc", __version__)
        assert isinstance(tracer, Tracer)
        tracer.id_generator = self.ids
        self.tracer: Tracer = tracer

    async def close(self) -> None:
        """Send what is left, for at most FLUSH seconds."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def finish() -> None:
            try:
                if self._owned:
                    self._provider.shutdown()
                else:
                    self._provider.force_flush(round(FLUSH * 1000))
            finally:
                # The loop is closed where nobody waited any longer.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(None))

        # Not the loop's own threads, whose end the process would wait for.
        Thread(target=finish, name="execsvc-flush-traces", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH):
                await done
        except TimeoutError:
            logger.warning("the last spans did not get through within %g s, and are lost", FLUSH)


def _resource() -> Resource:
    # The name that variables give counts over ours, but not over what is given here.
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    name = {} if named else {"service.name": "execsvc"}
    return Resource.create({**name, "service.version": __version__, "service.instance.id": str(uuid.uuid4())})


def _exporter(settings: TracingSettings) -> SpanExporter:
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint=settings.endpoint)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter(endpoint=settings.endpoint)


class _Seldom(logging.Handler):
    """Passes on what OpenTelemetry logs, each kind once in QUIET seconds and without stack traces."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        #: When each kind was passed on last, and how often it came since.
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        kind = (record.name, str(record.msg))
        last, held_back = self._seen.get(kind, (-QUIET, 0))
        if now - last < QUIET:
            self._seen[kind] = (last, held_back + 1)
            return
        self._seen[kind] = (now, 0)
        more = f" ({held_back} more like this since)" if held_back else ""
        logger.warning("traces: %s%s", record.getMessage()[:500], more)


def _say_it_seldom() -> None:
    library = logging.getLogger("opentelemetry")
    if not any(isinstance(handler, _Seldom) for handler in library.handlers):
        library.addHandler(_Seldom())
        library.propagate = False
