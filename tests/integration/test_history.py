"""Looking back: lists that are filtered, ordered and paged; executions that are deleted or pruned."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from execsvc.service import history
from execsvc_client import AsyncExecutionClient, FailedPrecondition, NotFound, to_definition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.clocks import HandClock
from tests.support.logs import story, until_logged
from tests.support.nodes import Gates
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, output, transform, workflow

pytestmark = pytest.mark.every_store

FAILING = workflow("a > out", a=transform("[1][input.n]"), out=output())
#: When the hand-moved clocks of these tests begin.
START = datetime.fromtimestamp(1_700_000_000, UTC)


async def listed(stubs: Stubs, filter: str = "", **fields: Any) -> str:
    """Ids of what is found, all pages."""
    found: list[str] = []
    token = ""
    while True:
        request = v1.ListExecutionsRequest(filter=filter, page_token=token, **fields)
        answer = await stubs.executions.ListExecutions(request)
        found += [execution.status.execution_id for execution in answer.executions]
        token = answer.next_page_token
        if not token:
            return " ".join(found)


async def done(client: AsyncExecutionClient, execution_id: str, **fields: Any) -> None:
    await client.execute(ECHO, execution_id=execution_id, **fields)
    assert (await client.wait(execution_id)).state == "COMPLETED"


@pytest.fixture
def clock() -> HandClock:
    """The server's clock."""
    return HandClock()


@pytest.fixture
async def recorded(start_server: StartServer, gates: Gates, clock: HandClock) -> Any:
    """A server with one execution in each state, created at START and the minutes after it, and stubs for it."""
    async with start_server(clock=clock, max_concurrent=1) as client:
        channel = grpc.aio.insecure_channel(start_server.address)
        await done(client, "completed", labels={"team": "a", "tier": "gold"}, workflow_id="w1")
        clock.advance(60)
        await client.execute(FAILING, {"n": 7}, execution_id="failed", labels={"team": "b"}, workflow_id="w2")
        await client.wait("failed")
        clock.advance(60)
        await client.execute(chain("s"), execution_id="stopped", priority=3, labels={"a:b": "c d"})
        await client.stop("stopped")
        clock.advance(60)
        await client.execute(chain("p"), execution_id="paused", workflow_id="w1")
        await gates.entered("p")
        await client.pause("paused")
        gates.open("p")
        await until_logged(client, "paused", "node_completed")
        clock.advance(60)
        await client.execute(chain("r"), execution_id="running", priority=-5)
        # In the journal as well, which follows a moment later.
        await until_logged(client, "running", "node_started")
        clock.advance(60)
        await client.execute(ECHO, execution_id="pending", labels={"team": "a"})
        yield Stubs(channel)
        gates.open("r")
        await channel.close()


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("", "pending running paused stopped failed completed"),
        ("state = FAILED", "failed"),
        ("state != FAILED", "pending running paused stopped completed"),
        ("state = FAILED OR state = STOPPED", "stopped failed"),
        ("NOT state = FAILED AND NOT (state = STOPPED OR state = PENDING)", "running paused completed"),
        ("workflow_id = w1", "paused completed"),
        ("workflow_id = w1 state = PAUSED", "paused"),
        # OR first: a label of a, or state FAILED; and of those the ones of w1 or w2.
        ("labels.team = a OR state = FAILED AND workflow_id = w1 OR workflow_id = w2", "failed completed"),
        ("(labels.team = a AND workflow_id = w1) OR state = FAILED", "failed completed"),
        ("execution_id = running", "running"),
        ("priority > 0", "stopped"),
        ("priority <= -5", "running"),
        ("labels.team = a", "pending completed"),
        ("labels.team != a", "failed"),
        ("-labels.team = a", "running paused stopped failed"),
        ("labels:team", "pending failed completed"),
        ("labels:tier AND labels.team = a", "completed"),
        ("""labels."a:b" = 'c d'""", "stopped"),
        (f"create_time >= {at(4)}", "pending running"),
        (f'create_time < "{at(1)}"', "completed"),
        (f"create_time > {at(0.5)} AND create_time < {at(2.5)}", "stopped failed"),
        (f"end_time > {at(0.5)}", "stopped failed"),
        (f"NOT end_time > {at(0)}", "pending running paused"),
        (f"start_time < {at(1)}", "completed"),
        ("labels.team = nobody", ""),
    ],
)
async def test_a_filter_finds_what_it_says(recorded: Stubs, filter: str, found: str) -> None:
    # START passes in a few looks at the clock, well below a second.
    assert await listed(recorded, filter) == found
    assert await listed(recorded, filter, page_size=1) == found
    oldest_first = " ".join(reversed(found.split()))
    assert await listed(recorded, filter, order_by="create_time", page_size=2) == oldest_first


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ("", "pending running paused stopped failed completed"),
        ("create_time desc", "pending running paused stopped failed completed"),
        ("create_time", "completed failed stopped paused running pending"),
        ("end_time", "completed failed stopped"),
        ("end_time desc", "stopped failed completed"),
    ],
)
@pytest.mark.parametrize("page_size", [0, 1, 4])
async def test_orders(recorded: Stubs, order_by: str, found: str, page_size: int) -> None:
    assert await listed(recorded, order_by=order_by, page_size=page_size) == found


async def test_what_is_listed_is_the_record_without_nodes_definition_input_and_output(recorded: Stubs) -> None:
    answer = await recorded.executions.ListExecutions(v1.ListExecutionsRequest())
    assert len(answer.executions) == 6
    for execution in answer.executions:
        execution_id = execution.status.execution_id
        request = v1.GetExecutionRequest(execution_id=execution_id, view=v1.EXECUTION_VIEW_BASIC)
        record = (await recorded.executions.GetExecution(request)).execution
        del record.nodes[:]
        if execution_id == "pending":
            # Where it stands in the line is said to who asks for it alone.
            record.status.message = execution.status.message
        assert execution == record


@pytest.mark.parametrize(
    ("request_", "path", "why"),
    [
        ({"filter": "state = FAILED AND color = red"}, "filter", "column 20: there is no field 'color'"),
        ({"filter": "state = "}, "filter", "at its end"),
        ({"filter": "state = DONE"}, "filter", "there is no state 'DONE'"),
        ({"filter": "priority > 99999999999999999999"}, "filter", "whole number"),
        ({"filter": "(" * 1_500 + "state=FAILED" + ")" * 1_500}, "filter", "parentheses"),
        ({"filter": "labels:'\"'"}, "filter", "no label has the key"),
        ({"filter": "state=FAILED " * 400}, "filter", "at most 4096"),
        ({"order_by": "priority"}, "order_by", "must be one of create_time, end_time"),
        ({"page_size": -1}, "page_size", "must not be negative"),
        ({"page_token": "garbage"}, "page_token", "none that this service made"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused_with_path_and_place(
    stubs: Stubs, request_: dict[str, Any], path: str, why: str
) -> None:
    found = await refusal(stubs.executions.ListExecutions(v1.ListExecutionsRequest(**request_)))
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert list(found.problems) == [path]
    assert why in found.message


async def test_pages_survive_what_comes_and_goes_between_them(client: AsyncExecutionClient, stubs: Stubs) -> None:
    for number in range(7):
        await done(client, f"e{number}")
    first = await stubs.executions.ListExecutions(v1.ListExecutionsRequest(page_size=3))
    assert [execution.status.execution_id for execution in first.executions] == ["e6", "e5", "e4"]
    # The last one of the page as well, whose position the token holds.
    for execution_id in ("e6", "e4", "e2"):
        await client.delete(execution_id)
    await done(client, "new")
    again = v1.ListExecutionsRequest(page_size=3, page_token=first.next_page_token)
    second = await stubs.executions.ListExecutions(again)
    assert [execution.status.execution_id for execution in second.executions] == ["e3", "e1", "e0"]
    assert second.next_page_token == ""


async def test_a_token_is_good_for_its_own_list_and_arguments_only(client: AsyncExecutionClient, stubs: Stubs) -> None:
    for number in range(3):
        await done(client, f"e{number}")
    for name in ("w1", "w2"):
        await stubs.workflows.CreateWorkflow(v1.CreateWorkflowRequest(workflow_id=name, definition=to_definition(ECHO)))
    filter = "state = COMPLETED"
    executions = await stubs.executions.ListExecutions(v1.ListExecutionsRequest(filter=filter, page_size=1))
    workflows = await stubs.workflows.ListWorkflows(v1.ListWorkflowsRequest(page_size=1))
    logs = await stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e0", page_size=1))
    token = executions.next_page_token
    for request in (
        v1.ListExecutionsRequest(page_token=token),
        v1.ListExecutionsRequest(filter="state = FAILED", page_token=token),
        v1.ListExecutionsRequest(filter=filter, order_by="create_time", page_token=token),
        v1.ListExecutionsRequest(filter=filter, page_token=workflows.next_page_token),
        v1.ListExecutionsRequest(filter=filter, page_token=logs.next_page_token),
        v1.ListExecutionsRequest(filter=filter, page_token=token[:-4]),
    ):
        found = await refusal(stubs.executions.ListExecutions(request))
        assert found.problems == {"page_token": "INVALID_PAGE_TOKEN"}
    # Another size is no other list.
    request = v1.ListExecutionsRequest(filter=filter, page_token=token, page_size=9)
    assert len((await stubs.executions.ListExecutions(request)).executions) == 2


async def test_a_page_has_fifty_entries_unless_asked_and_never_more_than_a_thousand(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    await asyncio.gather(*(client.execute(ECHO, execution_id=f"e{number}") for number in range(55)))
    answer = await stubs.executions.ListExecutions(v1.ListExecutionsRequest())
    assert len(answer.executions) == 50
    assert len(answer.next_page_token) > 0
    answer = await stubs.executions.ListExecutions(v1.ListExecutionsRequest(page_size=1_000_000))
    assert len(answer.executions) == 55


# Deleting


async def test_a_deleted_execution_is_gone_everywhere(client: AsyncExecutionClient, stubs: Stubs) -> None:
    await done(client, "e", labels={"team": "a"})
    await done(client, "keep", labels={"team": "a"})
    await stubs.executions.DeleteExecution(v1.DeleteExecutionRequest(execution_id="e"))
    for call in (
        client.status("e"),
        client.get("e"),
        client.stop("e"),
        client.retry("e"),
        client.delete("e"),
        story(client, "e"),
    ):
        with pytest.raises(NotFound) as missing:
            await call
        assert missing.value.reason == "EXECUTION_NOT_FOUND"
    assert await listed(stubs) == "keep"
    assert await listed(stubs, "labels.team = a") == "keep"


async def test_nothing_of_it_stays_in_the_database(
    start_server: StartServer, gates: Gates, count_rows: Callable[[str], int]
) -> None:
    tables = ("executions", "execution_data", "execution_labels", "definitions", "node_runs", "log_entries",
              "control_requests")  # fmt: skip

    def rows() -> dict[str, int]:
        return {table: count_rows(table) for table in tables}

    async with start_server() as client:
        before = rows()
        for execution_id in ("one", "two"):
            await client.execute(chain("a"), execution_id=execution_id, labels={"team": "a"})
            await gates.entered("a")
            await client.stop(execution_id)
            await client.retry(execution_id)
            await client.stop(execution_id)
        await client.delete("one")
        assert rows()["definitions"] == 1
        await client.delete("two")
        # A definition may go a moment later than its last user.
        async with asyncio.timeout(20):
            while rows()["definitions"]:
                await client.server_info()
        assert rows() == before


async def test_the_id_may_be_used_again_and_old_tokens_do_not_match_the_new_one(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    await done(client, "e")
    old = await client.get("e")
    page = await stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e", page_size=1))
    await client.delete("e")
    await client.execute(FAILING, {"n": 7}, execution_id="e")
    new = await client.wait("e")
    assert new.uid != old.uid
    assert new.state == "FAILED"
    assert (await story(client, "e")).count("queued") == 1
    request = v1.ListLogsRequest(execution_id="e", page_size=1, page_token=page.next_page_token)
    found = await refusal(stubs.executions.ListLogs(request))
    assert found.problems == {"page_token": "INVALID_PAGE_TOKEN"}
    assert "was deleted" in found.message


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "PAUSED"])
async def test_only_what_has_ended_can_be_deleted(start_server: StartServer, gates: Gates, state: str) -> None:
    async with start_server(max_concurrent=1) as client:
        if state == "PENDING":
            await client.execute(chain("blocker"), execution_id="blocker")
            await gates.entered("blocker")
        await client.execute(chain("a"), execution_id="e")
        if state != "PENDING":
            await until_logged(client, "e", "node_started")
        if state == "PAUSED":
            await client.pause("e")
        with pytest.raises(FailedPrecondition) as refused:
            await client.delete("e")
        assert (refused.value.reason, refused.value.state) == ("ILLEGAL_TRANSITION", state)
        assert refused.value.metadata["allowed_from"] == "COMPLETED,FAILED,STOPPED"
        assert (await client.status("e")).state == state
        await client.stop("e")
        await client.delete("e")


async def test_a_node_that_outlives_its_deleted_execution_writes_nothing(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    await client.execute(chain("a", stubborn=True, late_log="too late"), execution_id="e")
    await gates.entered("a")
    await client.stop("e")
    await client.delete("e")
    await client.execute(ECHO, execution_id="e")
    gates.open("a")
    await gates.left("a")
    execution = await client.wait("e")
    assert execution.state == "COMPLETED"
    assert "too late" not in " ".join(await story(client, "e"))
    assert list(execution.nodes) == ["start", "out"]


# Retention


async def test_pruning_removes_in_batches_what_ended_before_and_nothing_else(
    start_server: StartServer, gates: Gates, clock: HandClock, monkeypatch: pytest.MonkeyPatch, store_class: Any
) -> None:
    monkeypatch.setattr(history, "PRUNE_BATCH", 3)
    looks: Counter[int] = Counter()
    expired = store_class.expired

    async def counted(self: Any, before: int, **more: Any) -> Any:
        found = await expired(self, before, **more)
        looks[len(found)] += 1
        return found

    async with start_server(clock=clock) as client:
        for number in range(7):
            await done(client, f"old{number}")
        await client.execute(chain("a"), execution_id="runs")
        await gates.entered("a")
        await client.execute(chain("b"), execution_id="paused")
        await gates.entered("b")
        await client.pause("paused")
        await client.execute(FAILING, {"n": 7}, execution_id="retried")
        await client.wait("retried")
        clock.advance(3_600)
        await client.retry("retried")
        await client.wait("retried")
        await done(client, "young")
    monkeypatch.setattr(store_class, "expired", counted)
    async with start_server(clock=clock, retention=1_800 * 1_000_000) as client:
        async with asyncio.timeout(20):
            while [e.execution_id async for e in client.list_executions("execution_id = old6")]:
                pass
        left = [execution.execution_id async for execution in client.list_executions(order_by="create_time")]
        assert left == ["runs", "paused", "retried", "young"]
        assert looks == {3: 2, 1: 1}
        gates.open("a", "b")


async def test_without_a_retention_everything_is_kept(start_server: StartServer, clock: HandClock) -> None:
    async with start_server(clock=clock) as client:
        await done(client, "e")
    clock.advance(10 * 366 * 24 * 3_600)
    async with start_server(clock=clock) as client:
        await done(client, "other")
        assert (await client.get("e")).state == "COMPLETED"
