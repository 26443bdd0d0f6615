"""What the service allows, in one place; GetServerInfo answers it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes are in bytes of JSON text unless said otherwise."""

    definition_bytes: int = 1024 * 1024
    nodes: int = 5_000
    input_bytes: int = 4 * 1024 * 1024
    node_output_bytes: int = 4 * 1024 * 1024
    #: Results of all nodes of an execution together.
    results_bytes: int = 64 * 1024 * 1024
    #: Bytes of UTF-8; longer messages are cut.
    log_message_bytes: int = 64 * 1024
    #: Executions that run at once.
    concurrent: int = 100
    #: Executions that may wait for a slot.
    queued: int = 10_000
    #: Microseconds an execution may run that names no timeout; None: no limit.
    default_timeout: int | None = None
    #: Longest timeout an execution may name, microseconds; None: no limit.
    timeout: int | None = None
    #: A request on the wire. Protobuf takes up to six times the bytes of JSON text, at lists of small numbers.
    request_bytes: int = 32 * 1024 * 1024
