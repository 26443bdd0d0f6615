"""What a follower is handed, and how much of it is kept for one who does not take it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import ExecutionState, ExecutionStatus, LogLevel, NewLogEntry, NodeRun, NodeState
from execsvc.service.changes import (
    SHARED,
    TOKEN_BYTES,
    TOKEN_COST,
    YOUNG,
    YOUNG_BYTES,
    YOUNG_LEAST,
    YOUNG_MORE,
    Changes,
    Subscriber,
    Token,
)
from execsvc.store import Commit


def token(text: str, node_id: str = "a", attempt: int = 1) -> Token:
    return Token(node_id=node_id, attempt=attempt, text=text)


def status(last_sequence: int = 1, uid: str = "u") -> ExecutionStatus:
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
        create_time=1,
        start_time=1,
        end_time=None,
        last_sequence=last_sequence,
        epoch=1,
    )


def test_tokens_come_in_order_and_those_of_one_attempt_in_one_piece() -> None:
    subscriber = Subscriber(tokens=True, nodes=True)
    for text in ("Hel", "lo"):
        subscriber.token(token(text))
    subscriber.token(token("other", "b"))
    subscriber.token(token(" again"))
    subscriber.token(token("anew", attempt=2))
    assert subscriber.take_tokens() == (
        [token("Hello"), token("other", "b"), token(" again"), token("anew", attempt=2)],
        False,
    )
    assert subscriber.take_tokens() == ([], False)


def test_tokens_that_nobody_takes_are_left_out_and_it_is_said_once() -> None:
    subscriber = Subscriber(tokens=True, nodes=True)
    piece = "x" * (1_024 - TOKEN_COST)
    for _ in range(TOKEN_BYTES // 1_024 - 1):
        subscriber.token(token(piece))
    subscriber.token(token(piece[:-100]))
    assert not subscriber.tokens_dropped
    subscriber.token(token("y" * 100))
    # Would find room, but there is a gap before it now.
    subscriber.token(token("z"))
    (taken,), dropped = subscriber.take_tokens()
    assert dropped
    assert taken.text == piece * (TOKEN_BYTES // 1_024 - 1) + piece[:-100]
    subscriber.token(token("on"))
    assert subscriber.take_tokens() == ([token("on")], False)


@pytest.mark.parametrize("text", ["", "x"])
def test_many_small_tokens_cost_bounded_memory_too(text: str) -> None:
    subscriber = Subscriber(tokens=True, nodes=True)
    for _ in range(TOKEN_BYTES // 8):
        subscriber.token(token(text))
    assert len(subscriber._tokens) <= TOKEN_BYTES // TOKEN_COST


def test_who_asked_for_no_tokens_is_neither_woken_by_them_nor_keeps_them() -> None:
    subscriber = Subscriber(tokens=False, nodes=True)
    subscriber.token(token("x"))
    assert not subscriber.changed.is_set()
    assert subscriber.take_tokens() == ([], False)


def test_of_each_node_only_the_newest_row_is_kept_and_never_its_output() -> None:
    changes = Changes()
    running = NodeRun(node_id="a", state=NodeState.RUNNING, attempt=1)
    done = NodeRun(node_id="a", state=NodeState.COMPLETED, attempt=1, output=b'"large"')
    other = NodeRun(node_id="b", state=NodeState.RUNNING, attempt=1)
    with (
        changes.subscribe("default", "e", nodes=True) as (_, subscriber),
        changes.subscribe("default", "e") as (_, reads_the_log),
    ):
        changes.publish(Commit(namespace="default", status=status(2), nodes=[running, other]))
        changes.publish(Commit(namespace="default", status=status(3), nodes=[done]))
        assert {run.node_id: (run.state, run.output) for run in subscriber.take_nodes()} == {
            "a": (NodeState.COMPLETED, None),
            "b": (NodeState.RUNNING, None),
        }
        assert not subscriber.take_nodes()
        assert not reads_the_log.take_nodes(), "rows are kept for who will never take them"


def test_tokens_and_changes_reach_the_followers_of_their_execution_only() -> None:
    changes = Changes()
    with (
        changes.subscribe("default", "e", tokens=True) as (_, one),
        changes.subscribe("default", "e", tokens=True) as (_, two),
        changes.subscribe("default", "other", tokens=True) as (_, other),
        changes.subscribe("elsewhere", "e", tokens=True) as (_, stranger),
    ):
        assert changes.subscribers == 4
        changes.token("default", "e", "a", 1, "x")
        changes.publish(Commit(namespace="default", status=status()))
        for subscriber in (one, two):
            assert subscriber.changed.is_set()
            assert subscriber.take_tokens()[0] == [token("x")]
        for subscriber in (other, stranger):
            assert not subscriber.changed.is_set()
            assert subscriber.take_tokens()[0] == []
    assert changes.subscribers == 0


def test_a_closing_server_wakes_every_follower() -> None:
    changes = Changes()
    with changes.subscribe("default", "e") as (_, subscriber):
        changes.close()
        assert changes.closed
        assert subscriber.changed.is_set()


def test_after_a_deletion_nothing_of_the_execution_is_known() -> None:
    changes = Changes()
    with changes.subscribe("default", "e") as (watch, _):
        changes.publish(Commit(namespace="default", status=status(1)))
        assert watch.status is not None
        changes.publish(Commit(namespace="default", status=status(1), deleted=True))
        assert watch.status is None
        assert watch.after(0) is None


def commit(last_sequence: int, *messages: str, execution_id: str = "e", uid: str = "u") -> Commit:
    entries = [NewLogEntry(time=1, level=LogLevel.INFO, message=message) for message in messages]
    return Commit(
        namespace="n",
        status=replace(status(last_sequence, uid=uid), execution_id=execution_id),
        entries=entries,
    )


def messages_after(changes: Changes, cursor: int, execution_id: str = "e") -> list[str] | None:
    with changes.subscribe("n", execution_id) as (watch, _):
        entries = watch.after(cursor)
    if entries is None:
        return None
    # Whoever handed them in, their bytes are those of their place in the log.
    decoded = decoded_entries(b"".join(encoded for _, encoded in entries))
    assert [entry.sequence for entry in decoded] == list(range(cursor + 1, cursor + 1 + len(entries)))
    assert [entry.message for entry in decoded] == [entry.message for entry, _ in entries]
    return [entry.message for entry in decoded]


def test_who_follows_a_young_execution_finds_its_log_at_hand_and_so_does_the_next() -> None:
    changes = Changes()
    changes.publish(commit(2, "one", "two"))
    changes.publish(commit(3, "three"))
    assert messages_after(changes, 0) == ["one", "two", "three"]
    changes.publish(commit(4, "four"))
    assert messages_after(changes, 2) == ["three", "four"]


def test_what_was_there_before_is_not_taken_for_a_beginning() -> None:
    changes = Changes()
    changes.publish(commit(3, "two", "three"))
    changes.publish(commit(3))
    assert messages_after(changes, 0) is None
    assert not changes._watched


def test_entries_written_elsewhere_are_not_skipped() -> None:
    changes = Changes()
    changes.publish(commit(1, "one"))
    changes.publish(commit(3, "three"))
    assert messages_after(changes, 0) is None
    assert messages_after(changes, 2) == ["three"]


def test_an_execution_under_an_id_used_before_has_a_log_of_its_own() -> None:
    changes = Changes()
    changes.publish(commit(2, "one", "two"))
    changes.publish(replace(commit(2), deleted=True))
    assert messages_after(changes, 0) is None
    changes.publish(commit(1, "anew", uid="v"))
    assert messages_after(changes, 0) == ["anew"]


def begin(changes: Changes, numbers: range) -> None:
    for number in numbers:
        changes.publish(commit(1, "one", execution_id=f"e{number}"))


def test_of_executions_that_nobody_follows_only_the_youngest_are_kept() -> None:
    changes = Changes()
    with changes.subscribe("n", "e0") as (followed, _):
        begin(changes, range(YOUNG + 2))
        assert messages_after(changes, 0, "e1") is None
        assert messages_after(changes, 0, f"e{YOUNG + 1}") == ["one"]
        assert followed.after(0) is not None, "somebody follows it"
    assert not changes._watched
    assert len(changes._young) == YOUNG - 2, "nobody came for two of them"


def test_where_nobody_follows_few_are_kept_and_more_again_once_somebody_does() -> None:
    changes = Changes()
    begin(changes, range(3 * YOUNG))
    assert len(changes._young) == YOUNG_LEAST
    for number in range(YOUNG // YOUNG_MORE):
        with changes.subscribe("n", f"e{number}"):
            pass
    begin(changes, range(3 * YOUNG, 4 * YOUNG))
    assert len(changes._young) == YOUNG - YOUNG_LEAST, "nobody came for the few that had been kept"


def test_a_long_log_is_kept_only_while_somebody_follows() -> None:
    changes = Changes()
    changes.publish(commit(1, "one"))
    changes.publish(commit(2, "x" * (YOUNG_BYTES + 1)))
    assert messages_after(changes, 0) is None
    assert not changes._watched
    assert not changes._young


def test_what_has_ended_is_let_go_of_once_its_last_follower_has_left() -> None:
    changes = Changes()
    changes.publish(commit(1, "one"))
    ended = commit(2, "two")
    changes.publish(replace(ended, status=replace(ended.status, state=ExecutionState.COMPLETED)))
    with changes.subscribe("n", "e"):
        assert messages_after(changes, 0) == ["one", "two"]
        assert messages_after(changes, 0) == ["one", "two"], "another one follows still"
    assert not changes._young
    assert messages_after(changes, 0) is None, "the store has it"


def test_what_one_follower_has_had_made_serves_the_others_until_something_changes() -> None:
    changes = Changes()
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    with changes.subscribe("n", "e") as (watch, _):
        assert watch.shared(0, make) is not watch.shared(0, make), "kept for nobody"
        with changes.subscribe("n", "e"):
            first = watch.shared(0, make)
            assert watch.shared(0, make) is first
            assert watch.shared(1, make) is not first
            changes.publish(commit(1, "one"))
            assert watch.shared(0, make) is not first
            for key in range(1, 100):
                watch.shared(key, make)
            assert len(watch._shared) <= SHARED
