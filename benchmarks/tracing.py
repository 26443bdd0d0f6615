"""What traces cost the server: without, with one execution in a hundred sampled, and with all of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.figures import median, ratios, spread
from benchmarks.report import Goal, report
from benchmarks.server import ROOT, Server, run, server

OFF = "off"
SAMPLED = {"1 %": "0.01", "100 %": "1.0"}


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """Run a process that takes spans and keeps none; answers its URL."""
    command = [sys.executable, "-m", "benchmarks.tracing"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def main(full: bool) -> None:
    """Measure three servers in turn, so that a change of the machine's speed touches all."""
    rounds, count = (9, 3_000) if full else (5, 600)
    in_flight = 64
    processor: dict[str, list[float]] = {name: [] for name in (OFF, *SAMPLED)}
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(collector())
        servers: dict[str, Server] = {}
        for name in processor:
            variables = (
                {"EXECSVC_TRACING": "off"}
                if name == OFF
                else {
                    "EXECSVC_TRACING": url,
                    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                    "OTEL_TRACES_SAMPLER_ARG": SAMPLED[name],
                }
            )
            servers[name] = stack.enter_context(server(max_concurrent=in_flight, environment=variables))
            run("load", servers[name].address, in_flight * 4, in_flight)
        for _ in range(rounds):
            for name, served in servers.items():
                before = served.cpu()
                run("load", served.address, count, in_flight)
                processor[name].append((served.cpu() - before) / count)
    rows = [
        (name, spread(values, digits=2, scale=1000), f"{median(ratios(values, processor[OFF])):.2f}")
        for name, values in processor.items()
    ]
    goals = [
        Goal(
            question="processor of an execution, 1 % traced",
            reference="without traces",
            measured=median(ratios(processor["1 %"], processor[OFF])),
            limit=1.1,
            at_least=False,
        )
    ]
    report(
        "tracing",
        "Completed executions of 5 nodes, one an echo llm, 64 in flight",
        ("sampled", "processor ms each: median (least to most)", "ratio"),
        rows,
        processor,
        goals,
        full=full,
    )


class _Sink(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    sink = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    print(sink.server_port, flush=True)
    sink.serve_forever()
