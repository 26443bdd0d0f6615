"""An execution that is deleted leaves nothing behind, and one that is restarted keeps what had finished."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from execsvc.errors import ExecutionNotFound, IllegalTransition
from execsvc.model import ErrorInfo, ExecutionState, NodeRun, NodeState
from execsvc.store import Commit, DeleteExecution, Store
from tests.conformance.reads import contents, outcomes, running, whole_log
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update

State = ExecutionState


def delete(execution_id: str = "e1", **fields: Any) -> DeleteExecution:
    return DeleteExecution(**{"namespace": NAMESPACE, "execution_id": execution_id, **fields})


async def ended(store: Store, execution_id: str = "e1") -> None:
    await running(store, execution_id)
    node = NodeRun(node_id="n", state=NodeState.COMPLETED, output=b"1")
    await store.update(move(execution_id, State.COMPLETED, request_id="r1", output=b"1", nodes=(node,)))


class TestDelete:
    @pytest.mark.parametrize("state", [State.PENDING, State.RUNNING, State.PAUSED])
    async def test_what_has_not_ended_stays(self, store: Store, state: State) -> None:
        await store.create(create())
        for step in {State.PENDING: [], State.RUNNING: [state], State.PAUSED: [State.RUNNING, state]}[state]:
            await store.update(move("e1", step))
        with pytest.raises(IllegalTransition) as refused:
            await store.delete(delete())
        assert (refused.value.action, refused.value.state) == ("delete", state)
        assert (await store.status(NAMESPACE, "e1")).state is state

    async def test_answers_where_it_stood_and_nothing_is_found_any_more(self, store: Store) -> None:
        await ended(store)
        before = await store.status(NAMESPACE, "e1")
        assert await store.delete(delete(uid="uid-e1")) == before
        for read in (
            store.status(NAMESPACE, "e1"),
            store.execution(NAMESPACE, "e1", full=True),
            store.claimed(NAMESPACE, before),
            store.log_page(NAMESPACE, "e1", after=0, limit=10),
        ):
            with pytest.raises(ExecutionNotFound):
                await read
        for change in (store.update(update()), store.delete(delete())):
            with pytest.raises(ExecutionNotFound):
                await change

    async def test_another_uid_or_namespace_is_left_alone(self, store: Store) -> None:
        await ended(store)
        for other in (delete(uid="uid-before"), delete(namespace="other")):
            with pytest.raises(ExecutionNotFound):
                await store.delete(other)
        assert (await store.status(NAMESPACE, "e1")).state is State.COMPLETED

    @pytest.mark.parametrize("together", [True, False])
    async def test_same_id_begins_anew(self, store: Store, together: bool) -> None:
        await ended(store)
        futures: list[asyncio.Future[Any]] = []
        for hand_in in (
            lambda: store.delete(delete()),
            lambda: store.create(create(uid="uid-new", priority=1, log=entries("anew"))),
        ):
            futures.append(hand_in())
            if not together:
                await futures[-1]
        assert (await outcomes(futures))[1].created
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert (record.status.uid, record.status.epoch, record.status.state) == ("uid-new", 0, State.PENDING)
        assert (record.nodes, record.output, record.priority) == ({}, None, 1)
        assert contents(await whole_log(store)) == [(1, "anew")]
        with pytest.raises(ExecutionNotFound):
            await store.update(update(uid="uid-e1", entries=entries("of the one before")))
        assert not (await store.update(update(action="move", request_id="r1"))).repeated

    async def test_neighbours_and_what_they_share_stay(self, store: Store) -> None:
        for i in range(4):
            await ended(store, f"e{i}")
        await outcomes([store.delete(delete(f"e{i}")) for i in (0, 2)])
        for i in (1, 3):
            record = await store.execution(NAMESPACE, f"e{i}", full=True)
            assert (record.definition, record.output) == (b'{"nodes":[]}', b"1")
            assert len(await whole_log(store, f"e{i}")) == 3

    async def test_listeners_are_told(self, store: Store) -> None:
        await ended(store)
        told: list[Commit] = []
        store.listen(told.append)
        stood = await store.delete(delete())
        assert [(commit.status, commit.deleted) for commit in told] == [(stood, True)]


class TestRestart:
    async def test_keeps_results_and_makes_the_rest_pending(self, store: Store) -> None:
        await running(store)
        error = ErrorInfo(type="T", message="m", node_id="bad")
        done = NodeRun(node_id="done", state=NodeState.COMPLETED, attempt=2, output=b"1")
        skipped = NodeRun(node_id="skipped", state=NodeState.SKIPPED)
        bad = NodeRun(node_id="bad", state=NodeState.FAILED, attempt=3, start_time=NOW, end_time=NOW, error=error)
        cut = NodeRun(node_id="cut", state=NodeState.RUNNING, attempt=1, start_time=NOW)
        await store.update(update(nodes=(done, skipped, bad, cut), ran_for=99))
        await store.update(move("e1", State.FAILED, error=error))
        await store.update(move("e1", State.PENDING, restart=True, input=b'{"n":2}', action="retry"))
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert (record.status.state, record.status.end_time, record.error) == (State.PENDING, None, None)
        assert record.input == b'{"n":2}'
        assert (record.nodes["done"], record.nodes["skipped"]) == (done, skipped)
        assert {name: run.state for name, run in record.nodes.items() if name in ("bad", "cut")} == {
            "bad": NodeState.PENDING,
            "cut": NodeState.PENDING,
        }
        assert (record.nodes["bad"].attempts_before, record.nodes["bad"].error) == (3, None)
        held = (await store.update(claim())).status
        assert (await store.claimed(NAMESPACE, held)).ran_for == 0
