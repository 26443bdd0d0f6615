"""What a store keeps of an execution: states and times, the journal, the record, and any text or number."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from execsvc.errors import (
    ExecutionNotFound,
)
from execsvc.model import (
    MOVES,
    ErrorInfo,
    ExecutionState,
    LogLevel,
    NewLogEntry,
    NodeRun,
    NodeState,
    TokenUsage,
)
from execsvc.store import Store
from tests.conformance.reads import contents, outcomes, running, whole_log
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update

State = ExecutionState


class TestStates:
    @pytest.mark.parametrize(
        ("before", "after"), [(before, after) for before in State for after in State], ids=lambda state: state.lower()
    )
    async def test_only_moves_of_the_table_are_possible(self, store: Store, before: State, after: State) -> None:
        way: dict[State, list[State]] = {
            State.PENDING: [],
            State.RUNNING: [State.RUNNING],
            State.PAUSED: [State.RUNNING, State.PAUSED],
            State.COMPLETED: [State.RUNNING, State.COMPLETED],
            State.FAILED: [State.RUNNING, State.FAILED],
            State.STOPPED: [State.STOPPED],
        }
        await store.create(create())
        for state in way[before]:
            await store.update(move("e1", state))
        if after is before or after in MOVES[before]:
            assert (await store.update(move("e1", after))).status.state is after
        else:
            with pytest.raises(AssertionError):
                await store.update(move("e1", after))
            assert (await store.status(NAMESPACE, "e1")).state is before

    async def test_start_time_is_that_of_the_first_start(self, store: Store) -> None:
        await store.create(create(time=NOW))
        for i, state in enumerate((State.RUNNING, State.PAUSED, State.PENDING, State.RUNNING), start=1):
            status = (await store.update(move("e1", state, time=NOW + i))).status
            assert (status.start_time, status.end_time) == (NOW + 1, None)
        status = (await store.update(claim(time=NOW + 9))).status
        assert status.start_time == NOW + 1

    @pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.STOPPED])
    async def test_end_time_is_that_of_the_end(self, store: Store, state: State) -> None:
        await running(store)
        ended = (await store.update(move("e1", state, time=NOW + 7))).status
        assert ended.end_time == NOW + 7
        later = (await store.update(update(time=NOW + 9, entries=entries("later")))).status
        assert later.end_time == NOW + 7

    async def test_end_is_cleared_when_it_goes_on(self, store: Store) -> None:
        await running(store)
        await store.update(move("e1", State.FAILED))
        assert (await store.update(move("e1", State.PENDING))).status.end_time is None

    async def test_times_never_run_backwards_even_if_the_clock_does(self, store: Store) -> None:
        await store.create(create(time=NOW))
        started = (await store.update(claim(time=NOW - 50))).status
        assert started.start_time == NOW
        await store.create(create("e2", time=NOW))
        await store.update(claim("e2", time=NOW + 100))
        ended = (await store.update(move("e2", State.STOPPED, time=NOW + 50))).status
        assert ended.end_time == NOW + 100

    async def test_claim_raises_the_epoch_each_time(self, store: Store) -> None:
        await store.create(create())
        assert [(await store.update(claim())).status.epoch for _ in range(4)] == [1, 2, 3, 4]

    async def test_nodes_done_never_goes_down(self, store: Store) -> None:
        await running(store)
        done = [(await store.update(update(nodes_done=n))).status.nodes_done for n in (1, 2, 1, 0, None, 3)]
        assert done == [1, 2, 2, 2, 2, 3]

    async def test_what_a_change_does_not_name_stays(self, store: Store) -> None:
        await running(store)
        named = (
            await store.update(update(message="m", current_node="a", running_nodes=("a", "b"), nodes_done=1, ran_for=5))
        ).status
        assert (named.message, named.current_node, named.running_nodes) == ("m", "a", ("a", "b"))
        after = (await store.update(update())).status
        assert after == named
        emptied = (await store.update(update(message="", current_node="", running_nodes=()))).status
        assert (emptied.message, emptied.current_node, emptied.running_nodes) == ("", "", ())

    @pytest.mark.parametrize("together", [True, False], ids=["one batch", "two"])
    @pytest.mark.parametrize("state", [State.FAILED, State.STOPPED])
    async def test_end_cancels_what_runs(self, store: Store, state: State, together: bool) -> None:
        await running(store)
        others = [node for node in NodeState if node is not NodeState.RUNNING]
        nodes = [NodeRun(node_id=f"n-{node.lower()}", state=node, start_time=NOW) for node in others]
        started = NodeRun(node_id="r", state=NodeState.RUNNING, attempt=2, start_time=NOW + 3)
        wrote = store.update(update(nodes=(*nodes, started), running_nodes=("r",)))
        if not together:
            await wrote
        status = (await store.update(move("e1", state, time=NOW + 7))).status
        assert status.running_nodes == ()
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert record.nodes["r"] == replace(started, state=NodeState.CANCELLED, end_time=NOW + 7)
        assert [record.nodes[node.node_id] for node in nodes] == nodes

    async def test_pause_cancels_nothing(self, store: Store) -> None:
        await running(store)
        node = NodeRun(node_id="r", state=NodeState.RUNNING, start_time=NOW)
        await store.update(update(nodes=(node,), running_nodes=("r",)))
        status = (await store.update(move("e1", State.PAUSED))).status
        assert status.running_nodes == ("r",)
        assert (await store.execution(NAMESPACE, "e1", full=True)).nodes["r"] == node

    async def test_stop_and_restart_handed_in_together_cancel_only_the_first_run(self, store: Store) -> None:
        await running(store)
        old, new = (NodeRun(node_id=name, state=NodeState.RUNNING, start_time=NOW) for name in ("old", "new"))
        again = NodeRun(node_id="again", state=NodeState.RUNNING, start_time=NOW)
        await store.update(update(nodes=(old, again)))
        await outcomes(
            [
                store.update(move("e1", State.STOPPED, time=NOW + 1)),
                store.update(move("e1", State.PENDING)),
                store.update(claim()),
                store.update(update(nodes=(new, replace(again, attempt=2)))),
            ]
        )
        nodes = (await store.execution(NAMESPACE, "e1", full=True)).nodes
        assert {name: node.state for name, node in nodes.items()} == {
            "old": NodeState.CANCELLED,
            "new": NodeState.RUNNING,
            "again": NodeState.RUNNING,
        }
        assert nodes["again"].attempt == 2


class TestJournal:
    async def test_node_is_kept_whole_and_replaced_whole(self, store: Store) -> None:
        await running(store)
        full = NodeRun(
            node_id="a",
            state=NodeState.FAILED,
            attempt=3,
            start_time=NOW,
            end_time=NOW + 1,
            output=b'{"x":[1,2.5,null,"y"]}',
            branch="true",
            error=ErrorInfo(type="T", message="m", node_id="a", retryable=True, attempt=3),
            usage=TokenUsage(input_tokens=1, output_tokens=2, total_tokens=4),
        )
        await store.update(update(nodes=(full,)))
        assert (await store.execution(NAMESPACE, "e1", full=True)).nodes == {"a": full}
        bare = NodeRun(node_id="a", state=NodeState.PENDING)
        await store.update(update(nodes=(bare,)))
        assert (await store.execution(NAMESPACE, "e1", full=True)).nodes == {"a": bare}

    async def test_last_of_several_writes_of_a_node_counts(self, store: Store) -> None:
        await running(store)
        writes = [
            store.update(
                update(
                    nodes=(
                        NodeRun(node_id="a", state=NodeState.RUNNING, attempt=2 * i),
                        NodeRun(node_id="a", state=NodeState.COMPLETED, attempt=2 * i + 1, output=b"%d" % i),
                    )
                )
            )
            for i in range(20)
        ]
        await outcomes(writes)
        node = (await store.execution(NAMESPACE, "e1", full=True)).nodes["a"]
        assert (node.state, node.attempt, node.output) == (NodeState.COMPLETED, 39, b"19")

    async def test_last_of_several_outputs_counts(self, store: Store) -> None:
        await running(store)
        await outcomes([store.update(update(output=b"%d" % i)) for i in range(20)])
        assert (await store.execution(NAMESPACE, "e1", full=True)).output == b"19"

    async def test_output_of_null_is_told_from_none(self, store: Store) -> None:
        await running(store)
        nodes = (
            NodeRun(node_id="null", state=NodeState.COMPLETED, output=b"null"),
            NodeRun(node_id="none", state=NodeState.SKIPPED),
        )
        await store.update(move("e1", State.COMPLETED, output=b"null", nodes=nodes))
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert record.output == b"null"
        assert (record.nodes["null"].output, record.nodes["none"].output) == (b"null", None)


class TestRecord:
    async def test_full_view_has_everything_and_basic_lacks_what_may_be_large(self, store: Store) -> None:
        asked = create(priority=-3, timeout=5_000_000, concurrency_key="k", labels={"ü": "x\0y", "": ""})
        await store.create(asked)
        await store.update(claim())
        node = NodeRun(node_id="a", state=NodeState.COMPLETED, attempt=1, output=b'"out"')
        error = ErrorInfo(type="T", message="nul \0 and ü", node_id="a", attempt=1)
        ended = await store.update(move("e1", State.FAILED, output=b'{"r":1}', error=error, nodes=(node,)))
        full = await store.execution(NAMESPACE, "e1", full=True)
        wanted = asked.request
        assert full.status == ended.status
        assert (full.definition, full.definition_digest) == (wanted.definition, wanted.definition_digest)
        assert (full.labels, full.priority, full.timeout) == (wanted.labels, -3, 5_000_000)
        assert (full.concurrency_key, full.input, full.output) == ("k", wanted.input, b'{"r":1}')
        assert (full.error, full.nodes) == (error, {"a": node})
        basic = await store.execution(NAMESPACE, "e1", full=False)
        assert basic == replace(full, input=None, output=None, nodes={"a": replace(node, output=None)})

    async def test_claimed_gives_what_a_run_needs(self, store: Store) -> None:
        asked = create(timeout=9, labels={"a": "b"})
        await store.create(asked)
        held = (await store.update(claim())).status
        node = NodeRun(node_id="a", state=NodeState.COMPLETED, output=b"[1]")
        await store.update(update(nodes=(node,), ran_for=1234))
        taken = await store.claimed(NAMESPACE, held)
        assert taken.status == held
        assert (taken.definition, taken.definition_digest) == (asked.request.definition, "d1")
        assert (taken.input, taken.timeout, taken.labels) == (b'{"n":1}', 9, {"a": "b"})
        assert (taken.ran_for, taken.nodes) == (1234, {"a": node})

    async def test_claimed_of_another_uid_is_not_found(self, store: Store) -> None:
        held = await running(store)
        with pytest.raises(ExecutionNotFound):
            await store.claimed(NAMESPACE, replace(held, uid="uid-before"))

    @pytest.mark.parametrize("namespace", [NAMESPACE, "other"])
    async def test_unknown_executions_are_not_found(self, store: Store, namespace: str) -> None:
        held = await running(store)
        execution_id = "e1" if namespace == "other" else "nobody"
        reads = [
            store.status(namespace, execution_id),
            store.execution(namespace, execution_id, full=True),
            store.claimed(namespace, replace(held, execution_id=execution_id)),
            store.log_page(namespace, execution_id, after=0, limit=1),
            store.log_tail(namespace, execution_id, count=1, min_level=LogLevel.DEBUG, node_id=""),
        ]
        for read in reads:
            with pytest.raises(ExecutionNotFound) as refused:
                await read
            assert refused.value.execution_id == execution_id

    async def test_namespaces_are_worlds_of_their_own(self, store: Store) -> None:
        mine = (await store.create(create(uid="u1", input=b"1"))).status
        theirs = await store.create(create(namespace="other", uid="u2", input=b"2", log=entries("theirs")))
        assert theirs.created
        await store.update(claim(namespace="other", request_id="r"))
        assert await store.status(NAMESPACE, "e1") == mine
        assert contents(await whole_log(store)) == [(1, "queued")]
        assert not (await store.update(claim(request_id="r"))).repeated
        assert (await store.execution("other", "e1", full=True)).input == b"2"


NASTY = [
    "",
    "plain",
    "ünïcödé ✓ 🙂 \u202e",
    "quotes ' \" ` \\ \\u0041 \\n",
    "lines\n\r\t\x01\x1f\x7f\u2028\ufeff",
    "123",
    "null",
    '{"json": [1]}',
    "x" * 65_536,
    "é" * 32_768,
]


class TestValues:
    async def test_text_round_trips_wherever_it_stands(self, store: Store) -> None:
        await running(store)
        log = [NewLogEntry(time=NOW, level=LogLevel.ERROR, message=text, metadata={"k": text}) for text in NASTY]
        nodes = [
            NodeRun(
                node_id=f"n{i}",
                state=NodeState.COMPLETED,
                output=json.dumps(text, ensure_ascii=False).encode(),
                branch=text,
                error=ErrorInfo(type=text, message=text, node_id=text),
            )
            for i, text in enumerate(NASTY)
        ]
        await store.update(update(entries=log, nodes=nodes))
        assert [(entry.message, entry.metadata) for entry in (await whole_log(store))[2:]] == [
            (text, {"k": text}) for text in NASTY
        ]
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert record.nodes == {node.node_id: node for node in nodes}
        for text in NASTY:
            status = (await store.update(update(message=text, current_node=text, running_nodes=(text, text)))).status
            assert (status.message, status.current_node, status.running_nodes) == (text, text, (text, text))
            assert await store.status(NAMESPACE, "e1") == status

    @pytest.mark.parametrize("i", range(len(NASTY)))
    async def test_names_round_trip(self, store: Store, i: int) -> None:
        text = NASTY[i]
        asked = create(
            f"id {text}",
            namespace=f"ns {text}",
            uid=text,
            workflow_id=text,
            concurrency_key=text,
            definition=json.dumps(text).encode(),
            input=json.dumps(text, ensure_ascii=False).encode(),
            labels={text: text},
        )
        await store.create(asked)
        record = await store.execution(asked.namespace, asked.request.execution_id, full=True)
        assert (record.status.uid, record.status.workflow_id, record.concurrency_key) == (text, text, text)
        assert (record.definition, record.input) == (asked.request.definition, asked.request.input)
        assert record.labels == {text: text}
        assert not (await store.create(asked)).created

    async def test_what_no_column_holds_is_replaced_in_messages_and_kept_in_json(self, store: Store) -> None:
        await store.create(create(message="wait\0ing"))
        metadata = {"nul\0key": "nul\0value"}
        await store.update(
            claim(
                message="a\0b\0",
                entries=(NewLogEntry(time=NOW, level=LogLevel.INFO, message="\0x\0", metadata=metadata),),
                nodes=(NodeRun(node_id="n", state=NodeState.COMPLETED, output=rb'"a\u0000b"'),),
            )
        )
        await store.update(update(message="half \ud800 pair", entries=entries("half \udc00 pair")))
        assert (await store.status(NAMESPACE, "e1")).message == "half ? pair"
        _, nul, half = await whole_log(store)
        assert (nul.message, nul.metadata) == ("␀x␀", metadata)
        assert half.message == "half ? pair"
        assert (await store.execution(NAMESPACE, "e1", full=True)).nodes["n"].output == rb'"a\u0000b"'

    async def test_outputs_of_4_mib_round_trip(self, store: Store) -> None:
        await running(store)
        texts = {"ascii": "x" * 4_194_302, "quotes": '\\"' * 1_048_575, "wide": "🙂" * 1_048_575}
        outputs = {name: b'"' + text.encode() + b'"' for name, text in texts.items()}
        nodes = [NodeRun(node_id=name, state=NodeState.COMPLETED, output=out) for name, out in outputs.items()]
        await store.update(move("e1", State.COMPLETED, output=outputs["quotes"], nodes=nodes))
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert {name: node.output for name, node in record.nodes.items()} == outputs
        assert record.output == outputs["quotes"]

    async def test_numbers_keep_their_value(self, store: Store) -> None:
        largest = 2**63 - 1
        await store.create(create(time=largest, timeout=largest, priority=-1000))
        # Those of logs are sent as doubles, which hold integers up to here.
        exact = 2**53
        metadata = {"i": exact, "n": -exact, "f": 0.1, "e": 1e300, "z": -0.0, "b": True, "l": [1, [2, {"x": None}]]}
        await store.update(
            claim(
                time=largest,
                ran_for=largest,
                entries=(NewLogEntry(time=largest, level=LogLevel.DEBUG, message="m", metadata=metadata),),
            )
        )
        record = await store.execution(NAMESPACE, "e1", full=True)
        assert (record.timeout, record.status.create_time, record.status.start_time) == (largest,) * 3
        entry = (await whole_log(store))[1]
        assert (entry.time, entry.metadata) == (largest, metadata)
        assert isinstance(entry.metadata["i"], int)
        assert (await store.claimed(NAMESPACE, record.status)).ran_for == largest

    async def test_metadata_may_be_any_mapping(self, store: Store) -> None:
        entry = NewLogEntry(time=NOW, level=LogLevel.INFO, message="m", metadata=MappingProxyType({"a": 1}))
        await store.create(create(log=(entry,)))
        assert (await whole_log(store))[0].metadata == {"a": 1}
