"""Random histories of executions on real servers never differ from the model; 10,000 steps with EXECSVC_NIGHTLY=1."""

from __future__ import annotations

import asyncio
import copy
import itertools
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from execsvc.model import MOVES, ControlAction, ExecutionState, NodeState
from execsvc_client import v1
from tests.chaos.evidence import STATE_OF
from tests.model.driver import Driver, journal_of, state_of
from tests.model.expected import SHAPES, Execution, World
from tests.model.nodes import refusal
from tests.servers.places import EVERY_PLACE, PLACES, Place
from tests.support.histories import History, run_histories

T = TypeVar("T")

NIGHTLY: Final = os.environ.get("EXECSVC_NIGHTLY") == "1"
STEPS: Final = 50 if NIGHTLY else 25
EXAMPLES: Final = 320 if NIGHTLY else 14
#: Seconds after which a server that has not come to where the model is will not come there any more.
PATIENCE: Final = 30.0

IDS = st.sampled_from(["e0", "e1", "e2", "e3", "e4"])
ACTIONS = st.sampled_from(list(ControlAction))
#: Empty: none. So few that they repeat.
REQUEST_IDS = st.sampled_from(["", "r1", "r2"])
EXPECTED = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(list(ExecutionState)))
#: Chooses among what there is. What is drawn must not depend on what the server did: races end in more ways than one.
PICKS = st.integers(0, 839)
OUTCOMES = st.sampled_from(["yes", "no", "yes", "fails", "fails", "fails for good"])

#: An operation: what it does to a model, and what it does to the server.
Op = tuple[Callable[[World], set[str]], Callable[[], Awaitable[str]]]


@dataclass(slots=True)
class Seen:
    """What was last seen of an execution."""

    record: v1.Execution
    log: list[v1.LogEntry]


class Executions(History):
    """Drives servers and a model side by side."""

    place: Place
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(self.place)
        self.world = World()
        self.seen: dict[str, Seen] = {}
        #: As the server last answered them.
        self.records: dict[str, v1.Execution] = {}

    def teardown(self) -> None:
        super().teardown()
        self.driver.close()

    # Operations

    def _execute(self, execution_id: str, shape: str, priority: int, number: int) -> Op:
        given: dict[str, Any] = {"shape": shape, "priority": priority, "number": number}
        return (
            lambda world: {world.execute(execution_id, **given)},
            lambda: self.driver.execute(execution_id, **given),
        )

    def _control(
        self, execution_id: str, action: ControlAction, request_id: str = "", expected: ExecutionState | None = None
    ) -> Op:
        given: dict[str, Any] = {"request_id": request_id, "expected": expected}
        return (
            lambda world: world.control(execution_id, action, **given),
            lambda: self.driver.control(execution_id, action, **given),
        )

    def _delete(self, execution_id: str) -> Op:
        return lambda world: {world.delete(execution_id)}, lambda: self.driver.delete(execution_id)

    def _outcome(self, execution_id: str, name: str, outcome: str) -> Op:
        def expect(world: World) -> set[str]:
            execution = world.executions.get(execution_id)
            if execution is None or name not in execution.under_way:
                # It was cut off before the outcome came.
                return {""}
            if outcome.startswith("fails"):
                world.fail(execution_id, name, retryable=outcome == "fails")
            else:
                world.complete(execution_id, name, outcome)
            return {""}

        async def act() -> str:
            failure = refusal(retryable=outcome == "fails")
            self.driver.told.end((execution_id, name), failure if outcome.startswith("fails") else outcome)
            return ""

        return expect, act

    # Rules

    @initialize(shapes=st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=3))
    def some_executions(self, shapes: list[str]) -> None:
        for number, shape in enumerate(shapes):
            self._do(self._execute(f"e{number}", shape, 0, 1))

    @rule(
        execution_id=IDS,
        shape=st.sampled_from(sorted(SHAPES)),
        priority=st.integers(0, 1),
        number=st.sampled_from([1, 1, 2]),
    )
    def execute(self, execution_id: str, shape: str, priority: int, number: int) -> None:
        self._do(self._execute(execution_id, shape, priority, number))

    @rule(pick=PICKS)
    def execute_again(self, pick: int) -> None:
        if self.world.executions:
            execution_id = _picked(sorted(self.world.executions), pick)
            known = self.world.executions[execution_id]
            self._do(self._execute(execution_id, known.shape, known.priority, known.number))

    @rule(execution_id=IDS, action=ACTIONS, request_id=REQUEST_IDS, expected=EXPECTED)
    def control(
        self, execution_id: str, action: ControlAction, request_id: str, expected: ExecutionState | None
    ) -> None:
        self._do(self._control(execution_id, action, request_id, expected))

    @rule(pick=PICKS, action=PICKS)
    def control_as_allowed(self, pick: int, action: int) -> None:
        if self.world.executions:
            execution_id = _picked(sorted(self.world.executions), pick)
            self._do(self._control(execution_id, _picked(self._allowed(execution_id), action)))

    @rule(execution_id=IDS)
    def delete(self, execution_id: str) -> None:
        self._do(self._delete(execution_id))

    @rule(pick=PICKS, outcome=OUTCOMES)
    def end_an_attempt(self, pick: int, outcome: str) -> None:
        if self._under_way():
            self._do(self._outcome(*_picked(self._under_way(), pick), outcome))

    @rule(pick=PICKS, outcome=OUTCOMES)
    def end_another_attempt(self, pick: int, outcome: str) -> None:
        self.end_an_attempt(pick, outcome)

    @rule(pick=PICKS, outcome=OUTCOMES)
    def end_an_attempt_while_paused(self, pick: int, outcome: str) -> None:
        if self._under_way():
            execution_id, name = _picked(self._under_way(), pick)
            self._do(self._control(execution_id, ControlAction.PAUSE))
            self._do(self._outcome(execution_id, name, outcome))

    @rule(pick=PICKS, action=PICKS, request_id=st.sampled_from(["r1", "r2"]), other=ACTIONS)
    def control_twice(self, pick: int, action: int, request_id: str, other: ControlAction) -> None:
        """Use a request id, then use it again, for the same and for another action."""
        if self.world.executions:
            execution_id = _picked(sorted(self.world.executions), pick)
            wanted = _picked(self._allowed(execution_id), action)
            for each in (wanted, wanted, other):
                self._do(self._control(execution_id, each, request_id))

    @rule(pick=PICKS, first=st.tuples(PICKS, PICKS, OUTCOMES), second=st.tuples(PICKS, PICKS, OUTCOMES))
    def race(self, pick: int, first: tuple[int, int, str], second: tuple[int, int, str]) -> None:
        """Two things happen to one execution at once."""
        if self.world.executions:
            execution_id = _picked(sorted(self.world.executions), pick)
            self._together([self._any_op(execution_id, *first), self._any_op(execution_id, *second)])

    def _any_op(self, execution_id: str, kind: int, pick: int, outcome: str) -> Op:
        mine = [name for of, name in self._under_way() if of == execution_id]
        match kind % 8:
            case 0:
                return self._delete(execution_id)
            case 1:
                return self._control(execution_id, _picked(list(ControlAction), pick))
            case 2 | 3 | 4 if mine:
                return self._outcome(execution_id, _picked(mine, pick), outcome)
        return self._control(execution_id, _picked(self._allowed(execution_id), pick))

    @rule()
    def restart(self) -> None:
        self.driver.run(self.driver.restart())
        self.world.restart()
        self.world.advance()
        self._settle([self.world])

    def _allowed(self, execution_id: str) -> list[ControlAction]:
        match self.world.executions[execution_id].state:
            case ExecutionState.PENDING:
                return [ControlAction.STOP]
            case ExecutionState.RUNNING:
                return [ControlAction.PAUSE, ControlAction.PAUSE, ControlAction.STOP]
            case ExecutionState.PAUSED:
                return [ControlAction.RESUME, ControlAction.RESUME, ControlAction.STOP]
        return [ControlAction.RETRY]

    def _under_way(self) -> list[tuple[str, str]]:
        executions = sorted(self.world.executions.items())
        return [(execution_id, name) for execution_id, e in executions for name in sorted(e.under_way)]

    # Comparing

    def _do(self, op: Op) -> None:
        self._together([op])

    def _together(self, ops: list[Op]) -> None:
        """Let operations happen at once, and find a way of the model's that has the same answers and end."""

        async def act() -> list[str]:
            return list(await asyncio.gather(*(act() for _, act in ops)))

        candidates = [self._expected(ops, *way) for way in self._ways(len(ops))]
        answers = self.driver.run(_within(act()))
        fitting = [
            world for allowed, world in candidates if all(answer in allowed[i] for i, answer in enumerate(answers))
        ]
        assert fitting, f"answered {answers}, not as in any way: {[allowed for allowed, _ in candidates]}"
        self._settle(fitting)

    def _ways(self, count: int) -> Iterable[tuple[Sequence[int], str, bool, bool, bool]]:
        # In any order, and with the service having done nothing, half or all of its own in between.
        orders = list(itertools.permutations(range(count)))
        between = ["nothing"] if count == 1 else ["nothing", "cut", "advance"]
        if count > 1 and self.place.servers > 1:
            between.append("run_nodes")
        # Alone, too, where a sign of life takes longer than it should.
        overruns = looks = (False, True) if self.place.postgres else (False,)
        just_ended = looks if count > 1 else (False,)
        return itertools.product(orders, between, overruns, looks, just_ended)

    def _expected(
        self, ops: list[Op], order: Sequence[int], between: str, overruns: bool, looks: bool, just_ended: bool
    ) -> tuple[dict[int, set[str]], World]:
        world = copy.deepcopy(self.world)
        world.overruns, world.looks_first, world.just_ended = overruns, looks, just_ended
        allowed: dict[int, set[str]] = {}
        for index in order:
            if allowed and between != "nothing":
                getattr(world, between)()
            allowed[index] = ops[index][0](world)
        world.advance()
        return allowed, world

    def _settle(self, worlds: list[World]) -> None:
        """Wait until the server is where one of the models is, and go on with that one."""

        async def settled() -> World:
            differences: list[list[str]] = []
            try:
                async with asyncio.timeout(PATIENCE):
                    while True:
                        records = {
                            execution_id: await self.driver.record(execution_id) for execution_id in self._ids(worlds)
                        }
                        differences = [self._differences(world, records) for world in worlds]
                        for world, differs in zip(worlds, differences, strict=True):
                            if not differs:
                                self.records = {name: found for name, found in records.items() if found}
                                return world
            except TimeoutError:
                raise AssertionError(f"the server is not where the model is: {differences}") from None

        self.world = self.driver.run(settled())
        type(self).steps += 1

    @staticmethod
    def _ids(worlds: list[World]) -> list[str]:
        return sorted({execution_id for world in worlds for execution_id in world.executions})

    def _differences(self, world: World, records: dict[str, v1.Execution | None]) -> list[str]:
        found = []
        under_way = {
            (execution_id, name): node.attempt
            for execution_id, execution in world.executions.items()
            for name, node in execution.nodes.items()
            if node.under_way
        }
        if self.driver.told.waiting != under_way:
            found.append(f"under way are {self.driver.told.waiting}, not {under_way}")
        for execution_id, record in records.items():
            execution = world.executions.get(execution_id)
            if execution is None or record is None:
                if execution is not record:
                    found.append(f"{execution_id} is there in only one of the two")
                continue
            state = state_of(record.status)
            if state is not execution.state:
                found.append(f"{execution_id} is {state}, not {execution.state}")
            nodes = {name: (node.state, node.attempt) for name, node in execution.nodes.items()}
            journal = journal_of(record)
            if journal != nodes:
                found.append(f"{execution_id}: the journal has {journal}, not {nodes}")
            found += self._of_status(execution_id, execution, record)
        return found

    def _of_status(self, execution_id: str, execution: Execution, record: v1.Execution) -> list[str]:
        found = []
        status = record.status
        done = execution.settled / len(execution.nodes)
        completed = execution.state is ExecutionState.COMPLETED
        if status.progress != (1.0 if completed else min(done, 0.999)):
            found.append(f"{execution_id}: progress {status.progress}, not {done}")
        if execution.slot and set(status.running_nodes) != execution.under_way:
            found.append(f"{execution_id}: running are {status.running_nodes}, not {execution.under_way}")
        if status.HasField("end_time") != execution.state.terminal:
            found.append(f"{execution_id} is {execution.state} with end time {status.end_time}")
        if completed and record.output.number_value != execution.number:
            found.append(f"{execution_id} answers {record.output}")
        if record.HasField("error") != (execution.state is ExecutionState.FAILED):
            found.append(f"{execution_id} is {execution.state} with error {record.error}")
        return found

    @invariant()
    def history_only_grows(self) -> None:
        self.driver.run(self._history())

    async def _history(self) -> None:
        for execution_id, execution in self.world.executions.items():
            record = self.records[execution_id]
            seen = self.seen.get(execution_id)
            if seen is not None and seen.record == record:
                continue
            log = await self.driver.log(execution_id)
            if seen is not None and seen.record.uid == record.uid:
                assert record.status.progress >= seen.record.status.progress, "progress has gone down"
                assert log[: len(seen.log)] == seen.log, "the log has changed"
            self.seen[execution_id] = Seen(record, log)
            assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
            check_story(log, execution, self.driver.paused.get(execution_id, ()) if self.place.servers > 1 else ())


def check_story(log: list[v1.LogEntry], execution: Execution, paused: Sequence[int] = ()) -> None:
    """A log tells a history that is possible and ends where the execution stands.

    Args:
        paused: when pauses were answered that another server than the one that ran it may have carried out. Until then
            nodes may start there; empty: there is no other.
    """
    until = 0
    states: set[ExecutionState] = set()
    completed: set[str] = set()
    retried = 0
    for entry in log:
        facts = dict(entry.metadata)
        event = facts.get("event", "")
        if event in STATE_OF:
            now = STATE_OF[event]
            assert not states or now & {to for state in states for to in MOVES[state] | {state}}, (states, event)
            states = now
            since = entry.time.ToMicroseconds()
            until = min((time for time in paused if time >= since), default=0)
            retried += event == "execution_retried"
        elif event == "node_started":
            late = states == {ExecutionState.PAUSED} and entry.time.ToMicroseconds() <= until
            assert ExecutionState.RUNNING in states or late, (states, entry)
            assert entry.node_id not in completed, f"{entry.node_id} runs again"
        elif event == "node_completed":
            completed.add(entry.node_id)
    assert execution.state in states
    assert retried == execution.retries
    told = SHAPES[execution.shape].told
    assert completed & told <= {name for name in told if execution.nodes[name].state is NodeState.COMPLETED}


def _picked(options: Sequence[T], pick: int) -> T:
    return options[pick % len(options)]


async def _within(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await work


@pytest.mark.timeout(7200 if NIGHTLY else 180)
@pytest.mark.parametrize("name", EVERY_PLACE)
def test_no_history_of_the_service_differs_from_the_model(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    machine: type[Executions] = type("Executions", (Executions,), {"place": PLACES[name], "steps": 0})
    run_histories(
        machine,
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        # A race need not end the same way twice, so there is little to be gained by shrinking.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        print_blob=True,
    )
    record_property("steps", machine.steps)
    print(f"{machine.steps} steps")
    assert machine.steps >= (10_000 if NIGHTLY else EXAMPLES)
