"""Results and errors of the client as the JSON documents that scenarios compare."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from execsvc_client import ExecsvcError, Execution, InternalError, LogEntry, Snapshot


def message(raw: Message) -> dict[str, Any]:
    """A message as canonical JSON with the names of the proto files."""
    return MessageToDict(raw, preserving_proto_field_name=True)


def execution(found: Execution) -> dict[str, Any]:
    """The record of an execution, and its output as Python has it."""
    output = json.dumps(found.output, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return message(found.raw) | {"output_text": output}


def error(raised: ExecsvcError) -> dict[str, Any]:
    """What was raised."""
    return {
        "type": "Internal" if isinstance(raised, InternalError) else type(raised).__name__,
        "code": raised.code,
        "reason": raised.reason,
        "message": raised.message,
        "metadata": dict(raised.metadata),
        "field_violations": [
            {"path": problem.path, "reason": problem.reason, "message": problem.message}
            for problem in raised.field_violations
        ],
        "retry_delay": raised.retry_delay,
        "execution_id": raised.execution_id,
        "state": raised.state,
    }


class LogReading:
    """What was read of a log so far."""

    def __init__(self) -> None:
        self.count = 0
        self._first = 0
        self._last = 0
        self._gapless = True
        self._sequences: set[int] = set()
        self._entries: list[dict[str, Any]] = []

    def add(self, entry: LogEntry) -> None:
        """Take one entry in."""
        self.count += 1
        if self.count == 1:
            self._first = entry.sequence
        elif entry.sequence != self._last + 1:
            self._gapless = False
        self._last = entry.sequence
        self._sequences.add(entry.sequence)
        if len(self._entries) < 20:
            self._entries.append(message(entry.raw))

    def listed(self) -> dict[str, Any]:
        """As the result of ``list_logs``."""
        return {"count": self.count, "gapless": self._gapless, "entries": self._entries}

    def streamed(self, stream: Any) -> dict[str, Any]:
        """As the result of ``logs``."""
        return self.listed() | {
            "first_sequence": self._first,
            "last_sequence": stream.last_sequence,
            "sequences_unique": len(self._sequences) == self.count,
            "final_state": _final_state(stream),
        }


class WatchReading:
    """What was seen of an execution so far."""

    def __init__(self) -> None:
        self.count = 0
        self._states: list[str] = []
        self._progress = 0.0
        self._fell = False
        self._text = ""

    def add(self, snapshot: Snapshot) -> None:
        """Take one snapshot in."""
        self.count += 1
        state = f"EXECUTION_STATE_{snapshot.state}"
        if state not in self._states:
            self._states.append(state)
        self._fell |= snapshot.status.progress < self._progress
        self._progress = snapshot.status.progress
        self._text += "".join(chunk.text for chunk in snapshot.tokens)

    def streamed(self, stream: Any) -> dict[str, Any]:
        """As the result of ``watch``."""
        return {
            "count": self.count,
            "states": self._states,
            "progress_never_falls": not self._fell,
            "text": self._text,
            "final_state": _final_state(stream),
        }


def _final_state(stream: Any) -> str:
    return "" if stream.final_status is None else f"EXECUTION_STATE_{stream.final_status.state}"
