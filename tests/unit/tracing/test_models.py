"""A span of a model's call may hold what was said, and never the secrets it was said with."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from execsvc.engine import ModelRequest, NodeError
from execsvc.engine.secrecy import Secrecy
from execsvc.secrets import Scrubber
from execsvc.tracing.models import ModelCallSpan

VALUE = "value-of-a-secret"
REQUEST = ModelRequest(
    provider="openai",
    model="m",
    base_url="",
    parameters={},
    messages=[("system", f"be {VALUE}"), ("user", f"say {VALUE}")],
    structured=False,
    stream=True,
)


@pytest.mark.parametrize("failed", [False, True])
async def test_texts_in_spans_are_looked_through_for_the_secrets_of_the_attempt(failed: bool) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def call() -> None:
        with ModelCallSpan(provider.get_tracer("test"), REQUEST, content=True) as span:
            if failed:
                raise NodeError("LLM_AUTH", f"{VALUE} is no key")
            span.answered(f"said {VALUE}", metadata={}, finish_reason="stop", usage=None)

    secrecy = Secrecy(scrubber=Scrubber([VALUE]))
    if failed:
        with pytest.raises(NodeError):
            await secrecy.inside(call())
    else:
        await secrecy.inside(call())
    (span,) = exporter.get_finished_spans()
    assert VALUE not in span.to_json()
    texts = [str(value) for name, value in (span.attributes or {}).items() if name.endswith("messages")]
    assert any("say " in text for text in texts)
    assert ("is no key" in (span.status.description or "")) == failed
    assert any("said " in text for text in texts) == (not failed)
