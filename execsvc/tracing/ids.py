"""Ids of spans that a later process can work out again: nothing of a run need be stored for the next to link to it."""

from __future__ import annotations

from hashlib import blake2b

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


def trace_id_of(uid: str) -> int:
    """Give the trace of an execution that was stored while nobody traced."""
    return _number(uid, 16)


def run_id_of(uid: str, epoch: int) -> int:
    """Give the span of a run."""
    return _number(f"{uid}/{epoch}", 8)


def node_id_of(uid: str, epoch: int, node_id: str) -> int:
    """Give the span of a node in a run."""
    return _number(f"{uid}/{epoch}/{node_id}", 8)


def attempt_id_of(uid: str, epoch: int, node_id: str, attempt: int) -> int:
    """Give the span of a node's attempt in a run."""
    return _number(f"{uid}/{epoch}/{node_id}/{attempt}", 8)


def _number(text: str, size: int) -> int:
    # 0 is no id.
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=size).digest()) or 1


class Ids(RandomIdGenerator):
    """Gives the next span, and the trace it may be the root of, the ids that were set, else random ones.

    Belongs to one tracer that is used on one thread.
    """

    def __init__(self) -> None:
        self.next_trace = 0
        self.next_span = 0

    def generate_trace_id(self) -> int:
        """See ``IdGenerator``."""
        given, self.next_trace = self.next_trace, 0
        return given or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """See ``IdGenerator``."""
        given, self.next_span = self.next_span, 0
        return given or super().generate_span_id()
