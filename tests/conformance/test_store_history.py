"""Looking back, beginning anew and removing: what every store answers of lists, restarts, deletes and workflows."""

from __future__ import annotations

import asyncio
import operator
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execsvc.errors import ExecutionNotFound, IllegalTransition, LeaseLost, WorkflowNotFound
from execsvc.model import ErrorInfo, ExecutionState, NodeRun, NodeState
from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.store import Commit, DeleteExecution, Listed, PutWorkflow, Store, UpdateExecution
from tests.conformance.backends import Backend
from tests.conformance.reads import outcomes, running, whole_log
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update

EVERYTHING = All(parts=())
NEWEST = Order()
OLDEST = Order(descending=False)
FIRST_ENDED = Order(field=OrderField.END_TIME, descending=False)
LAST_ENDED = Order(field=OrderField.END_TIME)
S = ExecutionState
N = NodeState


def compares(field: Field, symbol: str, value: str | int, label: str = "") -> Comparison:
    return Comparison(field=field, operator=Operator(symbol), value=value, label=label)


async def listed(
    store: Store,
    condition: Condition = EVERYTHING,
    order: Order = NEWEST,
    *,
    after: tuple[int, int] | None = None,
    limit: int = 1_000,
    namespace: str = NAMESPACE,
) -> Sequence[Listed]:
    return await store.list_executions(namespace, condition=condition, order=order, after=after, limit=limit)


def ids(found: Sequence[Listed]) -> str:
    return " ".join(listed.execution.status.execution_id for listed in found)


async def ended(store: Store, execution_id: str, state: ExecutionState = S.COMPLETED, *, time: int = NOW) -> None:
    """Run an execution that is stored to its end."""
    await store.update(claim(execution_id, time=time))
    await store.update(move(execution_id, state, time=time))


def delete(execution_id: str = "e1", **fields: Any) -> DeleteExecution:
    return DeleteExecution(**{"namespace": NAMESPACE, "execution_id": execution_id, **fields})


def restart(execution_id: str = "e1", **fields: Any) -> UpdateExecution:
    values: dict[str, Any] = {
        "action": "retry",
        "from_states": (S.FAILED, S.STOPPED),
        "to_state": S.PENDING,
        "restart": True,
        **fields,
    }
    return update(execution_id, **values)


def put(workflow_id: str = "w", version: str = "v1", **fields: Any) -> PutWorkflow:
    definition = f'{{"version":"{version}"}}'.encode()
    return PutWorkflow(
        **{
            "namespace": NAMESPACE,
            "workflow_id": workflow_id,
            "version": version,
            "definition": definition,
            "time": NOW,
            **fields,
        }
    )


class TestLists:
    async def test_newest_first_and_of_one_moment_the_last_stored_first(self, store: Store) -> None:
        for execution_id, time in (("a", 5), ("b", 3), ("c", 5), ("d", 9)):
            await store.create(create(execution_id, time=NOW + time))
        assert ids(await listed(store)) == "d c a b"
        assert ids(await listed(store, order=OLDEST)) == "b a c d"

    async def test_by_their_end_only_those_that_have_ended(self, store: Store) -> None:
        for execution_id in "abcd":
            await store.create(create(execution_id))
        for execution_id, time in (("a", 7), ("b", 3), ("c", 7)):
            await ended(store, execution_id, time=NOW + time)
        assert ids(await listed(store, order=LAST_ENDED)) == "c a b"
        assert ids(await listed(store, order=FIRST_ENDED)) == "b a c"
        await ended_then_retried(store, "d")
        assert "d" not in ids(await listed(store, order=LAST_ENDED))

    async def test_what_is_listed_is_the_record_without_what_is_large(self, store: Store) -> None:
        await store.create(
            create(
                "a",
                labels={"team": "x"},
                priority=4,
                timeout=7_000_000,
                concurrency_key="k",
                retry=b'{"max_attempts":2}',
            )
        )
        error = ErrorInfo(type="BROKEN", message="no", node_id="n", attempt=2)
        await store.update(claim("a"))
        await store.update(move("a", S.FAILED, error=error, nodes=[NodeRun(node_id="n", state=N.FAILED)]))
        (found,) = await listed(store)
        execution = found.execution
        full = await store.execution(NAMESPACE, "a", full=True)
        assert execution.status == full.status
        for field in ("labels", "priority", "timeout", "concurrency_key", "retry", "error", "definition_digest"):
            assert getattr(execution, field) == getattr(full, field), field
        assert (execution.nodes, execution.input, execution.output, execution.definition) == ({}, None, None, b"")

    async def test_one_namespace_at_a_time(self, store: Store) -> None:
        await store.create(create("a"))
        await store.create(create("b", namespace="other", uid="uid-other"))
        assert ids(await listed(store)) == "a"
        assert ids(await listed(store, namespace="other")) == "b"
        label = compares(Field.LABEL, "=", "a", "team")
        assert ids(await listed(store, label, namespace="other")) == "b"

    @pytest.mark.parametrize("order", [NEWEST, OLDEST, LAST_ENDED, FIRST_ENDED], ids=str)
    @pytest.mark.parametrize(
        "condition",
        [EVERYTHING, compares(Field.LABEL, "=", "a", "team"), compares(Field.STATE, "=", "COMPLETED")],
        ids=["all", "label", "state"],
    )
    async def test_pages_of_any_size_give_each_once_in_order(
        self, store: Store, order: Order, condition: Condition
    ) -> None:
        for number in range(12):
            # Several of the same moment.
            await store.create(create(f"e{number}", time=NOW + number // 3))
            await ended(store, f"e{number}", time=NOW + 100 + number // 4)
        whole = await listed(store, condition, order)
        assert len(whole) == 12
        for size in (1, 2, 5, 12):
            found: list[Listed] = []
            after = None
            while page := await listed(store, condition, order, after=after, limit=size):
                assert len(page) <= size
                found += page
                after = page[-1].position
            assert found == list(whole)

    @pytest.mark.parametrize("order", [NEWEST, OLDEST, LAST_ENDED, FIRST_ENDED], ids=str)
    async def test_what_comes_and_goes_between_pages_shifts_nothing(self, store: Store, order: Order) -> None:
        for number in range(9):
            await store.create(create(f"e{number}", time=NOW + number))
            await ended(store, f"e{number}", time=NOW + 100 + number)
        expected = ids(await listed(store, order=order)).split()
        first = await listed(store, order=order, limit=4)
        await store.delete(delete(expected[1]))
        await store.delete(delete(expected[3]))
        # One before all and one after all, in either order.
        for execution_id, time in (("before", NOW - 50), ("after", NOW + 500)):
            await store.create(create(execution_id, time=time))
            await ended(store, execution_id, time=time)
        rest = ids(await listed(store, order=order, after=first[-1].position)).split()
        assert [execution_id for execution_id in rest if execution_id.startswith("e")] == expected[4:]


async def ended_then_retried(store: Store, execution_id: str) -> None:
    await ended(store, execution_id, S.FAILED)
    await store.update(restart(execution_id))


RECORDS: list[dict[str, Any]] = [
    {"id": "plain", "time": 10},
    {"id": "urgent", "time": 20, "priority": 9, "labels": {"team": "a", "tier": "gold"}},
    {"id": "idle", "time": 20, "priority": -9, "labels": {"team": "b"}, "workflow_id": "w2"},
    {"id": "runs", "time": 30, "state": S.RUNNING, "at": 31, "labels": {"a:b/c.d-e": "x", "empty": ""}},
    {"id": "done", "time": 40, "state": S.COMPLETED, "at": 50, "labels": {"team": "a"}},
    {"id": "bad", "time": 50, "state": S.FAILED, "at": 60, "labels": {"team": "'); --"}, "workflow_id": "w2"},
    {"id": "cut", "time": 60, "state": S.STOPPED, "at": 70, "labels": {"team": 'é"\\'}, "priority": 1},
]


async def stored(store: Store) -> None:
    for record in RECORDS:
        fields = {"labels": record.get("labels", {}), "priority": record.get("priority", 0)}
        workflow_id = record.get("workflow_id", "w1")
        await store.create(create(record["id"], time=NOW + record["time"], workflow_id=workflow_id, **fields))
        if "state" in record:
            await store.update(claim(record["id"], time=NOW + record["at"]))
            if record["state"] is not S.RUNNING:
                await store.update(move(record["id"], record["state"], time=NOW + record["at"]))


COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(condition: Condition, listed: Listed) -> bool:
    """What a condition means, in Python."""
    if isinstance(condition, All):
        return all(holds(part, listed) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(holds(part, listed) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, listed)
    execution = listed.execution
    if condition.field is Field.LABEL:
        if condition.operator is Operator.HAS:
            return condition.label in execution.labels
        value: Any = execution.labels.get(condition.label)
    elif condition.field is Field.PRIORITY:
        value = execution.priority
    else:
        value = getattr(execution.status, condition.field)
    return value is not None and bool(COMPARE[condition.operator](value, condition.value))


TEXTS = {
    Field.STATE: [state.value for state in S],
    Field.WORKFLOW_ID: ["w1", "w2", "w3"],
    Field.EXECUTION_ID: ["plain", "bad", "nobody"],
}
TIMES = [Field.CREATE_TIME, Field.START_TIME, Field.END_TIME]
LABELS = [
    ("team", "a"),
    ("team", "b"),
    ("team", "'); --"),
    ("team", 'é"\\'),
    ("tier", "gold"),
    ("a:b/c.d-e", "x"),
    ("empty", ""),
    ("missing", "x"),
]

comparisons = st.one_of(
    st.builds(compares, st.just(Field.LABEL), st.just(":"), st.just(""), st.sampled_from([key for key, _ in LABELS])),
    st.tuples(st.sampled_from(["=", "!="]), st.sampled_from(LABELS)).map(
        lambda drawn: compares(Field.LABEL, drawn[0], drawn[1][1], drawn[1][0])
    ),
    st.sampled_from(list(TEXTS)).flatmap(
        lambda field: st.builds(compares, st.just(field), st.sampled_from(["=", "!="]), st.sampled_from(TEXTS[field]))
    ),
    st.builds(compares, st.just(Field.PRIORITY), st.sampled_from(list(COMPARE)), st.sampled_from([-9, 0, 1, 9])),
    st.builds(
        compares,
        st.sampled_from(TIMES),
        st.sampled_from(list(COMPARE)),
        st.sampled_from([NOW + at for at in (0, 20, 31, 60, 99)]),
    ),
)
conditions = st.recursive(
    comparisons,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: All(parts=tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(parts=tuple(parts)))
        | inner.map(lambda part: Not(part=part))
    ),
    max_leaves=6,
)


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "found"),
        [
            (compares(Field.STATE, "=", "PENDING"), "idle urgent plain"),
            (compares(Field.STATE, "!=", "PENDING"), "cut bad done runs"),
            (compares(Field.WORKFLOW_ID, "=", "w2"), "bad idle"),
            (compares(Field.EXECUTION_ID, "=", "done"), "done"),
            (compares(Field.PRIORITY, ">", 0), "cut urgent"),
            (compares(Field.PRIORITY, "<=", -9), "idle"),
            (compares(Field.CREATE_TIME, ">=", NOW + 50), "cut bad"),
            (compares(Field.CREATE_TIME, "<", NOW + 20), "plain"),
            (compares(Field.CREATE_TIME, "=", NOW + 20), "idle urgent"),
            # A time that is not there compares with nothing.
            (compares(Field.START_TIME, "!=", NOW + 31), "cut bad done"),
            (compares(Field.END_TIME, ">", 0), "cut bad done"),
            (Not(part=compares(Field.END_TIME, ">", NOW + 60)), "bad done runs idle urgent plain"),
            (compares(Field.LABEL, "=", "a", "team"), "done urgent"),
            (compares(Field.LABEL, "=", "'); --", "team"), "bad"),
            (compares(Field.LABEL, "=", 'é"\\', "team"), "cut"),
            (compares(Field.LABEL, "=", "x", "a:b/c.d-e"), "runs"),
            (compares(Field.LABEL, "=", "", "empty"), "runs"),
            (compares(Field.LABEL, "!=", "a", "team"), "cut bad idle"),
            (compares(Field.LABEL, ":", "", "tier"), "urgent"),
            (Not(part=compares(Field.LABEL, ":", "", "team")), "runs plain"),
            (AnyOf(parts=(compares(Field.STATE, "=", "FAILED"), compares(Field.STATE, "=", "RUNNING"))), "bad runs"),
            (
                All(parts=(compares(Field.LABEL, "=", "a", "team"), compares(Field.PRIORITY, "=", 9))),
                "urgent",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_each_comparison_finds_what_it_says(self, store: Store, condition: Condition, found: str) -> None:
        await stored(store)
        assert ids(await listed(store, condition)) == found

    async def test_any_condition_finds_what_it_means(self, store: Store) -> None:
        await stored(store)
        everything = {order: await listed(store, order=order) for order in (NEWEST, OLDEST, LAST_ENDED, FIRST_ENDED)}
        assert len(everything[NEWEST]) == len(RECORDS)
        loop = asyncio.get_running_loop()

        @given(conditions, st.sampled_from(list(everything)), st.integers(1, 4))
        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        def check(condition: Condition, order: Order, limit: int) -> None:
            async def found() -> list[Listed]:
                first = await listed(store, condition, order, limit=limit)
                rest = await listed(store, condition, order, after=first[-1].position) if first else []
                return [*first, *rest]

            answer = asyncio.run_coroutine_threadsafe(found(), loop).result()
            assert ids(answer) == ids([one for one in everything[order] if holds(condition, one)])

        await asyncio.to_thread(check)


class TestRestarts:
    async def test_error_end_and_time_spent_are_forgotten_and_results_kept(self, store: Store) -> None:
        await running(store)
        error = ErrorInfo(type="BROKEN", message="no", node_id="b", attempt=2)
        nodes = [
            NodeRun(node_id="a", state=N.COMPLETED, attempt=1, start_time=NOW, end_time=NOW, output=b"7"),
            NodeRun(node_id="b", state=N.FAILED, attempt=2, start_time=NOW, end_time=NOW, error=error),
            NodeRun(node_id="c", state=N.RUNNING, attempt=3, start_time=NOW),
            NodeRun(node_id="d", state=N.SKIPPED, end_time=NOW),
            NodeRun(node_id="e", state=N.PENDING, attempt=1, start_time=NOW, error=error, retry_time=NOW + 9),
        ]
        await store.update(move("e1", S.FAILED, nodes=nodes, error=error, ran_for=500, nodes_done=2))
        before = (await store.execution(NAMESPACE, "e1", full=True)).nodes
        assert before["c"].state is N.CANCELLED
        status = (await store.update(restart(message="retried"))).status
        assert (status.state, status.end_time, status.nodes_done) == (S.PENDING, None, 2)
        after = await store.execution(NAMESPACE, "e1", full=True)
        assert after.error is None
        assert (after.nodes["a"], after.nodes["d"]) == (before["a"], before["d"])
        for node_id, attempt in (("b", 2), ("c", 3), ("e", 1)):
            assert after.nodes[node_id] == NodeRun(
                node_id=node_id, state=N.PENDING, attempt=attempt, attempts_before=attempt, start_time=NOW
            )
        held = (await store.update(claim())).status
        claimed = await store.claimed(NAMESPACE, held)
        assert claimed.ran_for == 0
        assert claimed.nodes == after.nodes
        assert claimed.input == b'{"n":1}'

    async def test_a_new_input_replaces_the_old_one(self, store: Store) -> None:
        await running(store)
        await store.update(move("e1", S.STOPPED))
        await store.update(restart(input=b'{"n":2}'))
        assert (await store.execution(NAMESPACE, "e1", full=True)).input == b'{"n":2}'
        held = (await store.update(claim())).status
        assert (await store.claimed(NAMESPACE, held)).input == b'{"n":2}'

    async def test_a_refused_restart_changes_nothing(self, store: Store) -> None:
        await running(store)
        await store.update(update(ran_for=500, nodes=[NodeRun(node_id="a", state=N.FAILED, attempt=1)]))
        before = await store.execution(NAMESPACE, "e1", full=True)
        with pytest.raises(IllegalTransition):
            await store.update(restart(input=b"{}"))
        assert await store.execution(NAMESPACE, "e1", full=True) == before

    async def test_the_whole_of_it_in_one_batch_is_as_one_by_one(self, store: Store) -> None:
        failed = NodeRun(node_id="a", state=N.FAILED, attempt=1, error=ErrorInfo(type="X", message="x"))
        running_b = NodeRun(node_id="b", state=N.RUNNING, attempt=1, start_time=NOW)
        again = NodeRun(node_id="a", state=N.RUNNING, attempt=2, attempts_before=1, start_time=NOW)
        done = await outcomes(
            [
                store.create(create()),
                store.update(claim()),
                store.update(update(nodes=[failed, running_b])),
                store.update(move("e1", S.FAILED, error=failed.error)),
                store.update(restart()),
                store.update(claim()),
                store.update(update(nodes=[again])),
            ]
        )
        assert not [outcome for outcome in done if isinstance(outcome, Exception)]
        nodes = (await store.execution(NAMESPACE, "e1", full=True)).nodes
        assert nodes["a"] == again
        assert nodes["b"] == NodeRun(node_id="b", state=N.PENDING, attempt=1, attempts_before=1, start_time=NOW)

    async def test_the_runner_of_before_is_fenced(self, store: Store) -> None:
        held = await running(store)
        await store.update(move("e1", S.STOPPED))
        await store.update(restart())
        await store.update(claim())
        with pytest.raises(LeaseLost):
            await store.update(update(epoch=held.epoch, nodes=[NodeRun(node_id="a", state=N.COMPLETED)]))


class TestFollowers:
    """A commit says which journal rows changed: those that were handed in, and those it changed by itself."""

    @pytest.mark.parametrize("state", [S.STOPPED, S.FAILED])
    async def test_nodes_cut_off_by_an_end_are_told(self, store: Store, state: ExecutionState) -> None:
        commits: list[Commit] = []
        await running(store)
        await store.update(
            update(nodes=[NodeRun(node_id=node_id, state=N.RUNNING, attempt=1, start_time=NOW) for node_id in "ab"])
        )
        store.listen(commits.append)
        done = NodeRun(node_id="a", state=N.COMPLETED, attempt=1, output=b"1")
        await store.update(move("e1", state, nodes=[done], time=NOW + 5))
        told = {run.node_id: run for commit in commits for run in commit.nodes}
        assert told["a"] == done
        assert told["b"] == NodeRun(node_id="b", state=N.CANCELLED, attempt=1, start_time=NOW, end_time=NOW + 5)

    async def test_nodes_that_begin_anew_are_told(self, store: Store) -> None:
        commits: list[Commit] = []
        await running(store)
        await store.update(move("e1", S.FAILED, nodes=[NodeRun(node_id="a", state=N.FAILED, attempt=4)]))
        store.listen(commits.append)
        await store.update(restart())
        assert [run for commit in commits for run in commit.nodes] == [
            NodeRun(node_id="a", state=N.PENDING, attempt=4, attempts_before=4)
        ]

    async def test_of_a_batch_the_rows_as_they_are_after_all_of_it(self, store: Store) -> None:
        commits: list[Commit] = []
        store.listen(commits.append)
        await running(store)
        await outcomes(
            [
                store.update(update(nodes=[NodeRun(node_id="a", state=N.RUNNING, attempt=1, start_time=NOW)])),
                store.update(move("e1", S.STOPPED)),
            ]
        )
        told = {run.node_id: run for commit in commits for run in commit.nodes}
        assert told == dict((await store.execution(NAMESPACE, "e1", full=True)).nodes)

    async def test_a_deletion_is_told(self, store: Store) -> None:
        commits: list[Commit] = []
        await store.create(create())
        await ended(store, "e1")
        store.listen(commits.append)
        await store.delete(delete())
        ((commit,)) = commits
        assert (commit.deleted, commit.status.uid, commit.namespace) == (True, "uid-e1", NAMESPACE)


def rows(backend: Backend) -> dict[str, int]:
    """Rows by table that are not empty."""
    path = getattr(backend, "_path", None)
    if path is None:
        pytest.skip("no SQLite file")
    tables = (
        "executions",
        "execution_labels",
        "execution_data",
        "definitions",
        "node_runs",
        "log_entries",
        "control_requests",
        "workflows",
    )
    with sqlite3.connect(path) as db:
        counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    db.close()
    return {table: count for table, count in counts.items() if count}


class TestDeletes:
    async def _full(self, store: Store, execution_id: str = "e1", **fields: Any) -> None:
        await store.create(create(execution_id, labels={"team": "a", "tier": "x"}, **fields))
        await store.update(claim(execution_id))
        await store.update(update(execution_id, nodes=[NodeRun(node_id="a", state=N.COMPLETED, output=b"1")]))
        await store.update(move(execution_id, S.COMPLETED, output=b"2", request_id="r"))

    async def test_all_that_it_owned_is_gone_and_nothing_of_others(self, store: Store, backend: Backend) -> None:
        await self._full(store, "keep", definition_digest="d2")
        before = rows(backend)
        await self._full(store, "e1")
        status = await store.delete(delete())
        assert (status.execution_id, status.state) == ("e1", S.COMPLETED)
        for call in (
            store.status(NAMESPACE, "e1"),
            store.execution(NAMESPACE, "e1", full=True),
            store.request_digest(NAMESPACE, "e1"),
            store.log_page(NAMESPACE, "e1", after=0, limit=9),
            store.update(move("e1", S.STOPPED)),
            store.delete(delete()),
        ):
            with pytest.raises(ExecutionNotFound):
                await call
        assert ids(await listed(store)) == "keep"
        assert ids(await listed(store, compares(Field.LABEL, "=", "a", "team"))) == "keep"
        assert rows(backend) == before

    async def test_the_id_may_be_used_again_and_what_was_is_not_seen(self, store: Store) -> None:
        await self._full(store)
        await store.delete(delete())
        created = await store.create(create(uid="second", time=NOW + 9, labels={"team": "b"}))
        assert created.created
        assert [entry.message for entry in await whole_log(store)] == ["queued"]
        assert (await store.execution(NAMESPACE, "e1", full=True)).nodes == {}
        assert ids(await listed(store, compares(Field.LABEL, "=", "a", "team"))) == ""
        # Nor does the request id of before answer.
        await store.update(claim())
        assert not (await store.update(move("e1", S.STOPPED, request_id="r"))).repeated

    async def test_only_the_one_with_the_uid(self, store: Store) -> None:
        await self._full(store)
        with pytest.raises(ExecutionNotFound):
            await store.delete(delete(uid="another"))
        await store.delete(delete(uid="uid-e1"))

    async def test_only_in_its_namespace(self, store: Store) -> None:
        await self._full(store)
        with pytest.raises(ExecutionNotFound):
            await store.delete(delete(namespace="other"))

    @pytest.mark.parametrize("state", [S.PENDING, S.RUNNING, S.PAUSED])
    async def test_only_once_it_has_ended(self, store: Store, state: ExecutionState) -> None:
        await store.create(create())
        if state is not S.PENDING:
            await store.update(claim())
        if state is S.PAUSED:
            await store.update(move("e1", S.PAUSED))
        with pytest.raises(IllegalTransition) as refused:
            await store.delete(delete())
        assert (refused.value.state, refused.value.action) == (state, "delete")
        assert refused.value.allowed_from == ("COMPLETED", "FAILED", "STOPPED")
        assert (await store.status(NAMESPACE, "e1")).state is state

    async def test_a_definition_goes_with_its_last_user(self, store: Store, backend: Backend) -> None:
        await self._full(store, "a")
        await self._full(store, "b")
        await store.put_workflow(put("w", "d3", definition=b"{}"))
        await self._full(store, "c", definition_digest="d3", definition=b"{}")
        assert rows(backend)["definitions"] == 2
        await store.delete(delete("a"))
        assert (await store.execution(NAMESPACE, "b", full=True)).definition == b'{"nodes":[]}'
        await store.delete(delete("c"))
        assert (await store.workflow(NAMESPACE, "w", "")).definition == b"{}"
        await store.delete(delete("b"))
        assert rows(backend) == {"definitions": 1, "workflows": 1}

    async def test_deleting_the_last_user_beside_a_new_one_keeps_the_definition(self, store: Store) -> None:
        await self._full(store, "a")
        done = await outcomes([store.delete(delete("a")), store.create(create("b"))])
        assert not [outcome for outcome in done if isinstance(outcome, Exception)]
        assert (await store.execution(NAMESPACE, "b", full=True)).definition == b'{"nodes":[]}'

    async def test_delete_and_begin_anew_in_one_batch(self, store: Store) -> None:
        await self._full(store)
        done = await outcomes(
            [
                store.update(update(entries=entries("last words"))),
                store.delete(delete()),
                store.create(create(uid="second", input=b'{"n":2}')),
                store.update(claim(uid="second")),
                store.delete(delete(uid="uid-e1")),
                store.update(move("e1", S.STOPPED, uid="uid-e1")),
            ]
        )
        assert [type(outcome).__name__ for outcome in done[-2:]] == ["ExecutionNotFound", "ExecutionNotFound"]
        execution = await store.execution(NAMESPACE, "e1", full=True)
        assert (execution.status.uid, execution.status.state, execution.input) == ("second", S.RUNNING, b'{"n":2}')
        assert [entry.message for entry in await whole_log(store)] == ["queued", "running"]

    async def test_a_whole_life_in_one_batch_leaves_nothing(self, store: Store, backend: Backend) -> None:
        done = await outcomes(
            [
                store.create(create(labels={"team": "a"})),
                store.update(claim()),
                store.update(move("e1", S.STOPPED, request_id="r", nodes=[NodeRun(node_id="a", state=N.COMPLETED)])),
                store.delete(delete()),
            ]
        )
        assert not [outcome for outcome in done if isinstance(outcome, Exception)]
        assert rows(backend) == {}


class TestRetention:
    async def test_what_ended_before_a_time_is_found_oldest_end_first(self, store: Store) -> None:
        for number, execution_id in enumerate("abcd"):
            await store.create(create(execution_id))
            await ended(store, execution_id, time=NOW + 10 * (4 - number))
        await store.create(create("runs"))
        await store.update(claim("runs"))
        await store.create(create("elsewhere", namespace="other", uid="uid-o"))
        await store.update(claim("elsewhere", namespace="other", time=NOW + 5))
        await store.update(move("elsewhere", S.FAILED, namespace="other", time=NOW + 5))
        found = await store.expired(NOW + 40, limit=9)
        assert found == [
            ("other", "elsewhere", "uid-o"),
            (NAMESPACE, "d", "uid-d"),
            (NAMESPACE, "c", "uid-c"),
            (NAMESPACE, "b", "uid-b"),
        ]
        assert await store.expired(NOW + 40, limit=2) == found[:2]
        assert await store.expired(NOW, limit=9) == []


class TestWorkflows:
    async def test_a_version_is_stored_once(self, store: Store) -> None:
        first = await store.put_workflow(put(time=NOW))
        assert (first.created, first.workflow.version, first.workflow.create_time) == (True, "v1", NOW)
        again = await store.put_workflow(put(time=NOW + 5))
        assert (again.created, again.workflow) == (False, first.workflow)
        both = await outcomes([store.put_workflow(put("x")), store.put_workflow(put("x"))])
        assert [outcome.created for outcome in both] == [True, False]

    async def test_it_is_found_by_version_or_as_the_newest(self, store: Store) -> None:
        await store.put_workflow(put(version="v1", time=NOW))
        await store.put_workflow(put(version="v2", time=NOW + 5))
        newest = await store.workflow(NAMESPACE, "w", "")
        assert (newest.version, newest.definition, newest.create_time) == ("v2", b'{"version":"v2"}', NOW + 5)
        assert (await store.workflow(NAMESPACE, "w", "v1")).definition == b'{"version":"v1"}'

    @pytest.mark.parametrize(
        ("namespace", "workflow_id", "version"),
        [(NAMESPACE, "nobody", ""), (NAMESPACE, "w", "v9"), ("other", "w", ""), ("other", "w", "v1")],
    )
    async def test_what_is_not_stored_is_not_found(
        self, store: Store, namespace: str, workflow_id: str, version: str
    ) -> None:
        await store.put_workflow(put())
        with pytest.raises(WorkflowNotFound):
            await store.workflow(namespace, workflow_id, version)

    async def test_lists_give_the_newest_of_each_or_the_versions_of_one_page_by_page(self, store: Store) -> None:
        for number in range(3):
            for workflow_id in ("a", "b", "c"):
                await store.put_workflow(put(workflow_id, f"v{number}", time=NOW + number))
        await store.put_workflow(put("z", "v0", namespace="other"))

        async def pages(workflow_id: str, size: int) -> list[str]:
            found: list[str] = []
            after = None
            while page := await store.list_workflows(NAMESPACE, workflow_id=workflow_id, after=after, limit=size):
                assert all(workflow.definition is None for workflow in page)
                found += [f"{workflow.workflow_id}/{workflow.version}" for workflow in page]
                last = page[-1]
                after = (last.create_time, last.version if workflow_id else last.workflow_id)
            return found

        for size in (1, 2, 9):
            assert await pages("", size) == ["c/v2", "b/v2", "a/v2"]
            assert await pages("b", size) == ["b/v2", "b/v1", "b/v0"]
        assert await pages("nobody", 9) == []

    async def test_versions_of_one_moment_are_told_apart(self, store: Store) -> None:
        for version in ("v2", "v1", "v3"):
            await store.put_workflow(put(version=version))
        newest = await store.workflow(NAMESPACE, "w", "")
        (of_each,) = await store.list_workflows(NAMESPACE, workflow_id="", after=None, limit=9)
        first, *_ = await store.list_workflows(NAMESPACE, workflow_id="w", after=None, limit=9)
        assert of_each.version == newest.version == first.version


async def test_namespaces_are_counted_and_expire_each_for_itself(store: Store) -> None:
    for number in range(6):
        namespace = "ab"[number % 2]
        await store.create(create(f"e{number}", namespace=namespace, time=NOW))
        end = move(f"e{number}", ExecutionState.STOPPED, namespace=namespace, time=NOW + number)
        await store.update(end)
    await store.create(create("waits", namespace="c"))

    assert await store.namespaces() == ["a", "b", "c"]
    assert [await store.count(name, most=most) for name, most in (("a", 9), ("a", 2), ("c", 9), ("none", 9))] == [
        3, 2, 1, 0,
    ]  # fmt: skip
    assert [name for _, name, _ in await store.expired(NOW + 4, limit=9, namespace="a")] == ["e0", "e2"]
    assert [name for _, name, _ in await store.expired(NOW + 9, limit=2, namespace="b")] == ["e1", "e3"]
    assert await store.expired(NOW + 9, limit=9, namespace="c") == []


async def test_without_executions_there_are_no_namespaces(store: Store) -> None:
    assert await store.namespaces() == []
