"""Whether and where traces are sent, as our own setting and the standard variables of OpenTelemetry say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from execsvc.errors import TracingUnusable

OtlpProtocol = Literal["grpc", "http/protobuf"]

#: Switches tracing off whatever the variables say.
OFF: Final = "off"
#: Said where the packages are not there.
MISSING: Final = "tracing needs packages that are not installed: pip install 'execsvc[otel]', or --tracing off"
_PROTOCOLS: Final[Mapping[str | None, OtlpProtocol]] = {"grpc": "grpc", "http/protobuf": "http/protobuf"}
#: Port that collectors take OTLP over gRPC on.
_GRPC_PORT: Final = 4317
_TRACES_PATH: Final = "/v1/traces"
#: Values by which spans, and not only events, hold messages.
_CONTENT: Final = frozenset({"true", "span_only", "span_and_event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    """How traces are sent. What is not here the SDK reads from its own variables: headers, sampler, queue, limits."""

    protocol: OtlpProtocol
    #: URL of the collector for this protocol; None: the SDK's variables name it.
    endpoint: str | None = None
    #: Whether spans hold prompts, answers, and texts of errors.
    content: bool = False


def tracing_settings(setting: str | None, environment: Mapping[str, str]) -> TracingSettings | None:
    """Say how traces are sent; None: not at all.

    Args:
        setting: URL of a collector, ``off``, or None, which leaves it to the variables.

    Raises:
        TracingUnusable: the variables ask for what there is not.
    """
    given = {name: value.strip() for name, value in environment.items() if name.startswith("OTEL_") and value.strip()}
    if setting == OFF or given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    named = given.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or given.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if setting is None and not _wanted(given.get("OTEL_TRACES_EXPORTER"), named):
        return None
    protocol = _protocol(given, setting or named or "")
    content = given.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").lower() in _CONTENT
    return TracingSettings(
        protocol=protocol, endpoint=None if setting is None else _endpoint(setting, protocol), content=content
    )


def _wanted(exporter: str | None, endpoint: str | None) -> bool:
    if exporter is None:
        return endpoint is not None
    if exporter in ("none", "otlp"):
        return exporter == "otlp"
    raise TracingUnusable(f"OTEL_TRACES_EXPORTER is {exporter!r}; there are otlp and none")


def _protocol(given: Mapping[str, str], endpoint: str) -> OtlpProtocol:
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = given.get(name)
        if protocol in _PROTOCOLS:
            return _PROTOCOLS[protocol]
        if protocol is not None:
            raise TracingUnusable(f"{name} is {protocol!r}; there are grpc and http/protobuf")
    try:
        port = urlsplit(endpoint).port
    except ValueError as error:
        raise TracingUnusable(f"{endpoint!r} is no URL of a collector: {error}") from error
    return "grpc" if port == _GRPC_PORT else "http/protobuf"


def _endpoint(url: str, protocol: OtlpProtocol) -> str:
    if protocol == "grpc" or urlsplit(url).path.endswith(_TRACES_PATH):
        return url
    return url.rstrip("/") + _TRACES_PATH
