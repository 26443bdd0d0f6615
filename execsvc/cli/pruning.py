"""Delete many executions, several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from execsvc_client import Execution, ExecutionClient

#: Deletes under way at once: the server commits those that wait for the disk together.
AT_ONCE: Final = 16
#: Deletes handed in and not answered yet, so that a list of any length takes the same memory.
WAITING: Final = 4 * AT_ONCE


def prune_all(
    client: ExecutionClient, found: Iterable[Execution], *, step: Callable[[int, int], None] = lambda *_: None
) -> tuple[int, int]:
    """Delete executions; what was retried or deleted by somebody else meanwhile stays.

    Args:
        client: safe to share between threads, which do the deletes.
        found: fetched as they are deleted.
        step: told after each answer: those found, those deleted so far.

    Returns:
        How many were found, and how many of them were deleted.

    Raises:
        ExecsvcError: the first that stands in the way of going on; deletes under way are awaited first.
    """
    matched = deleted = 0
    waiting: deque[Future[bool]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="execsvc-prune") as pool:
        try:
            for execution in found:
                matched += 1
                waiting.append(pool.submit(_deleted, client, execution.execution_id))
                if len(waiting) >= WAITING:
                    deleted += waiting.popleft().result()
                    step(matched, deleted)
            while waiting:
                deleted += waiting.popleft().result()
                step(matched, deleted)
        except BaseException:
            # Ctrl-C and a server that went away: begin no more.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return matched, deleted


def _deleted(client: ExecutionClient, execution_id: str) -> bool:
    from execsvc_client import FailedPrecondition, NotFound

    try:
        client.delete(execution_id)
    except (FailedPrecondition, NotFound):
        return False
    return True
