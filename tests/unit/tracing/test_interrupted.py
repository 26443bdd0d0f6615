"""What is told of an interrupted run, by log and journal; what nodes write into the log themselves changes nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from execsvc.encoding.log_entries import encoded_entry
from execsvc.model import EncodedEntries, ExecutionState, ExecutionStatus, LogLevel, NodeRun, NodeState
from execsvc.store import Claim, LogPage, Store
from execsvc.tracing.interrupted import OpenNode, find_interrupted

#: Time, node, and what a log entry tells.
Entry = tuple[int, str, dict[str, Any]]
QUEUED: Entry = (10, "", {"event": "execution_queued"})
CLAIMED: Entry = (20, "", {"event": "execution_running"})


def began(time: int, node_id: str) -> Entry:
    """A node's attempt began."""
    return (time, node_id, {"event": "node_started", "type": "llm"})


def status(*, uid: str, last_sequence: int, epoch: int = 1, start_time: int = 20) -> ExecutionStatus:
    """Where an execution stands that runs."""
    return ExecutionStatus(
        execution_id="e",
        uid=uid,
        workflow_id="",
        state=ExecutionState.RUNNING,
        current_node="",
        running_nodes=(),
        nodes_done=0,
        nodes_total=2,
        message="",
        create_time=10,
        start_time=start_time,
        end_time=None,
        last_sequence=last_sequence,
        epoch=epoch,
    )


class Log:
    """A store that has one execution's log."""

    def __init__(self, *entries: Entry, uid: str = "u") -> None:
        self.entries = entries
        self._uid = uid

    async def log_page(self, namespace: str, execution_id: str, *, after: int, limit: int) -> LogPage:
        """Answer the entries after a sequence."""
        part = list(enumerate(self.entries, start=1))[after : after + limit]
        encoded = [
            encoded_entry(sequence, time, LogLevel.INFO.rank, node_id, 0, "said", facts)
            for sequence, (time, node_id, facts) in part
        ]
        last = part[-1][0] if part else 0
        entries = EncodedEntries(data=b"".join(encoded), count=len(encoded), last=last)
        found = status(uid=self._uid, last_sequence=len(self.entries))
        return LogPage(entries=entries, cursor=len(self.entries), status=found)


async def interrupted(log: Log, *nodes: NodeRun, epoch: int = 2) -> Any:
    """What is found for a claim that wrote the last entry."""
    claim = Claim(
        status=status(uid="u", epoch=epoch, last_sequence=len(log.entries)),
        labels={},
        definition=b'{"nodes": [{"id": "a", "type": "llm"}, {"id": "b", "type": "llm"}]}',
        definition_digest="d",
        input=b"{}",
        timeout=None,
        ran_for=0,
        nodes={node.node_id: node for node in nodes},
    )
    return await find_interrupted("default", claim, cast(Store, log))


def running(node_id: str, start: int) -> NodeRun:
    """A node whose attempt was cut off."""
    return NodeRun(node_id=node_id, state=NodeState.RUNNING, attempt=1, start_time=start)


async def test_a_run_after_which_nothing_was_written_was_interrupted() -> None:
    found = await interrupted(Log(QUEUED, CLAIMED, began(30, "a"), began(40, "b"), CLAIMED), running("b", 40))

    assert (found.start, found.end) == (20, 40)
    # Node a has a result by now.
    assert found.nodes == (OpenNode(node_id="b", type="llm", start=40, attempt=(1, 40)),)


@pytest.mark.parametrize("event", ["execution_resumed", "execution_retried", "execution_queued"])
async def test_a_run_that_was_followed_by_a_change_of_state_has_told_itself(event: str) -> None:
    log = Log(QUEUED, CLAIMED, began(30, "a"), (50, "", {"event": event}), CLAIMED)

    assert await interrupted(log, running("a", 30)) is None


async def test_a_node_that_waited_for_its_next_attempt_has_none_under_way() -> None:
    waiting = NodeRun(node_id="a", state=NodeState.PENDING, attempt=2, start_time=35, retry_time=99)
    found = await interrupted(Log(QUEUED, CLAIMED, began(30, "a"), began(35, "a"), CLAIMED), waiting)

    assert found.nodes == (OpenNode(node_id="a", type="llm", start=30, attempt=None),)


async def test_only_the_last_run_is_told() -> None:
    log = Log(QUEUED, CLAIMED, began(30, "a"), (44, *CLAIMED[1:]), (45, "", {}), CLAIMED)
    found = await interrupted(log, running("a", 30), epoch=3)

    # The node was under way in the run before that, which was told when this one began.
    assert found.nodes == ()
    assert found.end == 45


async def test_a_node_cannot_write_the_end_or_begin_of_its_run_into_the_log() -> None:
    forged = [(41, "a", {"event": event}) for event in ("execution_running", "execution_resumed")]
    found = await interrupted(Log(QUEUED, CLAIMED, began(30, "a"), *forged, CLAIMED), running("a", 30))

    assert (found.start, found.end) == (20, 41)
    assert [node.node_id for node in found.nodes] == ["a"]


async def test_of_a_long_log_the_end_is_read_alone() -> None:
    chatter: list[Entry] = [(40 + number, "a", {}) for number in range(3000)]
    found = await interrupted(Log(QUEUED, CLAIMED, began(30, "a"), *chatter, CLAIMED), running("a", 30))

    assert (found.start, found.end) == (20, 3039)
    assert found.nodes == (OpenNode(node_id="a", type="llm", start=30, attempt=(1, 30)),)


async def test_an_execution_that_took_the_place_of_another_is_not_taken_for_it() -> None:
    assert await interrupted(Log(QUEUED, CLAIMED, began(30, "a"), CLAIMED, uid="other"), running("a", 30)) is None
