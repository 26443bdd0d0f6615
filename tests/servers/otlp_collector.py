"""An OTLP collector that keeps what it gets; run as a process of its own.

    python otlp_collector.py --spans FILE [--answer ok|unavailable|never]

prints ``PORTS grpc http`` once it listens. Each span is appended to the file as one JSON line before the sender has its
answer. ``unavailable`` refuses everything with a status after which senders try again, ``never`` leaves them waiting.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse as Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


class Collector(TraceServiceServicer):
    """Writes spans down, or does not answer as it should."""

    def __init__(self, spans: str, answer: str) -> None:
        self._file = os.open(spans, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.answer = answer

    def keep(self, request: Request, protocol: str, headers: Iterable[tuple[str, Any]]) -> None:
        """Write every span down; a single write, so that lines do not mix."""
        about = {"protocol": protocol, "headers": {name.lower(): str(value) for name, value in headers}}
        lines = [
            json.dumps(_span(span) | {"resource": _values(part.resource.attributes), "scope": scope.scope.name} | about)
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]
        os.write(self._file, "".join(line + "\n" for line in lines).encode())

    def Export(self, request: Request, context: Any) -> Response:
        """Take spans over gRPC."""
        if self.answer == "never":
            threading.Event().wait()
        if self.answer == "unavailable":
            context.abort(grpc.StatusCode.UNAVAILABLE, "out of order")
        self.keep(request, "grpc", context.invocation_metadata())
        return Response()


def _span(span: Any) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "trace_state": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _values(span.attributes),
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": _values(link.attributes)}
            for link in span.links
        ],
        "events": [{"name": event.name, "attributes": _values(event.attributes)} for event in span.events],
        "status": {"code": span.status.code, "message": span.status.message},
    }


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def _http(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.answer == "never":
                threading.Event().wait()
            if collector.answer == "ok" and self.path == "/v1/traces":
                collector.keep(Request.FromString(body), "http/protobuf", self.headers.items())
            status = 404 if self.path != "/v1/traces" else 503 if collector.answer == "unavailable" else 200
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def main() -> None:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", required=True)
    parser.add_argument("--answer", default="ok", choices=["ok", "unavailable", "never"])
    options = parser.parse_args()
    collector = Collector(options.spans, options.answer)
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _http(collector))
    print("PORTS", port, http.server_port, flush=True)
    http.serve_forever()


if __name__ == "__main__":
    main()
