"""What a watch knows of an execution, and how it goes on after a break. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from execsvc_client import v1
from execsvc_client._errors import ExecsvcError, Unavailable
from execsvc_client._models import ExecutionStatus, NodeRun
from execsvc_client._retry import Reconnect
from execsvc_client._snapshots import Snapshot, TokenChunk


class WatchCursor:
    """Turns the responses of any number of broken connections into whole snapshots.

    The server sends what changed; each snapshot here holds all nodes. What only says that the server lives is no
    snapshot. The first response of a new connection is one, whether or not anything changed meanwhile.
    """

    def __init__(self, request: v1.WatchExecutionRequest, reconnect: Reconnect) -> None:
        self._request = request
        self._reconnect = reconnect
        self._next: Snapshot | None = None
        self._nodes: Mapping[str, NodeRun] = {}
        self._status: v1.ExecutionStatus | None = None
        self._fresh = True
        self._complete = False
        self.final_status: ExecutionStatus | None = None

    @property
    def ended(self) -> bool:
        """Whether the final snapshot was handed out."""
        return self._complete and self._next is None

    def request(self) -> v1.WatchExecutionRequest:
        """Return what the next connection must ask for."""
        self._fresh = True
        return self._request

    def call_timeout(self) -> float | None:
        """Return the seconds that the next connection may last; None: without end."""
        return self._reconnect.call_timeout()

    def receive(self, response: v1.WatchExecutionResponse) -> None:
        """Take one response in."""
        news = self._status != response.status or response.tokens or response.tokens_dropped
        if self._fresh:
            changed = self._renewed(response)
        else:
            changed = tuple(node.node_id for node in response.nodes)
            if changed:
                self._nodes = {**self._nodes, **{node.node_id: NodeRun.from_proto(node) for node in response.nodes}}
        self._reconnect.progress(advanced=bool(news or changed))
        if news or changed or self._fresh:
            again = self._fresh and self._status is not None
            self._next = self._snapshot(response, changed, again=again)
        self._status = response.status
        self._fresh = False

    def _renewed(self, response: v1.WatchExecutionResponse) -> tuple[str, ...]:
        """Take over all nodes from the first response of a connection; return the ids of those that changed."""
        before = self._nodes
        self._nodes = {node.node_id: NodeRun.from_proto(node) for node in response.nodes}
        return tuple(
            node_id for node_id, node in self._nodes.items() if node_id not in before or node != before[node_id]
        )

    def _snapshot(self, response: v1.WatchExecutionResponse, changed: tuple[str, ...], *, again: bool) -> Snapshot:
        status = ExecutionStatus.from_proto(response.status)
        self._complete = status.state.terminal
        return Snapshot(
            status=status,
            nodes=self._nodes,
            changed=changed,
            tokens=tuple(map(TokenChunk.from_proto, response.tokens)),
            # What was said while nobody listened is not repeated.
            tokens_dropped=response.tokens_dropped or (again and self._request.include_tokens),
            raw=response,
        )

    def next_item(self) -> Snapshot | None:
        """Hand out the next snapshot; None: read another response first, unless ``ended``."""
        snapshot, self._next = self._next, None
        if snapshot is not None and snapshot.state.terminal:
            self.final_status = snapshot.status
        return snapshot

    def closed_by_server(self) -> float | None:
        """Note that the stream ended without an error.

        Returns:
            The seconds to wait before connecting again; None: this was the end.
        """
        if self._complete:
            return None
        return self.broken(Unavailable("the server closed the watch before the execution had ended"))

    def broken(self, error: ExecsvcError) -> float:
        """Note that the stream failed; return the seconds to wait before connecting again.

        Raises:
            ExecsvcError: connecting again would not help, or was tried for too long.
        """
        return self._reconnect.delay_after(error)
