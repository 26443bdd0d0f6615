"""Changes that were handed in to be written together: how many at once, and how each is answered afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from execsvc.model import ExecutionStatus
from execsvc.store.decisions import Change, Outcome
from execsvc.store.observer import StoreObserver, batch_done
from execsvc.store.protocol import Commit, Created, Updated, WorkflowPut

#: Changes in one transaction at most, so that a backlog does not make the first of them wait for all.
MAX_BATCH: Final = 512
#: Bytes after which a transaction takes no more changes: all of them pass through memory as JSON text.
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024

#: What a change that was carried out is answered with.
Done = Created | Updated | ExecutionStatus | WorkflowPut
#: Called on the loop after each commit with every execution it changed.
Published = Callable[[list[Commit]], None]


@dataclass(slots=True)
class HandedIn:
    """A change, and whoever waits for it."""

    change: Change
    future: asyncio.Future[Done]
    #: When it was, by ``perf_counter``.
    since: float
    outcome: Outcome | None = None


def answer(
    batch: Sequence[HandedIn],
    commits: list[Commit],
    duration: float,
    publish: Published,
    observer: StoreObserver | None,
) -> None:
    """Answer each change of a batch with its outcome, then tell what the batch has changed. On the event loop.

    Args:
        duration: seconds the database took.
        observer: told of the batch.
    """
    for waiting in batch:
        outcome = waiting.outcome
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            assert outcome is not None
            waiting.future.set_result(outcome)
    if commits:
        publish(commits)
    if observer is not None:
        outcomes = ((waiting.change, waiting.outcome) for waiting in batch)
        wait = perf_counter() - batch[0].since
        observer.batch_done(batch_done(outcomes, duration=duration, wait=wait))
