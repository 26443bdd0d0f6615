"""The log can be read while it grows, from any point, by any number of readers, through restarts; it has no gaps."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import grpc
import pytest

import execsvc.model
from execsvc.service import Changes
from execsvc_client import AsyncExecutionClient, LogEntry, OutOfRange, to_definition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.logs import entries, follow_until, told, until_logged
from tests.support.nodes import Gates
from tests.support.statuses import read, refusal
from tests.support.workflows import ECHO, chain, gate, node, output, workflow

pytestmark = pytest.mark.every_store


async def _read(client: AsyncExecutionClient, execution_id: str, **arguments: Any) -> list[LogEntry]:
    return [entry async for entry in client.logs(execution_id, **arguments)]


async def test_following_from_the_start_sees_everything_as_it_comes_and_ends_with_the_final_status(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    await client.execute(chain("a", "b"), execution_id="e")
    seen: list[str] = []
    async with client.logs("e", follow=True) as log:
        async for entry in log:
            assert entry.sequence == len(seen) + 1
            seen.append(told(entry))
            if seen[-1].endswith(":started"):
                # Nothing is held back: the node waits for its gate until its entry has been read.
                gates.open(entry.node_id)
        assert log.final_status is not None
        assert log.final_status.state == "COMPLETED"
        assert log.last_sequence == len(seen)
    assert seen == [
        *("queued", "running", "a:started", "a:completed", "b:started", "b:completed", "out:completed", "completed")
    ]


async def test_reading_without_follow_ends_with_what_there_is(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(chain("a"), execution_id="e")
    await until_logged(client, "e", "node_started")
    log = client.logs("e")
    assert [told(entry) async for entry in log] == ["queued", "running", "a:started"]
    assert log.final_status is None


async def test_a_cursor_goes_on_after_it_and_a_tail_begins_before_the_end(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("a", "b")
    await client.execute(chain("a", "b"), execution_id="e")
    await client.wait("e")
    whole = await _read(client, "e")
    assert len(whole) == 8
    for follow in (False, True):
        for cursor in range(9):
            assert await _read(client, "e", after_sequence=cursor, follow=follow) == whole[cursor:]
        for tail in (1, 3, 8, 100):
            assert await _read(client, "e", tail=tail, follow=follow) == whole[-tail:]


async def test_a_cursor_past_the_end_is_out_of_range_and_names_what_there_is(client: AsyncExecutionClient) -> None:
    await client.execute(ECHO, execution_id="e")
    await client.wait("e")
    with pytest.raises(OutOfRange) as refused:
        await _read(client, "e", after_sequence=6)
    assert refused.value.metadata["last_sequence"] == "5"
    assert await _read(client, "e", after_sequence=5) == []


async def test_a_cursor_with_its_uid_does_not_go_on_in_a_later_execution_of_the_same_id(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    async def log(cursor: v1.StreamLogsRequest) -> list[v1.StreamLogsResponse]:
        return [response async for response in stubs.executions.StreamLogs(cursor)]

    async def run() -> str:
        await client.execute(ECHO, {"text": "x"}, execution_id="e")
        await client.wait("e")
        responses = await log(v1.StreamLogsRequest(execution_id="e", follow=True))
        (uid,) = {response.uid for response in responses}
        assert uid == (await client.get("e")).uid
        return str(uid)

    def cursor(uid: str) -> v1.StreamLogsRequest:
        return v1.StreamLogsRequest(execution_id="e", after_sequence=2, uid=uid)

    first = await run()
    assert await log(cursor(first))
    await client.delete("e")
    second = await run()
    found = await refusal(log(cursor(first)))
    assert found.code == grpc.StatusCode.NOT_FOUND
    assert await log(cursor(second))
    assert await log(cursor(""))


async def test_filters_by_level_and_node_leave_the_rest_out_and_number_as_the_whole(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("g")
    definition = workflow(
        "bad > good > out",
        bad=gate("g", fail_with="BROKEN", failures=9, on_error={"action": "continue"}),
        good=gate("g", log="here"),
        out=output(),
    )
    await client.execute(definition, execution_id="e")
    await client.wait("e")
    whole = await _read(client, "e")
    for arguments, keep in (
        ({"min_level": "WARNING"}, lambda entry: entry.level == "WARNING"),
        ({"min_level": "ERROR"}, lambda entry: False),
        ({"node_id": "good"}, lambda entry: entry.node_id == "good"),
        ({"node_id": "bad", "min_level": "WARNING"}, lambda entry: entry.node_id == "bad" and entry.level != "INFO"),
        ({"node_id": "none"}, lambda entry: False),
    ):
        expected = [entry for entry in whole if keep(entry)]
        for follow in (False, True):
            log = client.logs("e", follow=follow, **arguments)  # type: ignore[arg-type]
            assert [entry async for entry in log] == expected
            assert log.last_sequence == len(whole)
        assert await entries(client, "e", **arguments) == expected
        assert await _read(client, "e", tail=1, **arguments) == expected[-1:]


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "busy"])
async def test_heartbeats_move_the_cursor_of_a_stream_whose_filter_lets_nothing_through(
    start_server: StartServer, gates: Gates, quiet: bool
) -> None:
    """A busy log must not keep the heartbeat from coming."""
    async with start_server(heartbeat=0.3) as client, grpc.aio.insecure_channel(start_server.address) as channel:
        only = gate("g") if quiet else node("chatter", gate="g", log="noise")
        await client.execute(workflow("a > out", a=only, out=output()), execution_id="e")
        request = v1.StreamLogsRequest(execution_id="e", min_level=v1.LOG_LEVEL_ERROR, follow=True)
        cursors: list[int] = []
        async for response in Stubs(channel).executions.StreamLogs(request):
            assert not response.entries
            cursors.append(response.last_sequence)
            if len(cursors) >= 4:
                gates.open("g")
        assert cursors == sorted(cursors)
        assert quiet or cursors[3] > cursors[2] > cursors[1]
        assert response.final_status.state == v1.EXECUTION_STATE_COMPLETED


async def test_pages_give_each_entry_once_and_their_tokens_fit_their_arguments_only(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    gates.open("a", "b", "c")
    await client.execute(chain("a", "b", "c"), execution_id="e")
    await client.execute(ECHO, execution_id="other")
    await client.wait("e")
    await client.wait("other")
    sequences: list[int] = []
    token, tokens = "", []
    while True:
        request = v1.ListLogsRequest(execution_id="e", page_size=3, page_token=token)
        page = await stubs.executions.ListLogs(request)
        sequences += [entry.sequence for entry in page.entries]
        token = page.next_page_token
        if not token:
            break
        tokens.append(token)
    assert sequences == list(range(1, 11))
    assert len(tokens) == 3
    for changed in (
        v1.ListLogsRequest(execution_id="other", page_token=tokens[0]),
        v1.ListLogsRequest(execution_id="e", page_token=tokens[0], min_level=v1.LOG_LEVEL_ERROR),
        v1.ListLogsRequest(execution_id="e", page_token=tokens[0], node_id="a"),
        v1.ListLogsRequest(execution_id="e", page_token=tokens[0][:-4]),
    ):
        assert (await refusal(stubs.executions.ListLogs(changed))).problems == {"page_token": "INVALID_PAGE_TOKEN"}
    # Another size is no other list.
    again = await stubs.executions.ListLogs(v1.ListLogsRequest(execution_id="e", page_token=tokens[0]))
    assert [entry.sequence for entry in again.entries] == list(range(4, 11))


async def test_a_reader_that_does_not_read_slows_nothing_and_holds_nothing(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates, changes: list[Changes]
) -> None:
    """A log of 20 MB goes by while a follower reads one response; the server keeps its cursor, not its entries."""
    await client.execute(ECHO, execution_id="warm")
    text = "x" * 5_000
    definition = workflow("a > out", a=node("chatter", gate="g", log=text, burst=100), out=output())
    await client.execute(definition, execution_id="e")
    call = stubs.executions.StreamLogs(v1.StreamLogsRequest(execution_id="e", follow=True))
    first = await call.read()
    assert first.last_sequence >= 1
    async with asyncio.timeout(60):
        # The engine goes on.
        await follow_until(client, "e", lambda entry: entry.sequence > 4_000, tail=1)
    gates.open("g")
    execution = await client.wait("e")
    assert execution.output >= 3_990
    gc.collect()
    held = {
        id(found.message): len(found.message)
        for found in gc.get_objects()
        if isinstance(found, execsvc.model.LogEntry | execsvc.model.NewLogEntry) and found.message.startswith(text)
    }
    # A few pages of the store, and what is kept for followers that keep up; not the 20 MB that went by.
    assert sum(held.values()) < 12_000_000
    sequence = first.last_sequence
    while (response := await call.read()) is not grpc.aio.EOF:
        for entry in response.entries:
            sequence += 1
            assert entry.sequence == sequence
        last = response
    assert last.final_status.state == v1.EXECUTION_STATE_COMPLETED
    assert sequence == last.last_sequence


async def test_a_stream_that_is_given_up_leaves_no_subscription(
    changes: list[Changes], start_server: StartServer, gates: Gates
) -> None:
    async with start_server() as client, grpc.aio.insecure_channel(start_server.address) as channel:
        stubs = Stubs(channel)
        text = "x" * 10_000
        await client.execute(
            workflow("a > out", a=node("chatter", gate="g", log=text, burst=100), out=output()), execution_id="e"
        )
        quiet = stubs.executions.StreamLogs(
            v1.StreamLogsRequest(execution_id="e", follow=True, min_level=v1.LOG_LEVEL_ERROR)
        )
        # One waits for news, one is in the middle of a write that does not go out, one asks for what is not there.
        blocked = stubs.executions.StreamLogs(v1.StreamLogsRequest(execution_id="e", follow=True))
        await quiet.read()
        await blocked.read()
        nobody = stubs.executions.StreamLogs(v1.StreamLogsRequest(execution_id="nobody", follow=True))
        assert (await refusal(nobody.read())).info.reason == "EXECUTION_NOT_FOUND"
        async with asyncio.timeout(30):
            await follow_until(client, "e", lambda entry: entry.sequence > 1_000, tail=1)
            while changes[0].subscribers != 2:
                await client.status("e")
            quiet.cancel()
            blocked.cancel()
            while changes[0].subscribers:
                await client.status("e")
        gates.open("g")
        await client.wait("e")


async def test_a_long_message_is_cut_with_a_mark(client: AsyncExecutionClient) -> None:
    await client.execute(workflow("a > out", a=node("odd", how="log long"), out=output()), execution_id="e")
    await client.wait("e")
    (cut,) = [entry for entry in await entries(client, "e") if entry.message.startswith("é")]
    assert len(cut.message.encode()) <= 64 * 1024
    assert cut.message.endswith("é … [cut: 100000 bytes]")


async def test_facts_of_an_entry_are_bounded_together_and_a_mark_tells_of_the_rest(
    client: AsyncExecutionClient,
) -> None:
    await client.execute(workflow("a > out", a=node("odd", how="log large facts"), out=output()), execution_id="e")
    await client.wait("e")
    for log in (await _read(client, "e"), await _read(client, "e", follow=True)):
        (entry,) = [entry for entry in log if entry.message == "large facts"]
        assert entry.metadata["small"] == 1
        assert entry.metadata["last"] == [1, 2]
        assert {"large0", "large1"} <= set(entry.metadata)
        assert "large2" not in entry.metadata
        assert str(entry.metadata["facts_cut"]).startswith("1 of 5 left out")


@pytest.mark.parametrize(
    ("how", "message", "metadata"),
    [
        ("log object", "an object", {"fine": 1}),
        ("log huge number", "a number", {"number": str(2**70)}),
        ("log surrogate", "half ?", {"text": "half ?"}),
        ("log nul", "a␀b", {}),
    ],
)
async def test_facts_and_texts_that_are_no_json_are_kept_as_well_as_may_be(
    client: AsyncExecutionClient, how: str, message: str, metadata: dict[str, Any]
) -> None:
    """Live followers and later readers see the same."""
    await client.execute(workflow("a > out", a=node("odd", how=how), out=output()), execution_id="e")
    followed = await _read(client, "e", follow=True)
    assert (await client.wait("e")).state == "COMPLETED"
    stored = await entries(client, "e")
    assert followed == stored
    (entry,) = [entry for entry in stored if entry.message == message]
    assert entry.metadata.items() >= metadata.items()
    await client.execute(ECHO, {"n": 1}, execution_id="other")
    assert (await client.wait("other")).output == {"n": 1}


async def test_a_server_that_goes_down_ends_its_streams_as_unavailable(
    changes: list[Changes], start_server: StartServer, gates: Gates
) -> None:
    channels: list[grpc.aio.Channel] = []

    async def follow() -> grpc.aio.AioRpcError:
        call = Stubs(channels[0]).executions.StreamLogs(v1.StreamLogsRequest(execution_id="e", follow=True))
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError("the stream ended as if the execution had")

    async with start_server(grace=0.05) as client:
        channels.append(grpc.aio.insecure_channel(start_server.address))
        await client.execute(chain("a"), execution_id="e")
        following = asyncio.create_task(follow())
        await gates.entered("a")
        while not changes[0].subscribers:
            await client.status("e")
    found = read(await following)
    assert (found.code, found.info.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    await channels[0].close()


async def test_a_client_that_follows_through_a_restart_sees_every_entry_once(
    start_server: StartServer, gates: Gates
) -> None:
    gates.open("a")
    sequences: list[int] = []
    events: list[str] = []
    async with start_server(grace=0.05) as client:
        await client.execute(chain("a", "b", "c"), execution_id="e")
        address = start_server.address
        follower = AsyncExecutionClient(address)

        async def follow() -> str:
            async with follower.logs("e", follow=True) as log:
                async for entry in log:
                    sequences.append(entry.sequence)
                    events.append(told(entry))
                assert log.final_status is not None
                return str(log.final_status.state)

        following = asyncio.create_task(follow())
        await gates.entered("b")
    async with start_server(address=address):
        gates.open("b", "c")
        assert await following == "COMPLETED"
        await follower.close()
    assert sequences == list(range(1, len(sequences) + 1))
    assert events == [
        *("queued", "running", "a:started", "a:completed", "b:started"),
        *("running", "b:started", "b:completed", "c:started", "c:completed", "out:completed", "completed"),
    ]


async def test_many_followers_see_the_same(client: AsyncExecutionClient, gates: Gates) -> None:
    names = [f"n{i}" for i in range(20)]
    await client.execute(chain(*names), execution_id="e")
    following = [asyncio.create_task(_read(client, "e", follow=True)) for _ in range(20)]
    for name in names:
        await gates.entered(name)
        gates.open(name)
    logs = await asyncio.gather(*following)
    assert all(log == logs[0] for log in logs)
    assert [entry.sequence for entry in logs[0]] == list(range(1, 45))
    assert to_definition(ECHO)
