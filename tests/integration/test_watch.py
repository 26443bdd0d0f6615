"""Snapshots: the first at once, the last final, joined for slow readers, adding up to the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import pytest

from execsvc.errors import ExecutionNotFound
from execsvc.model import ExecutionState, NodeRun, NodeState
from execsvc.service import Changes, Watcher
from execsvc.store import DeleteExecution, SqliteStore
from execsvc_client import AsyncExecutionClient, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update
from tests.support.logs import until_logged
from tests.support.nodes import Gates
from tests.support.statuses import read, refusal
from tests.support.workflows import ECHO, chain, gate, node, output, transform, workflow

FINAL = {v1.EXECUTION_STATE_COMPLETED, v1.EXECUTION_STATE_FAILED, v1.EXECUTION_STATE_STOPPED}


class Watched:
    """A watch, and what its responses add up to."""

    def __init__(self, stubs: Stubs, execution_id: str = "e", **fields: Any) -> None:
        self.call = stubs.executions.WatchExecution(v1.WatchExecutionRequest(execution_id=execution_id, **fields))
        self.status = v1.ExecutionStatus()
        self.nodes: dict[str, v1.NodeRun] = {}
        self.states: list[int] = []
        self.progress: list[float] = []
        self.responses = 0
        self.texts: dict[tuple[str, int], str] = {}

    async def next(self) -> bool:
        """Take the next response; answers False at the end."""
        response = await self.call.read()
        if response is grpc.aio.EOF:
            return False
        self.responses += 1
        self.status = response.status
        self.states.append(response.status.state)
        self.progress.append(response.status.progress)
        self.nodes.update((run.node_id, run) for run in response.nodes)
        for chunk in response.tokens:
            key = (chunk.node_id, chunk.attempt)
            self.texts[key] = self.texts.get(key, "") + chunk.text
        return True

    async def to_end(self) -> None:
        while await self.next():
            pass


async def record(stubs: Stubs, execution_id: str = "e") -> v1.Execution:
    request = v1.GetExecutionRequest(execution_id=execution_id, view=v1.EXECUTION_VIEW_BASIC)
    return (await stubs.executions.GetExecution(request)).execution


async def test_the_first_snapshot_comes_at_once_with_every_node(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await until_logged(client, "e", "node_started")
    watch = Watched(stubs)
    await watch.next()
    assert watch.status == (await record(stubs)).status
    assert [(run.node_id, run.type, run.state) for run in watch.nodes.values()] == [
        ("a", "gate", v1.NODE_STATE_RUNNING),
        ("b", "gate", v1.NODE_STATE_PENDING),
        ("out", "output", v1.NODE_STATE_PENDING),
    ]
    gates.open("a", "b")
    await watch.to_end()


BROKEN = workflow(
    "start > fine > check >true> yes > out",
    "check >false> no > out",
    "start > long > out",
    "start > bad > out",
    start=node("input"),
    fine=transform("input.n"),
    check=node("condition", expression="nodes.fine == 1"),
    yes=gate("yes"),
    no=gate("no"),
    long=gate("long"),
    bad=gate("bad", fail_with="BROKEN", failures=1, retryable=False),
    out=output(),
)


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "STOPPED"])
async def test_the_last_snapshot_is_final_and_all_of_them_add_up_to_the_record(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates, end: str
) -> None:
    await client.execute(BROKEN, {"n": 1}, execution_id="e")
    for name in ("yes", "long", "bad"):
        await gates.entered(name)
    watch = Watched(stubs)
    await watch.next()
    gates.open("yes")
    await until_logged(client, "e", "node_completed", node_id="yes")
    if end == "STOPPED":
        await client.stop("e")
    elif end == "FAILED":
        gates.open("bad")
    else:
        await client.stop("e")
        await client.retry("e")
        # The second attempt of ``bad`` comes through.
        gates.open("bad", "long")
        watch.call.cancel()
        watch = Watched(stubs)
    await watch.to_end()
    assert watch.states[-1] == v1.ExecutionState.Value(f"EXECUTION_STATE_{end}")
    assert all(state not in FINAL for state in watch.states[:-1])
    assert watch.progress == sorted(watch.progress)
    whole = await record(stubs)
    assert watch.status == whole.status
    assert list(watch.nodes.values()) == list(whole.nodes)
    if end != "COMPLETED":
        assert watch.nodes["long"].state == v1.NODE_STATE_CANCELLED


@pytest.mark.parametrize("definition", [ECHO, chain("open", "open")], ids=["pure", "effects"])
async def test_many_short_executions_each_add_up_whenever_the_watch_begins(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates, definition: dict[str, Any]
) -> None:
    """The watch races the run: whatever was missed while the record was read would be missing at the end."""
    gates.open("open")
    definition = ECHO if definition is ECHO else workflow("a > b > out", a=gate("open"), b=gate("open"), out=output())
    for round in range(40):
        execution_id = f"e{round}"
        executing = asyncio.create_task(client.execute(definition, execution_id=execution_id))
        await executing
        for _ in range(round % 5):
            await client.status(execution_id)
        watch = Watched(stubs, execution_id)
        await watch.to_end()
        whole = await record(stubs, execution_id)
        assert watch.status == whole.status
        assert list(watch.nodes.values()) == list(whole.nodes)


async def test_of_an_execution_that_has_ended_there_is_one_snapshot(client: AsyncExecutionClient, stubs: Stubs) -> None:
    await client.execute(ECHO, {"n": 1}, execution_id="e")
    await client.wait("e")
    watch = Watched(stubs)
    await watch.to_end()
    whole = await record(stubs)
    assert (watch.responses, watch.status, list(watch.nodes.values())) == (1, whole.status, list(whole.nodes))
    assert not any(run.HasField("output") for run in watch.nodes.values())


async def test_an_unknown_execution_is_not_found(stubs: Stubs) -> None:
    call = stubs.executions.WatchExecution(v1.WatchExecutionRequest(execution_id="nobody"))
    assert (await refusal(call.read())).code == grpc.StatusCode.NOT_FOUND
    call = stubs.executions.WatchExecution(v1.WatchExecutionRequest())
    assert (await refusal(call.read())).problems == {"execution_id": "REQUIRED"}


async def test_a_quiet_execution_is_repeated_as_a_sign_of_life(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    await client.execute(chain("a"), execution_id="e")
    await until_logged(client, "e", "node_started")
    watch = Watched(stubs)
    for _ in range(3):
        assert await watch.next()
    assert set(watch.states) == {v1.EXECUTION_STATE_RUNNING}
    gates.open("a")
    await watch.to_end()


async def test_a_paused_execution_goes_on_being_watched(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    watch = Watched(stubs)
    await watch.next()
    await client.pause("e")
    while watch.status.state != v1.EXECUTION_STATE_PAUSED:
        assert await watch.next()
    await client.resume("e")
    gates.open("a", "b")
    await watch.to_end()
    assert watch.status.state == v1.EXECUTION_STATE_COMPLETED


async def test_a_watch_that_is_given_up_leaves_nothing_behind(
    changes: list[Changes], start_server: StartServer, gates: Gates
) -> None:
    async with start_server() as client:
        channel = grpc.aio.insecure_channel(start_server.address)
        stubs = Stubs(channel)
        await client.execute(chain("a"), execution_id="e")
        watches = [Watched(stubs) for _ in range(5)]
        for watch in watches:
            await watch.next()
        assert changes[0].subscribers == 5
        for watch in watches:
            watch.call.cancel()
        async with asyncio.timeout(20):
            while changes[0].subscribers:
                await client.status("e")
        gates.open("a")
        await client.wait("e")
        await channel.close()


async def test_a_server_that_goes_down_ends_the_watch_as_unavailable(start_server: StartServer, gates: Gates) -> None:
    async with start_server(grace=0.01) as client:
        channel = grpc.aio.insecure_channel(start_server.address)
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        watch = Watched(Stubs(channel))
        await watch.next()
        ending = asyncio.create_task(watch.to_end())
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await ending
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert read(ended.value).info.reason == "SERVER_DRAINING"
    assert read(ended.value).by_kind["RetryInfo"].retry_delay.seconds == 1
    await channel.close()


LLM = workflow(
    "a > ask > out",
    a=gate("a"),
    ask=node("llm", model="echo:", prompt="one two three four five six seven eight nine ten eleven"),
    out=output(),
)


async def test_tokens_arrive_in_order_and_make_up_the_answer(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    await client.execute(LLM, execution_id="e")
    watch, silent = Watched(stubs, include_tokens=True), Watched(stubs)
    await watch.next()
    await silent.next()
    gates.open("a")
    await watch.to_end()
    await silent.to_end()
    assert watch.texts == {("ask", 1): (await client.get("e")).output}
    assert "eleven" in watch.texts["ask", 1]
    assert silent.texts == {}


# With the reader in the test's own hand


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    store = await SqliteStore.open(tmp_path / "watch.db")
    yield store
    await store.close()


class Followed:
    """An execution in a store, and a watch of it that is read when the test says so."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.changes = Changes()
        store.listen(self.changes.publish)
        self.watcher = Watcher(store=store, changes=self.changes, heartbeat=60)

    def stream(self, *, tokens: bool = False) -> Any:
        return aclosing(self.watcher.stream(NAMESPACE, "e1", tokens=tokens))


async def test_a_slow_reader_gets_few_snapshots_and_the_right_last_one(store: SqliteStore) -> None:
    followed = Followed(store)
    await store.create(create(nodes_total=300))
    await store.update(claim())
    async with followed.stream() as stream:
        first = await anext(stream)
        assert first.execution is not None
        for number in range(300):
            for state in (NodeState.RUNNING, NodeState.COMPLETED):
                run = NodeRun(node_id=f"n{number}", state=state, attempt=1, output=b'"x"')
                await store.update(update(nodes=[run], nodes_done=number, entries=entries("node")))
        second = await anext(stream)
        assert second.status.nodes_done == 299
        assert {run.state for run in second.nodes} == {NodeState.COMPLETED}
        assert len(second.nodes) == 300
        assert all(run.output is None for run in second.nodes)
        await store.update(move("e1", ExecutionState.COMPLETED))
        third = await anext(stream)
        assert (third.status.state, third.nodes) == (ExecutionState.COMPLETED, [])
        assert [snapshot async for snapshot in stream] == []
    assert followed.changes.subscribers == 0


async def test_a_reader_that_missed_an_end_and_a_retry_sees_nodes_as_they_are_now(store: SqliteStore) -> None:
    followed = Followed(store)
    await store.create(create())
    await store.update(claim())
    async with followed.stream() as stream:
        await anext(stream)
        await store.update(update(nodes=[NodeRun(node_id="a", state=NodeState.RUNNING, attempt=1, start_time=NOW)]))
        await store.update(move("e1", ExecutionState.STOPPED))
        await store.update(move("e1", ExecutionState.PENDING, from_states=(ExecutionState.STOPPED,), restart=True))
        snapshot = await anext(stream)
        assert snapshot.status.state is ExecutionState.PENDING
        assert [(run.node_id, run.state) for run in snapshot.nodes] == [("a", NodeState.PENDING)]


async def test_a_deletion_that_a_slow_reader_meets_is_not_found(store: SqliteStore) -> None:
    followed = Followed(store)
    await store.create(create())
    await store.update(claim())
    async with followed.stream() as stream:
        await anext(stream)
        await store.update(move("e1", ExecutionState.STOPPED))
        await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1"))
        with pytest.raises(ExecutionNotFound):
            await anext(stream)
    assert followed.changes.subscribers == 0


async def test_a_new_execution_of_the_same_id_is_not_taken_for_the_one_that_was(store: SqliteStore) -> None:
    followed = Followed(store)
    await store.create(create())
    await store.update(claim())
    async with followed.stream() as stream:
        await anext(stream)
        await store.update(move("e1", ExecutionState.STOPPED))
        await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1"))
        await store.create(create(uid="second"))
        with pytest.raises(ExecutionNotFound):
            await anext(stream)


async def test_what_is_published_while_the_record_is_read_does_not_lead_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record may be newer than the commit that wakes the reader next."""
    followed = Followed(store)
    await store.create(create())
    await store.update(claim())
    running = NodeRun(node_id="a", state=NodeState.RUNNING, attempt=1)
    done = NodeRun(node_id="a", state=NodeState.COMPLETED, attempt=1)
    published: list[Any] = []
    monkeypatch.setattr(followed.changes, "publish", published.append)
    store.listen(published.append)
    await store.update(update(nodes=[running], entries=entries("started")))
    await store.update(update(nodes=[done], entries=entries("completed")))
    older, newer = published
    monkeypatch.undo()
    async with followed.stream() as stream:
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        followed.changes.publish(older)
        first = await reading
        assert first.execution is not None
        assert first.execution.nodes["a"].state is NodeState.COMPLETED
        second = await anext(stream)
        assert (second.status, second.nodes) == (first.status, ())
        followed.changes.publish(newer)
        third = await anext(stream)
        assert third.status.last_sequence == first.status.last_sequence
        await store.update(move("e1", ExecutionState.STOPPED))
        assert (await anext(stream)).status.state is ExecutionState.STOPPED


async def test_tokens_wait_joined_for_the_next_snapshot_and_too_many_are_said_to_be_missing(
    store: SqliteStore,
) -> None:
    followed = Followed(store)
    await store.create(create())
    await store.update(claim())
    async with followed.stream(tokens=True) as stream:
        await anext(stream)
        for text in ("Hel", "lo"):
            followed.changes.token(NAMESPACE, "e1", "a", 1, text)
        second = await anext(stream)
        assert ([token.text for token in second.tokens], second.tokens_dropped) == (["Hello"], False)
        for _ in range(300):
            followed.changes.token(NAMESPACE, "e1", "a", 1, "x" * 1_024)
        third = await anext(stream)
        assert third.tokens_dropped
        assert len(third.tokens) == 1
        followed.changes.token(NAMESPACE, "e1", "a", 1, "again")
        fourth = await anext(stream)
        assert ([token.text for token in fourth.tokens], fourth.tokens_dropped) == (["again"], False)
