"""Traces calls, executions, nodes, models and commits. OpenTelemetry stops here, and is loaded only if asked for."""

from execsvc.tracing.settings import MISSING, OtlpProtocol, TracingSettings, tracing_settings

__all__ = ["MISSING", "OtlpProtocol", "TracingSettings", "tracing_settings"]
