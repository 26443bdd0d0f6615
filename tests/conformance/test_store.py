"""Writes to a store: order, conditions, repeats, who is told, and what is left after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from execsvc.errors import (
    ExecsvcError,
    ExecutionExists,
    ExecutionNotFound,
    IllegalTransition,
    LeaseLost,
    RequestIdReused,
    StateChanged,
    StorageUnavailable,
)
from execsvc.model import (
    ErrorInfo,
    ExecutionState,
    ExecutionStatus,
    LogLevel,
    NewLogEntry,
    NodeRun,
    NodeState,
)
from execsvc.store import Commit, Created, Store, Updated
from tests.conformance.reads import contents, outcomes, running, whole_log
from tests.support.changes import ANY_STATE, NAMESPACE, NOW, claim, create, entries, move, update

State = ExecutionState
Reopen = Callable[[], Awaitable[Store]]


class TestCreate:
    async def test_answers_pending_with_nothing_done(self, store: Store) -> None:
        created = await store.create(create(time=NOW, message="waits", log=entries("a", "b")))
        assert created == Created(
            created=True,
            status=ExecutionStatus(
                execution_id="e1",
                uid="uid-e1",
                workflow_id="w1",
                state=State.PENDING,
                current_node="",
                running_nodes=(),
                nodes_done=0,
                nodes_total=3,
                message="waits",
                create_time=NOW,
                start_time=None,
                end_time=None,
                last_sequence=2,
                epoch=0,
            ),
        )
        assert await store.status(NAMESPACE, "e1") == created.status

    async def test_repeat_of_the_same_request_answers_where_it_stands_and_changes_nothing(self, store: Store) -> None:
        await store.create(create())
        now = (await store.update(claim())).status
        again = await store.create(create(uid="another", time=NOW + 5, message="again", log=entries("again")))
        assert again == Created(status=now, created=False)
        assert contents(await whole_log(store)) == [(1, "queued"), (2, "running")]

    async def test_same_id_with_another_request_is_refused_with_the_state(self, store: Store) -> None:
        await running(store)
        with pytest.raises(ExecutionExists) as refused:
            await store.create(create(input=b'{"n":2}'))
        assert (refused.value.execution_id, refused.value.state) == ("e1", "RUNNING")
        assert (await store.execution(NAMESPACE, "e1", full=True)).input == b'{"n":1}'

    async def test_repeats_handed_in_together_make_one_execution(self, store: Store) -> None:
        made = await outcomes([store.create(create(uid=f"u{i}", input=b"%d" % (i % 2))) for i in range(20)])
        assert [outcome.created for outcome in made[::2]] == [True] + [False] * 9
        assert {outcome.status.uid for outcome in made[::2]} == {"u0"}
        assert all(isinstance(outcome, ExecutionExists) for outcome in made[1::2])
        assert contents(await whole_log(store)) == [(1, "queued")]

    async def test_definitions_are_kept_by_digest(self, store: Store) -> None:
        for i in range(6):
            await store.create(create(f"e{i}", definition_digest=f"d{i % 2}", definition=b'{"nodes":[%d]}' % (i % 2)))
        records = [await store.execution(NAMESPACE, f"e{i}", full=True) for i in range(6)]
        assert [record.definition for record in records] == [b'{"nodes":[0]}', b'{"nodes":[1]}'] * 3
        assert [record.definition_digest for record in records] == ["d0", "d1"] * 3


class TestOrder:
    async def test_changes_handed_in_without_awaiting_are_carried_out_in_that_order(self, store: Store) -> None:
        created = store.create(create())
        claimed = store.update(claim(uid="uid-e1"))
        wrote = [store.update(update(epoch=1, entries=entries(f"entry {i}"), nodes_done=i)) for i in range(50)]
        stopped = store.update(move("e1", State.STOPPED))
        late = store.update(update(epoch=1, from_states=(State.RUNNING,), entries=entries("late")))
        assert (await created).status.state is State.PENDING
        assert (await claimed).status.epoch == 1
        assert [(await write).status.last_sequence for write in wrote] == list(range(3, 53))
        assert (await stopped).status.state is State.STOPPED
        with pytest.raises(IllegalTransition):
            await late
        assert [message for _, message in contents(await whole_log(store))] == [
            "queued",
            "running",
            *(f"entry {i}" for i in range(50)),
            "now STOPPED",
        ]

    async def test_update_before_its_create_finds_nothing(self, store: Store) -> None:
        early, created = store.update(claim()), store.create(create())
        with pytest.raises(ExecutionNotFound):
            await early
        assert (await created).status.epoch == 0

    async def test_answers_come_after_the_change_can_be_read(self, store: Store) -> None:
        for i in range(20):
            await store.create(create(f"e{i}"))
            assert (await store.status(NAMESPACE, f"e{i}")).execution_id == f"e{i}"

    async def test_caller_that_gave_up_does_not_take_its_change_back(self, store: Store) -> None:
        await store.create(create())
        given_up = store.update(claim())
        given_up.cancel()
        await store.update(update(entries=entries("after")))
        assert (await store.status(NAMESPACE, "e1")).state is State.RUNNING


class TestConditions:
    async def test_nothing_under_the_id(self, store: Store) -> None:
        with pytest.raises(ExecutionNotFound) as refused:
            await store.update(claim("nobody"))
        assert refused.value.execution_id == "nobody"

    async def test_another_uid_is_another_execution(self, store: Store) -> None:
        await store.create(create())
        with pytest.raises(ExecutionNotFound):
            await store.update(claim(uid="uid-before"))
        assert (await store.update(claim(uid="uid-e1"))).status.state is State.RUNNING

    async def test_write_of_a_lease_that_was_taken_over_is_refused(self, store: Store) -> None:
        first = await running(store)
        second = (await store.update(claim())).status
        assert (first.epoch, second.epoch) == (1, 2)
        for stale in (0, 1, 3):
            with pytest.raises(LeaseLost):
                await store.update(update(epoch=stale, entries=entries("stale")))
        assert (await store.update(update(epoch=2))).status.epoch == 2
        assert contents(await whole_log(store)) == [(1, "queued"), (2, "running"), (3, "running")]

    async def test_unexpected_state_is_told_with_both_states(self, store: Store) -> None:
        await running(store)
        with pytest.raises(StateChanged) as refused:
            await store.update(move("e1", State.STOPPED, expected_state=State.PENDING))
        assert (refused.value.expected, refused.value.state) == ("PENDING", "RUNNING")
        stopped = await store.update(move("e1", State.STOPPED, expected_state=State.RUNNING))
        assert stopped.status.state is State.STOPPED

    async def test_state_that_does_not_allow_it_is_told_with_those_that_do(self, store: Store) -> None:
        await store.create(create())
        with pytest.raises(IllegalTransition) as refused:
            await store.update(move("e1", State.PAUSED, action="pause", from_states=(State.RUNNING,)))
        error = refused.value
        assert (error.action, error.state, error.allowed_from) == ("pause", "PENDING", ("RUNNING",))

    async def test_conditions_are_checked_in_the_stated_order(self, store: Store) -> None:
        await running(store)
        await store.update(update(action="pause", request_id="r1"))
        # Each change breaks its condition and all that are checked after it.
        broken: dict[str, Any] = {"from_states": (State.FAILED,), "to_state": State.PENDING}
        failures: list[type[ExecsvcError]] = []
        for condition in (
            {"expected_state": State.PAUSED},
            {"epoch": 7},
            {"request_id": "r1", "action": "stop"},
            {"uid": "uid-before"},
        ):
            with pytest.raises(ExecsvcError) as refused:
                await store.update(update(**broken))
            failures.append(refused.type)
            broken |= condition
        with pytest.raises(ExecsvcError) as refused:
            await store.update(update(**broken))
        assert [*failures, refused.type] == [
            IllegalTransition,
            StateChanged,
            LeaseLost,
            RequestIdReused,
            ExecutionNotFound,
        ]

    async def test_repeated_request_answers_although_later_conditions_fail(self, store: Store) -> None:
        await running(store)
        first = await store.update(move("e1", State.PAUSED, request_id="r1"))
        again = await store.update(
            move("e1", State.PAUSED, request_id="r1", epoch=99, expected_state=State.FAILED, from_states=())
        )
        assert again == Updated(status=first.status, repeated=True)

    @pytest.mark.parametrize(
        "condition",
        [{"uid": "other"}, {"epoch": 9}, {"expected_state": State.PAUSED}, {"from_states": (State.FAILED,)}],
        ids=lambda condition: next(iter(condition)),
    )
    async def test_refused_change_leaves_nothing_behind(self, store: Store, condition: dict[str, Any]) -> None:
        await running(store)
        before = await store.execution(NAMESPACE, "e1", full=True)
        log = await whole_log(store)
        refused = update(
            **{
                "to_state": State.RUNNING,
                "claim_owner": "thief",
                "request_id": "r1",
                "message": "no",
                "current_node": "x",
                "running_nodes": ("x",),
                "nodes_done": 2,
                "ran_for": 5,
                "output": b"1",
                "error": ErrorInfo(type="X", message="x"),
                "nodes": (NodeRun(node_id="x", state=NodeState.RUNNING),),
                "entries": entries("no"),
                **condition,
            }
        )
        with pytest.raises(ExecsvcError):
            await store.update(refused)
        assert await store.execution(NAMESPACE, "e1", full=True) == before
        assert await whole_log(store) == log
        assert not (await store.update(update(request_id="r1"))).repeated

    async def test_failing_changes_do_not_fail_their_neighbours(self, store: Store) -> None:
        await running(store)
        await running(store, "e2")
        for done, outcome in enumerate(
            await outcomes(
                [
                    store.update(
                        update(
                            "e1" if i % 4 < 2 else "e2",
                            epoch=1 if i % 2 else 9,
                            entries=entries(f"entry {i}"),
                            nodes=(NodeRun(node_id=f"n{i}", state=NodeState.COMPLETED, output=b"%d" % i),),
                        )
                    )
                    for i in range(100)
                ]
            )
        ):
            assert isinstance(outcome, Updated if done % 2 else LeaseLost)
        for execution_id, offset in (("e1", 1), ("e2", 3)):
            written = [f"entry {i}" for i in range(offset, 100, 4)]
            assert contents(await whole_log(store, execution_id))[2:] == list(enumerate(written, start=3))
            record = await store.execution(NAMESPACE, execution_id, full=True)
            assert set(record.nodes) == {f"n{i}" for i in range(offset, 100, 4)}

    async def test_malformed_change_fails_alone_with_its_own_error(self, store: Store) -> None:
        await running(store)
        bad_entry = NewLogEntry(time=NOW, level=LogLevel.INFO, message="bad", metadata={"x": object()})
        bad_node = NodeRun(node_id="n", state=NodeState.COMPLETED, output=b"\xff")
        futures: list[asyncio.Future[Any]] = [
            store.update(update(entries=entries("first"))),
            store.update(update(entries=(*entries("lost"), bad_entry))),
            store.update(update(nodes=(bad_node,), entries=entries("lost"))),
            store.update(update(output=b"\xff", entries=entries("lost"))),
            store.create(create("e2", input=b"\xff")),
            # A bug of the caller: no such move, although ``from_states`` allows it.
            store.update(move("e1", State.RUNNING, from_states=ANY_STATE)),
            store.update(move("e1", State.PENDING, from_states=ANY_STATE)),
            store.update(update(entries=entries("last"))),
        ]
        first, *bad, stays, impossible, last = await outcomes(futures)
        assert isinstance(first, Updated)
        assert isinstance(stays, Updated)
        assert isinstance(last, Updated)
        assert [isinstance(outcome, TypeError | ValueError) for outcome in bad] == [True] * 4
        assert isinstance(impossible, AssertionError)
        assert [message for _, message in contents(await whole_log(store))][2:] == ["first", "now RUNNING", "last"]
        with pytest.raises(ExecutionNotFound):
            await store.status(NAMESPACE, "e2")


class TestRequestIds:
    async def test_repeat_answers_the_first_status_and_does_nothing(self, store: Store) -> None:
        await running(store)
        first = await store.update(move("e1", State.PAUSED, action="pause", request_id="r1"))
        assert not first.repeated
        await store.update(move("e1", State.RUNNING, action="resume", request_id="r2"))
        again = await store.update(move("e1", State.PAUSED, action="pause", request_id="r1"))
        assert again == Updated(status=first.status, repeated=True)
        assert (await store.status(NAMESPACE, "e1")).state is State.RUNNING
        assert len(await whole_log(store)) == 4

    async def test_repeats_handed_in_together_act_once(self, store: Store) -> None:
        await running(store)
        answers = await outcomes([store.update(update(request_id="r1", entries=entries("once"))) for _ in range(10)])
        assert [answer.repeated for answer in answers] == [False] + [True] * 9
        assert len({answer.status for answer in answers}) == 1
        assert contents(await whole_log(store))[2:] == [(3, "once")]

    @pytest.mark.parametrize("together", [True, False])
    async def test_reuse_for_another_action_is_refused(self, store: Store, together: bool) -> None:
        await running(store)
        first = store.update(move("e1", State.PAUSED, action="pause", request_id="r1"))
        if not together:
            await first
        with pytest.raises(RequestIdReused) as refused:
            await store.update(move("e1", State.STOPPED, action="stop", request_id="r1"))
        assert (refused.value.request_id, refused.value.action) == ("r1", "pause")
        assert (await first).status.state is State.PAUSED

    async def test_request_ids_belong_to_one_execution(self, store: Store) -> None:
        await running(store)
        await running(store, "e2")
        assert not (await store.update(update("e1", action="pause", request_id="r1"))).repeated
        assert not (await store.update(update("e2", action="stop", request_id="r1"))).repeated

    async def test_refused_request_may_be_tried_again(self, store: Store) -> None:
        await store.create(create())
        pause = move("e1", State.PAUSED, action="pause", from_states=(State.RUNNING,), request_id="r1")
        with pytest.raises(IllegalTransition):
            await store.update(pause)
        await store.update(claim())
        assert (await store.update(pause)).status.state is State.PAUSED


class TestListeners:
    async def test_told_of_each_change_once_it_can_be_read(self, store: Store) -> None:
        told: list[Commit] = []
        store.listen(told.append)
        node = NodeRun(node_id="n", state=NodeState.RUNNING)
        created = await store.create(create(namespace="other"))
        claimed = await store.update(claim(namespace="other"))
        noted = await store.update(update(namespace="other", nodes=(node,)))
        assert [(commit.namespace, commit.status, commit.deleted) for commit in told] == [
            ("other", created.status, False),
            ("other", claimed.status, False),
            ("other", noted.status, False),
        ]
        assert [list(commit.entries) for commit in told] == [list(entries("queued")), list(entries("running")), []]
        assert [list(commit.nodes) for commit in told] == [[], [], [node]]
        assert noted.status == await store.status("other", "e1")

    async def test_told_the_status_after_all_changes_of_a_commit(self, store: Store) -> None:
        told: list[Commit] = []
        store.listen(told.append)
        futures: list[asyncio.Future[Any]] = [store.create(create()), store.update(claim())]
        futures += [store.update(update(entries=entries(f"entry {i}"))) for i in range(50)]
        await outcomes(futures)
        assert told[-1].status == await store.status(NAMESPACE, "e1")
        sequences = [commit.status.last_sequence for commit in told]
        assert sequences == sorted(set(sequences))

    async def test_told_the_entries_as_they_can_be_read(self, store: Store) -> None:
        told: list[Commit] = []
        store.listen(told.append)
        futures: list[asyncio.Future[Any]] = [
            store.create(create(log=entries("nul \0", "half \ud800"))),
            store.update(claim()),
        ]
        futures += [store.update(update(entries=entries(f"{i}a", f"{i}\0b"))) for i in range(30)]
        futures.append(store.update(update(epoch=9, entries=entries("refused"))))
        await outcomes(futures)
        gained: list[str] = []
        for commit in told:
            gained += [entry.message for entry in commit.entries]
            assert commit.status.last_sequence == len(gained)
        assert gained == [entry.message for entry in await whole_log(store)]

    async def test_told_of_nodes_that_an_end_cancels(self, store: Store) -> None:
        await running(store)
        await store.update(update(nodes=(NodeRun(node_id="n", state=NodeState.RUNNING),)))
        told: list[Commit] = []
        store.listen(told.append)
        await store.update(move("e1", State.STOPPED))
        assert [(node.node_id, node.state) for node in told[0].nodes] == [("n", NodeState.CANCELLED)]

    async def test_not_told_of_what_changed_nothing(self, store: Store) -> None:
        await running(store)
        await store.update(update(request_id="r1"))
        told: list[Commit] = []
        store.listen(told.append)
        await store.create(create())
        await store.update(update(request_id="r1"))
        await outcomes([store.update(update(epoch=9)), store.update(claim("nobody")), store.create(create(priority=1))])
        assert told == []

    async def test_every_listener_is_told_although_another_fails(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(commit: Commit) -> None:
            raise ZeroDivisionError

        told: list[Commit] = []
        store.listen(broken)
        store.listen(told.append)
        await outcomes([store.create(create("e1")), store.create(create("e2"))])
        assert [commit.status.execution_id for commit in told] == ["e1", "e2"]
        assert "ZeroDivisionError" in caplog.text


class TestBacklog:
    async def test_counts_what_is_not_answered_yet(self, store: Store) -> None:
        futures = [store.create(create(f"e{i}")) for i in range(10)]
        assert store.backlog == 10
        await outcomes(futures)
        assert store.backlog == 0

    async def test_refused_changes_and_callers_that_gave_up_count_no_longer(self, store: Store) -> None:
        futures = [store.update(update("nobody")) for _ in range(3)]
        futures[0].cancel()
        await outcomes(futures)
        assert store.backlog == 0


class TestClose:
    async def test_finishes_what_was_handed_in(self, reopened: Reopen, store: Store) -> None:
        futures = [store.create(create(f"e{i}")) for i in range(1000)]
        again = await reopened()
        assert all(future.result().created for future in futures)
        assert len(await again.unfinished()) == 1000

    async def test_refuses_what_comes_later(self, store: Store) -> None:
        held = await running(store)
        await store.close()
        calls: list[Awaitable[Any]] = [
            store.create(create()),
            store.update(update()),
            store.status(NAMESPACE, "e1"),
            store.execution(NAMESPACE, "e1", full=True),
            store.claimed(NAMESPACE, held),
            store.log_page(NAMESPACE, "e1", after=0, limit=1),
            store.log_tail(NAMESPACE, "e1", count=1, min_level=LogLevel.DEBUG, node_id=""),
            store.unfinished(),
        ]
        for call in calls:
            with pytest.raises(StorageUnavailable):
                await call

    async def test_may_be_repeated(self, store: Store) -> None:
        await store.close()
        await store.close()


class TestSurvival:
    async def test_everything_is_there_after_reopening(self, reopened: Reopen, store: Store) -> None:
        await store.create(create(priority=4))
        await store.update(claim(nodes=(NodeRun(node_id="a", state=NodeState.COMPLETED, output=b"1"),), ran_for=77))
        paused = await store.update(move("e1", State.PAUSED, action="pause", request_id="r1"))
        await store.create(create("e2"))
        before = await store.execution(NAMESPACE, "e1", full=True)
        log = await whole_log(store)

        again = await reopened()
        assert await again.execution(NAMESPACE, "e1", full=True) == before
        assert await whole_log(again) == log
        assert [item.execution_id for item in await again.unfinished()] == ["e2"]
        assert (await again.claimed(NAMESPACE, before.status)).ran_for == 77
        repeated = await again.update(move("e1", State.PAUSED, action="pause", request_id="r1"))
        assert repeated == Updated(status=paused.status, repeated=True)

    async def test_goes_on_where_it_was(self, reopened: Reopen, store: Store) -> None:
        await running(store)
        for i in range(3):
            store = await reopened()
            assert (await store.update(claim())).status.epoch == i + 2
            assert not (await store.create(create())).created
            assert (await store.create(create(f"new{i}"))).created
        assert [entry.sequence for entry in await whole_log(store)] == [1, 2, 3, 4, 5]
        assert contents(await whole_log(store, "new0")) == [(1, "queued")]
