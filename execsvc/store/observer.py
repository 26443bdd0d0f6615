"""What a store tells whoever measures it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from execsvc.errors import ExecsvcError, StorageUnavailable
from execsvc.model import ExecutionState
from execsvc.store.protocol import Created, CreateExecution, Updated, UpdateExecution

#: Reason of a failure that is a bug.
INTERNAL: Final = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """Changes that went to the database together."""

    #: Changes handed in.
    changes: int
    #: Seconds the database took.
    duration: float
    #: Seconds from handing in the oldest change to its answer.
    wait: float
    #: Executions stored.
    created: int
    #: Final states that executions moved to.
    ended: Sequence[ExecutionState]
    #: Log entries written.
    entries: int
    #: Executions that the changes are of, each change's; what clients ask for may name none.
    uids: Sequence[str]
    #: Why changes could not be carried out, though nothing was wrong with asking for them; one for each.
    failures: Sequence[str]


class StoreObserver(Protocol):
    """Whoever wants to know. Called on the event loop; must neither block nor raise."""

    def batch_done(self, batch: BatchDone) -> None:
        """Take note of a batch that this process handed in."""
        ...

    def read_failed(self, error: StorageUnavailable) -> None:
        """Take note of a read that the database refused."""
        ...


class StoreObservers:
    """Tells several what it is told."""

    def __init__(self, *observers: StoreObserver) -> None:
        self._observers = observers

    def batch_done(self, batch: BatchDone) -> None:
        """See ``StoreObserver``."""
        for observer in self._observers:
            observer.batch_done(batch)

    def read_failed(self, error: StorageUnavailable) -> None:
        """See ``StoreObserver``."""
        for observer in self._observers:
            observer.read_failed(error)


def batch_done(outcomes: Iterable[tuple[object, object]], *, duration: float, wait: float) -> BatchDone:
    """Sum up what came of each change of a batch."""
    changes = created = entries = 0
    ended: list[ExecutionState] = []
    failures: list[str] = []
    uids: list[str] = []
    for change, outcome in outcomes:
        changes += 1
        if isinstance(change, CreateExecution | UpdateExecution) and change.uid is not None:
            uids.append(change.uid)
        if isinstance(outcome, Updated):
            if isinstance(change, UpdateExecution) and not outcome.repeated:
                entries += len(change.entries)
                # Nothing moves an execution to the final state it is in.
                if change.to_state is not None and change.to_state.terminal:
                    ended.append(change.to_state)
        elif isinstance(outcome, Created):
            if isinstance(change, CreateExecution) and outcome.created:
                created += 1
                entries += len(change.entries)
        elif isinstance(outcome, StorageUnavailable):
            failures.append(outcome.reason)
        elif isinstance(outcome, Exception) and not isinstance(outcome, ExecsvcError):
            failures.append(INTERNAL)
    return BatchDone(
        changes=changes,
        duration=duration,
        wait=wait,
        created=created,
        ended=ended,
        entries=entries,
        uids=uids,
        failures=failures,
    )
