"""What a watch of an execution answers, as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from execsvc_client import v1
from execsvc_client._models import ExecutionState, ExecutionStatus, NodeRun


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChunk:
    """A piece of a language model's answer."""

    #: Node that asked.
    node_id: str
    #: Its attempt, from 1; a new attempt begins its answer anew.
    attempt: int
    #: To be appended.
    text: str
    raw: v1.TokenChunk = field(repr=False, compare=False)

    @classmethod
    def from_proto(cls, raw: v1.TokenChunk) -> TokenChunk:
        """Return what a message says."""
        return cls(node_id=raw.node_id, attempt=raw.attempt, text=raw.text, raw=raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An execution at one moment. Changes that came faster than they were read are joined into one."""

    status: ExecutionStatus
    #: All nodes, by id, in the order of the definition; without outputs.
    nodes: Mapping[str, NodeRun]
    #: Ids of the nodes that changed since the snapshot before; in the first one of all.
    changed: tuple[str, ...]
    #: What models answered since the snapshot before; empty unless tokens were asked for.
    tokens: tuple[TokenChunk, ...]
    #: Whether pieces are missing: they came faster than they were read, or the connection was broken meanwhile.
    tokens_dropped: bool
    #: The message that completed it; its ``nodes`` are only those that the server sent last.
    raw: v1.WatchExecutionResponse = field(repr=False, compare=False)

    @property
    def state(self) -> ExecutionState:
        """Where the execution stands."""
        return self.status.state
