"""Pruning deletes several at once, in bounded memory, and stops where it cannot go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import pytest

from execsvc.cli.pruning import AT_ONCE, WAITING, prune_all
from execsvc_client import Execution, ExecutionClient, FailedPrecondition, Unavailable, v1


def executions(count: int, taken: list[int]) -> Iterator[Execution]:
    """So many executions, each noted when it is fetched."""
    for number in range(count):
        taken.append(number)
        raw = v1.Execution()
        raw.status.execution_id = str(number)
        yield Execution.from_proto(raw)


class Client:
    """Deletes; every tenth is not there to be deleted."""

    def __init__(self, together: int = 1) -> None:
        self.deleted: list[str] = []
        self._together = threading.Barrier(together)

    def delete(self, execution_id: str) -> None:
        """As the client's; comes back when so many have been called."""
        self._together.wait(30)
        if int(execution_id) % 10 == 3:
            raise FailedPrecondition("it is PENDING")
        self.deleted.append(execution_id)


def test_as_many_are_deleted_at_once_as_may_be_and_each_answer_is_counted() -> None:
    client = Client(together=AT_ONCE)
    steps: list[tuple[int, int]] = []

    counted = prune_all(
        cast("ExecutionClient", client), executions(10 * AT_ONCE, []), step=lambda *step: steps.append(step)
    )

    assert counted == (10 * AT_ONCE, len(client.deleted)) == steps[-1]
    assert len(client.deleted) == 9 * AT_ONCE
    assert steps == sorted(steps)


def test_no_more_are_fetched_than_may_wait() -> None:
    taken: list[int] = []
    ahead: list[int] = []
    client = Client()

    prune_all(
        cast("ExecutionClient", client), executions(1000, taken), step=lambda found, _: ahead.append(len(taken) - found)
    )

    assert len(taken) == 1000
    assert max(ahead) <= WAITING


def test_a_server_that_goes_away_ends_it_and_begins_no_more() -> None:
    class Gone(Client):
        def delete(self, execution_id: str) -> None:
            raise Unavailable("gone")

    taken: list[int] = []
    with pytest.raises(Unavailable):
        prune_all(cast("ExecutionClient", Gone()), executions(10_000, taken))

    assert len(taken) <= WAITING
