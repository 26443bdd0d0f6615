"""Whether traces are sent, where to and how: our setting over the standard variables, and those over nothing."""

from __future__ import annotations

import pytest

from execsvc.errors import TracingUnusable
from execsvc.tracing import TracingSettings, tracing_settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("setting", "variables"),
    [
        (None, {}),
        (None, {ENDPOINT: " "}),
        (None, {"OTEL_SERVICE_NAME": "orders"}),
        (None, {ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}),
        (None, {ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}),
        ("http://c:4318", {"OTEL_SDK_DISABLED": "true"}),
        ("off", {ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "otlp"}),
    ],
)
def test_nobody_traces_unless_asked_to(setting: str | None, variables: dict[str, str]) -> None:
    assert tracing_settings(setting, variables) is None


@pytest.mark.parametrize(
    ("setting", "variables", "protocol", "endpoint"),
    [
        (None, {ENDPOINT: "http://c:4318"}, "http/protobuf", None),
        (None, {ENDPOINT: "http://c:4317"}, "grpc", None),
        (None, {ENDPOINT: "http://c:4317", PROTOCOL: "http/protobuf"}, "http/protobuf", None),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317", ENDPOINT: "http://c:4318"}, "grpc", None),
        (None, {"OTEL_TRACES_EXPORTER": "otlp"}, "http/protobuf", None),
        ("http://c:4317", {}, "grpc", "http://c:4317"),
        ("http://c:4318", {}, "http/protobuf", "http://c:4318/v1/traces"),
        ("https://c/otlp/", {}, "http/protobuf", "https://c/otlp/v1/traces"),
        ("http://c:4318/v1/traces", {}, "http/protobuf", "http://c:4318/v1/traces"),
        ("http://c:9", {PROTOCOL: "grpc"}, "grpc", "http://c:9"),
        (
            "http://c:9",
            {PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "http/protobuf",
            None,
        ),
        ("http://c:4318", {"OTEL_TRACES_EXPORTER": "none"}, "http/protobuf", "http://c:4318/v1/traces"),
    ],
)
def test_the_setting_counts_over_variables(
    setting: str | None, variables: dict[str, str], protocol: str, endpoint: str | None
) -> None:
    found = tracing_settings(setting, variables)

    assert found is not None
    assert found.protocol == protocol
    assert endpoint is None or found.endpoint == endpoint
    assert not found.content


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("true", True),
        ("SPAN_ONLY", True),
        ("span_and_event", True),
        ("event_only", False),
        ("false", False),
        ("", False),
    ],
)
def test_messages_are_in_spans_only_where_spans_are_meant(value: str, content: bool) -> None:
    found = tracing_settings("http://c:4317", {CONTENT: value})

    assert found == TracingSettings(protocol="grpc", endpoint="http://c:4317", content=content)


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {ENDPOINT: "http://c:4318", PROTOCOL: "http/json"},
        {ENDPOINT: "http://c:port"},
    ],
)
def test_what_there_is_not_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(TracingUnusable, match=next(reversed(variables.values()))):
        tracing_settings(None, variables)
