"""Any history of changes, in any batches, leaves a store as it leaves a plain model of one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from execsvc.errors import ExecutionNotFound
from execsvc.model import MOVES, ErrorInfo, ExecutionState, ExecutionStatus, LogLevel, NewLogEntry, NodeRun, NodeState
from execsvc.store import Commit, CreateExecution, DeleteExecution, Store, UpdateExecution
from tests.conformance.backends import BACKENDS, Backend, Capability
from tests.conformance.model import Change, Model
from tests.support.changes import create, move, update
from tests.support.histories import History, run_histories
from tests.support.stored_logs import entries_of

IDS = ("a", "b")
DIGITS = st.sampled_from(range(10))

times = st.integers(1, 50)
texts = st.text("aé🙂\\\"'\n1", max_size=6)
new_entries = st.lists(
    st.builds(
        NewLogEntry,
        time=times,
        level=st.sampled_from(LogLevel),
        message=texts,
        node_id=st.sampled_from(("", "n", "m")),
        attempt=st.integers(0, 3),
        metadata=st.dictionaries(texts, st.none() | st.integers(-9, 9) | texts, max_size=2),
    ),
    max_size=3,
).map(tuple)


@st.composite
def rarely(draw: st.DrawFn, strategy: st.SearchStrategy[Any], *, one_in: int, otherwise: Any = None) -> Any:
    """Draw from a strategy now and then, so that most conditions hold and histories get somewhere."""
    return draw(strategy) if draw(DIGITS) % one_in == one_in - 1 else otherwise


def node_run(output: bytes, **fields: Any) -> NodeRun:
    return NodeRun(output=output if fields["state"] is NodeState.COMPLETED else None, **fields)


node_runs = st.lists(
    st.builds(
        node_run,
        node_id=st.sampled_from(("n", "m")),
        state=st.sampled_from(NodeState),
        attempt=st.integers(0, 3),
        start_time=st.none() | times,
        end_time=st.none() | times,
        output=st.sampled_from((b"null", b"1", b'"x"')),
        branch=st.none() | texts,
    ),
    max_size=3,
).map(tuple)


def possible_update(
    execution_id: str,
    *,
    to_state: ExecutionState | None,
    among: Sequence[ExecutionState],
    restart: bool,
    given: bytes | None,
    **fields: Any,
) -> UpdateExecution:
    """An update that is no bug of its caller: its move is in the table from each of the states it may start in."""
    allowed = [state for state in ExecutionState if to_state in (None, state) or to_state in MOVES[state]]
    anew = to_state is ExecutionState.PENDING
    return update(
        execution_id,
        to_state=to_state,
        from_states=tuple(state for state in among if state in allowed),
        restart=restart and anew,
        input=given if anew else None,
        **fields,
    )


updates = st.builds(
    possible_update,
    st.sampled_from(IDS),
    to_state=st.none() | st.sampled_from(ExecutionState),
    among=rarely(st.lists(st.sampled_from(ExecutionState), unique=True), one_in=8, otherwise=tuple(ExecutionState)),
    restart=st.booleans(),
    given=st.none() | st.just(b"{}"),
    time=times,
    action=st.sampled_from(("x", "x", "x", "y")),
    uid=rarely(st.sampled_from(("uid-a", "uid-b")), one_in=8),
    epoch=rarely(st.integers(0, 3), one_in=5),
    expected_state=rarely(st.sampled_from(ExecutionState), one_in=8),
    claim_owner=st.none() | st.just("owner"),
    request_id=st.sampled_from(("", "", "", "r1", "r2", "r3")),
    message=st.none() | texts,
    current_node=st.none() | st.sampled_from(("", "n")),
    running_nodes=st.none() | st.sampled_from(((), ("n",), ("n", "m"))),
    nodes_done=st.none() | st.integers(0, 3),
    ran_for=st.none() | times,
    output=st.none() | st.sampled_from((b"null", b"[1]")),
    error=st.none() | st.builds(ErrorInfo, type=texts, message=texts, retryable=st.booleans()),
    nodes=node_runs,
    entries=new_entries,
)
deletes = st.builds(
    DeleteExecution,
    namespace=st.just(""),
    execution_id=st.sampled_from(IDS),
    uid=st.none() | st.sampled_from(("uid-a", "uid-b")),
)
creates = st.builds(
    create, st.sampled_from(IDS), time=times, message=texts, log=new_entries, priority=st.integers(0, 1)
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    digit = draw(DIGITS)
    kind: st.SearchStrategy[Change] = deletes if digit == 9 else creates if digit >= 7 else updates
    return draw(kind)


changes_together = st.lists(changes(), min_size=4, max_size=10)


class Told:
    """What the listener was told of one execution."""

    def __init__(self) -> None:
        self.status: ExecutionStatus | None = None
        self.entries: list[NewLogEntry] = []
        self.nodes: dict[str, NodeRun] = {}


class StoreHistory(History):
    """One history; each is given a namespace of its own in a store that all share."""

    backend: Backend
    runner: asyncio.Runner
    store: Store
    commits: list[Commit]
    histories = 0

    @initialize()
    def begin(self) -> None:
        type(self).histories += 1
        self.namespace = f"history {self.histories}"
        self.model = Model()
        self.told: dict[str, Told] = {}
        self.commits.clear()
        self.hand_in_together([create("a"), move("a", ExecutionState.RUNNING)], reopen=False)

    @rule(changes=changes_together, reopen=rarely(st.just(True), one_in=8, otherwise=False))
    def hand_in_together(self, changes: list[Change], reopen: bool) -> None:
        """Hand changes in without waiting between them; each answers as it would have alone, in its turn."""

        ours = [self.here(change) for change in changes]

        async def hand_in() -> list[Any]:
            futures: list[asyncio.Future[Any]] = []
            for change in ours:
                if isinstance(change, CreateExecution):
                    futures.append(self.store.create(change))
                elif isinstance(change, UpdateExecution):
                    futures.append(self.store.update(change))
                else:
                    futures.append(self.store.delete(change))
            return await asyncio.gather(*futures, return_exceptions=True)

        for change, outcome in zip(ours, self.runner.run(hand_in()), strict=True):
            expected = self.model.apply(change)
            if isinstance(expected, Exception):
                assert type(outcome) is type(expected)
            else:
                assert outcome == expected
        if reopen:
            self.reopened()

    def here(self, change: Any) -> Any:
        # A uid is nobody else's, in whichever namespace: what histories before have left has others.
        uid = None if change.uid is None else f"{change.uid} of {self.namespace}"
        return replace(change, namespace=self.namespace, uid=uid)

    def reopened(self) -> None:
        """Close the store and open it again: nothing changes."""
        if Capability.DURABLE in self.backend.capabilities:
            cls = type(self)
            self.runner.run(cls.store.close())
            cls.store = self.runner.run(cls.backend.open())
            cls.store.listen(cls.commits.append)

    @invariant()
    def reads_answer_as_the_model(self) -> None:
        self.runner.run(self.compare())

    async def compare(self) -> None:
        if not hasattr(self, "model"):
            return
        for commit in self.commits:
            if commit.deleted:
                self.told.pop(commit.status.execution_id, None)
                continue
            told = self.told.setdefault(commit.status.execution_id, Told())
            told.status = commit.status
            told.entries += commit.entries
            told.nodes |= {node.node_id: node for node in commit.nodes}
            assert commit.status.last_sequence == len(told.entries)
        self.commits.clear()
        for execution_id in IDS:
            known = self.model.executions.get(execution_id)
            if known is None:
                assert execution_id not in self.told
                with pytest.raises(ExecutionNotFound):
                    await self.store.status(self.namespace, execution_id)
                continue
            status = await self.store.status(self.namespace, execution_id)
            assert status == known.status
            told = self.told[execution_id]
            assert (told.status, told.nodes) == (known.status, known.nodes)
            assert [entry.message for entry in told.entries] == [entry.message for entry in known.log]
            record = await self.store.execution(self.namespace, execution_id, full=True)
            assert (record.status, record.nodes) == (known.status, known.nodes)
            assert (record.input, record.output, record.error) == (known.input, known.output, known.error)
            page = await self.store.log_page(self.namespace, execution_id, after=0, limit=1000)
            assert list(entries_of(page)) == known.log
            assert (page.cursor, page.status) == (len(known.log), known.status)
            claim = await self.store.claimed(self.namespace, status)
            assert (claim.ran_for, claim.nodes) == (known.ran_for, known.nodes)
        unfinished = [item.execution_id for item in await self.store.unfinished() if item.namespace == self.namespace]
        assert unfinished == self.model.unfinished


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_any_history_leaves_the_store_as_it_leaves_the_model(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner() as runner:
        backend = BACKENDS[name](Path(directory))
        store = runner.run(backend.open())
        attributes = {"backend": backend, "runner": runner, "store": store, "commits": []}
        machine: type[StoreHistory] = type("History", (StoreHistory,), attributes)
        store.listen(machine.commits.append)
        try:
            run_histories(
                machine,
                max_examples=25,
                # What meets in a batch differs from run to run, so shrinking takes minutes and may lose its way.
                phases=(Phase.generate,),
                stateful_step_count=8,
            )
        finally:
            runner.run(machine.store.close())
            backend.remove()
