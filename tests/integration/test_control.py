"""Control takes effect at once, and whatever races, the log says exactly what happened."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from execsvc_client import Aborted, AlreadyExists, AsyncExecutionClient, FailedPrecondition, NotFound
from tests.integration.conftest import StartServer, Stubs
from tests.support.logs import entries, story, until_logged
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, gate, output, transform, workflow

pytestmark = pytest.mark.every_store

ACTIONS = ("pause", "resume", "stop")


async def test_stop_cancels_what_is_in_flight_and_starts_nothing_more(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    stopped = await client.stop("e", "enough")
    assert stopped.state == "STOPPED"
    assert stopped.running_nodes == ()
    assert stopped.end_time is not None
    execution = await client.wait("e")
    assert gates.cancelled["a"] == 1
    assert (execution.nodes["a"].state, execution.nodes["b"].state) == ("CANCELLED", "PENDING")
    assert (await story(client, "e"))[-2:] == ["a:started", "stopped"]
    assert (await entries(client, "e"))[-1].message == "execution stopped: enough"
    assert gates.entries["b"] == 0


async def test_a_node_that_swallows_cancellation_delays_nobody_and_is_fenced(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("a", stubborn=True, late_log="too late"), execution_id="e")
        await gates.entered("a")
        assert (await client.stop("e")).state == "STOPPED"
        # Its slot is free although the node has not ended.
        await client.execute(ECHO, {"n": 1}, execution_id="next")
        assert (await client.wait("next")).output == {"n": 1}
        before = await entries(client, "e")
        gates.open("a")
        await gates.left("a")
        # A write that comes after whatever the node wrote.
        await client.execute(ECHO, execution_id="last")
        await client.wait("last")
        assert await entries(client, "e") == before
        execution = await client.get("e")
        assert (execution.state, execution.nodes["a"].state, execution.nodes["a"].output) == (
            "STOPPED",
            "CANCELLED",
            None,
        )


async def test_a_server_goes_down_although_a_node_swallows_cancellation(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(grace=0.05) as client:
        await client.execute(chain("a", stubborn=True), execution_id="e")
        await gates.entered("a")
    gates.open("a")
    async with start_server() as client:
        assert (await client.wait("e")).state == "COMPLETED"
    assert gates.keys[0] == gates.keys[1]


async def test_stop_from_pending_never_runs_it(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("a"), execution_id="first")
        await gates.entered("a")
        waiting = await client.execute(chain("b"), execution_id="second")
        assert waiting.state == "PENDING"
        assert (await client.stop("second")).state == "STOPPED"
        gates.open("a", "b")
        assert (await client.wait("first")).state == "COMPLETED"
        await client.execute(ECHO, execution_id="third")
        await client.wait("third")
        assert gates.entries["b"] == 0
        assert await story(client, "second") == ["queued", "stopped"]


async def test_stop_from_paused_is_final(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    await client.pause("e")
    gates.open("a")
    await until_logged(client, "e", "node_completed")
    assert (await client.stop("e")).state == "STOPPED"
    execution = await client.wait("e")
    assert execution.nodes["a"].state == "COMPLETED"
    assert gates.entries["b"] == 0


async def test_pause_lets_nodes_in_flight_finish_starts_none_and_frees_the_slot(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("a", "b"), execution_id="e")
        await gates.entered("a")
        assert (await client.pause("e", "lunch")).state == "PAUSED"
        await client.execute(ECHO, execution_id="other")
        gates.open("a")
        # It gets the slot only once the paused one has let go of it.
        assert (await client.wait("other")).state == "COMPLETED"
        status = await client.status("e")
        assert (status.state, status.running_nodes) == ("PAUSED", ())
        assert gates.entries["b"] == 0
        assert gates.cancelled["a"] == 0
        assert (await story(client, "e"))[-2:] == ["paused", "a:completed"]


async def test_resume_while_nodes_are_in_flight_goes_on_in_place(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    await client.pause("e")
    assert (await client.resume("e")).state == "RUNNING"
    gates.open("a", "b")
    assert (await client.wait("e")).state == "COMPLETED"
    assert gates.entries == {"a": 1, "b": 1}
    assert (await story(client, "e")).count("running") == 1


async def test_resume_after_the_run_has_ended_goes_on_anew_without_repeating_nodes(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("a", "b"), execution_id="e")
        await gates.entered("a")
        await client.pause("e")
        await client.execute(chain("other"), execution_id="other")
        gates.open("a")
        await gates.entered("other")
        # No slot is free now.
        assert (await client.resume("e")).state == "PENDING"
        gates.open("b", "other")
        assert (await client.wait("e")).state == "COMPLETED"
        assert gates.entries["a"] == 1
        assert await story(client, "e") == [
            "queued",
            "running",
            "a:started",
            "paused",
            "a:completed",
            "resumed",
            "running",
            "b:started",
            "b:completed",
            "out:completed",
            "completed",
        ]


async def test_pause_restart_resume_goes_on_where_it_was_and_nothing_ran_meanwhile(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server() as client:
        await client.execute(chain("a", "b", "c"), execution_id="e")
        await gates.entered("a")
        await client.pause("e")
        gates.open("a")
        await until_logged(client, "e", "node_completed")
    async with start_server() as client:
        assert start_server.recovered == 0
        before = await entries(client, "e")
        await client.execute(ECHO, execution_id="other")
        await client.wait("other")
        assert (await client.status("e")).state == "PAUSED"
        assert await entries(client, "e") == before
        assert gates.entries["b"] == 0
        await client.resume("e")
        gates.open("b", "c")
        execution = await client.wait("e")
    assert execution.state == "COMPLETED"
    assert gates.entries == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("PENDING", {"stop"}),
        ("RUNNING", {"pause", "stop"}),
        ("PAUSED", {"resume", "stop"}),
        ("COMPLETED", set()),
        ("FAILED", set()),
        ("STOPPED", set()),
    ],
)
async def test_an_action_the_state_does_not_allow_is_refused_with_the_state(
    start_server: StartServer, gates: Gates, state: str, allowed: set[str]
) -> None:
    async with start_server(max_concurrent=1) as client:
        if state == "PENDING":
            await client.execute(chain("blocker"), execution_id="blocker")
            await gates.entered("blocker")
        for action in ACTIONS:
            execution_id = f"{state}-{action}"
            failing = workflow("a > out", a=transform("[1][input.n]"), out=output())
            definition = {"COMPLETED": ECHO, "FAILED": failing}.get(state, chain("a"))
            await client.execute(definition, {"n": 7}, execution_id=execution_id)
            if state in ("COMPLETED", "FAILED"):
                await client.wait(execution_id)
            elif state != "PENDING":
                await until_logged(client, execution_id, "node_started")
                if state == "PAUSED":
                    await client.pause(execution_id)
                elif state == "STOPPED":
                    await client.stop(execution_id)
            assert (await client.status(execution_id)).state == state
            call = getattr(client, action)
            if action in allowed:
                await call(execution_id)
            else:
                before = await entries(client, execution_id)
                with pytest.raises(FailedPrecondition) as refused:
                    await call(execution_id)
                assert refused.value.reason == "ILLEGAL_TRANSITION"
                assert refused.value.state == state
                assert refused.value.metadata["action"] == action
                assert refused.value.execution_id == execution_id
                assert state in refused.value.message
                assert await entries(client, execution_id) == before
            if state != "PENDING" and not (await client.status(execution_id)).state.terminal:
                await client.stop(execution_id)


async def test_control_with_another_expected_state_is_aborted_and_changes_nothing(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    await client.execute(chain("a"), execution_id="e")
    await until_logged(client, "e", "node_started")
    before = await entries(client, "e")
    with pytest.raises(Aborted) as refused:
        await client.stop("e", expected_state="PAUSED")
    assert (refused.value.reason, refused.value.state) == ("STATE_CHANGED", "RUNNING")
    assert refused.value.metadata["expected"] == "PAUSED"
    assert await entries(client, "e") == before
    assert (await client.stop("e", expected_state="RUNNING")).state == "STOPPED"


async def test_a_repeated_request_id_answers_as_the_first_did_and_does_not_act_again(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    first = await client.pause("e", request_id="r1")
    await client.resume("e", request_id="r2")
    again = await client.pause("e", request_id="r1")
    assert again == first
    assert (await client.status("e")).state == "RUNNING"
    gates.open("a", "b")
    assert (await client.wait("e")).state == "COMPLETED"
    assert (await story(client, "e")).count("paused") == 1
    # Even now that it has ended.
    assert await client.pause("e", request_id="r1") == first
    with pytest.raises(AlreadyExists) as refused:
        await client.stop("e", request_id="r1")
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def _attempt(call: Any) -> str:
    try:
        return str((await call).state)
    except (FailedPrecondition, NotFound) as error:
        return f"refused: {error.state}"


async def test_racing_clients_never_both_win_and_the_log_says_what_happened(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    gates.open("a")
    async with AsyncExecutionClient(start_server.address) as other:
        for round in range(50):
            execution_id = f"e{round}"
            definition = workflow(
                "a > b > out", a=gate("a"), b=gate("a" if round % 2 else f"never{round}"), out=output()
            )
            await client.execute(definition, execution_id=execution_id)
            if round % 5:
                await until_logged(client, execution_id, "node_started")
            paused, stopped, second = await asyncio.gather(
                _attempt(client.pause(execution_id)),
                _attempt(other.stop(execution_id)),
                _attempt(client.stop(execution_id)),
            )
            if (await client.status(execution_id)).state == "PAUSED":
                # Both stops came too early to be allowed: never, a stop is allowed from every state but the ends.
                raise AssertionError((paused, stopped, second))
            execution = await client.wait(execution_id)
            told = await story(client, execution_id)
            won = [answer for answer in (stopped, second) if answer == "STOPPED"]
            ends = [event for event in told if event in ("stopped", "completed", "failed")]
            assert len(ends) == 1, told
            assert ends[0].upper() == execution.state
            assert len(won) == (execution.state == "STOPPED"), (paused, stopped, second, told)
            assert told.count("paused") == (paused == "PAUSED")
            # Nothing follows the end.
            assert told[-1] == ends[0]
            if paused == "PAUSED":
                later = told[told.index("paused") :]
                assert not [event for event in later if event.endswith(":started")], told


async def test_racing_pause_and_resume_leave_it_running_to_its_end(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    gates.open("a")
    definition = workflow("a > b > c > out", a=gate("a"), b=transform("1"), c=gate("a"), out=output())
    async with AsyncExecutionClient(start_server.address) as other:
        for round in range(50):
            execution_id = f"e{round}"
            await client.execute(definition, execution_id=execution_id)
            if round % 3:
                await until_logged(client, execution_id, "node_started")
            await asyncio.gather(
                _attempt(client.pause(execution_id)),
                _attempt(other.resume(execution_id)),
                _attempt(client.pause(execution_id)),
                _attempt(other.resume(execution_id)),
            )
            while (await client.status(execution_id)).state == "PAUSED":
                await client.resume(execution_id)
            assert (await client.wait(execution_id)).state == "COMPLETED"
            told = await story(client, execution_id)
            assert told.count("paused") == told.count("resumed"), told
            assert told.count("a:completed") == told.count("c:completed") == 1


async def test_no_node_starts_once_a_pause_was_answered(client: AsyncExecutionClient, gates: Gates) -> None:
    """The pause races the start of the first nodes."""
    definition = workflow(
        *(f"n{i} > out" for i in range(20)), **{f"n{i}": gate(f"n{i}") for i in range(20)}, out=output()
    )
    for round in range(10):
        execution_id = f"e{round}"
        executed = asyncio.create_task(client.execute(definition, execution_id=execution_id))
        # Until it is there, and runs.
        while (await _attempt(client.pause(execution_id))) != "PAUSED":
            pass
        entered = dict(gates.entries)
        await executed
        await client.execute(ECHO, execution_id=f"other{round}")
        await client.wait(f"other{round}")
        assert dict(gates.entries) == entered
        told = await story(client, execution_id)
        assert not [event for event in told[told.index("paused") :] if event.endswith(":started")], told
        await client.stop(execution_id)
        gates.entries.clear()


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_control_call_that_the_client_gave_up_takes_effect_all_the_same(
    client: AsyncExecutionClient,
    stubs: Stubs,
    gates: Gates,
    action: str,
    monkeypatch: pytest.MonkeyPatch,
    store_class: Any,
) -> None:
    """Once the change is handed to the database it happens; engine and queue must learn of it."""
    from execsvc_client import v1

    await client.execute(chain("a", "b"), execution_id="e")
    await gates.entered("a")
    if action == "resume":
        await client.pause("e")
        gates.open("a")
        await until_logged(client, "e", "node_completed")
        await client.execute(ECHO, execution_id="other")
        await client.wait("other")

    update, handed_in = store_class.update, asyncio.Event()

    def watched(self: Any, change: Any) -> Any:
        if change.action == action:
            call.cancel()
            handed_in.set()
        return update(self, change)

    monkeypatch.setattr(store_class, "update", watched)
    request = v1.ControlRequest(execution_id="e", request_id="r")
    getattr(request, action).SetInParent()
    call = stubs.executions.Control(request)
    with pytest.raises(asyncio.CancelledError):
        await call
    await handed_in.wait()
    done = {"pause": "execution_paused", "resume": "execution_resumed", "stop": "execution_stopped"}[action]
    await until_logged(client, "e", done)
    # A repeat says what is the case.
    await getattr(client, action)("e", request_id="r")
    if action == "pause":
        gates.open("a", "b")
        await until_logged(client, "e", "node_completed")
        await client.execute(ECHO, execution_id="last")
        await client.wait("last")
        assert gates.entries["b"] == 0
    elif action == "resume":
        gates.open("b")
        assert (await client.wait("e")).state == "COMPLETED"
    else:
        async with asyncio.timeout(20):
            while not gates.cancelled["a"]:
                await client.status("e")


async def test_pause_and_resume_while_waiting_after_a_restart_run_it_once(
    start_server: StartServer, gates: Gates
) -> None:
    """An execution that was RUNNING waits for a slot after a restart with fewer; its nodes must not run twice."""
    async with start_server(grace=0.01) as client:
        await client.execute(chain("a"), execution_id="first", priority=5)
        await client.execute(chain("b"), execution_id="second")
        await gates.entered("a")
        await gates.entered("b")
    gates.entries.clear()
    gates.keys.clear()
    async with start_server(max_concurrent=1) as client:
        assert start_server.recovered == 2
        await gates.entered("a")
        assert (await client.status("second")).state == "RUNNING"
        await client.pause("second")
        await client.resume("second")
        gates.open("a")
        await gates.entered("b")
        await client.execute(ECHO, execution_id="third")
        gates.open("b")
        assert (await client.wait("second")).state == "COMPLETED"
        assert (await client.wait("third")).state == "COMPLETED"
        assert gates.entries["b"] == 1
        assert len(set(gates.keys)) == 2
