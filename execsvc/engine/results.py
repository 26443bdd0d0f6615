"""How much the results of an execution's nodes may be together."""

from __future__ import annotations

from execsvc.engine.attempt import Failure, Success, failed
from execsvc.engine.nodes.executor import NodeContext, NodeError


class Results:
    """Counts the results of one execution.

    Args:
        most: bytes of JSON text that they may have together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0

    def recorded(self, output: bytes) -> None:
        """Count a result that is on record already."""
        self._bytes += len(output)

    def take(self, outcome: Success | Failure, context: NodeContext) -> Success | Failure:
        """Count the result of an attempt; it is a failure where there would be more than may be."""
        if isinstance(outcome, Failure):
            return outcome
        together = self._bytes + len(outcome.output)
        if together > self._most:
            message = (
                f"with this one the results of the execution's nodes have {together} bytes together; at most "
                f"{self._most} are allowed (--max-results)"
            )
            return failed(NodeError("OUTPUT_TOO_LARGE", message, usage=outcome.usage), context)
        self._bytes = together
        return outcome
