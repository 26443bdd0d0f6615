"""Server-Sent Events: in order, without holes or repeats, through breaks, restarts and readers that do not read."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest

from execsvc.gateway.feed import CAPACITY, Feed, Wanted
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.integration.gateway.conftest import Event, Http, started, state
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, node, output, workflow

pytestmark = pytest.mark.every_place


async def finished(http: Http, execution_id: str = "e") -> int:
    """Run an execution to its end; the length of its log."""
    await http.post("/execute", {"execution_id": execution_id, "definition": ECHO}, 202)
    await state(http, execution_id, "completed")
    return len((await http.get(f"/execute/{execution_id}/logs"))["logs"])


def sequences(events: list[Event]) -> list[int]:
    """Sequences of the log entries among events."""
    return [event.data["sequence"] for event in events if event.name == "log"]


async def test_a_log_streams_live_and_ends_with_the_final_state(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a", log="hi")}, 202)
    await gates.entered("a")
    seen: list[Event] = []
    async with http.events("/execute/e/logs/stream") as events:
        async for event in events:
            seen.append(event)
            if event.name == "log" and event.data["message"] == "hi":
                gates.open("a")

    named = [event for event in seen if event.name]
    assert seen[0].id == "0"
    assert sequences(named) == list(range(1, len(named)))
    assert [event.id for event in named[:-1]] == [str(number) for number in sequences(named)]
    assert (named[-1].name, named[-1].data["status"], named[-1].id) == ("end", "completed", f"{len(named) - 1}-end")


async def test_a_stream_goes_on_after_the_event_that_was_seen_last(http: Http) -> None:
    last = await finished(http)

    for path in ("/execute/e/logs/stream", "/execute/e/events"):
        for seen in range(last + 1):
            events = await http.all_events(path, headers={"Last-Event-ID": str(seen)})
            assert sequences(events) == list(range(seen + 1, last + 1))
            assert (events[-1].name, events[-1].id) == ("end", f"{last}-end")
        answer = await http.calls.get(f"/api/v1{path}", headers={"Last-Event-ID": f"{last}-end"})
        assert (answer.status_code, answer.content) == (204, b"")


async def test_where_a_stream_begins_comes_from_the_browser_before_the_address(http: Http) -> None:
    last = await finished(http)

    assert sequences(await http.all_events("/execute/e/logs/stream?after=2")) == list(range(3, last + 1))
    assert sequences(await http.all_events("/execute/e/logs/stream?tail=1")) == [last]
    for query in ("?after=2", "?tail=1"):
        events = await http.all_events(f"/execute/e/logs/stream{query}", headers={"Last-Event-ID": "1"})
        assert sequences(events) == list(range(2, last + 1))
    beyond = await http.get("/execute/e/logs/stream", 416, headers={"Last-Event-ID": "99"})
    assert beyond["last_sequence"] == last
    problem = await http.get("/execute/e/events", 400, headers={"Last-Event-ID": "nonsense"})
    assert problem["errors"][0]["field"] == "Last-Event-ID"
    await http.get("/execute/e/logs/stream?after=1&tail=1", 400)


async def test_an_end_that_was_seen_is_none_once_a_retry_lets_it_go_on(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
    await gates.entered("a")
    await http.post("/execute/e/stop")
    end = (await http.all_events("/execute/e/events"))[-1]
    assert end.data["status"] == "stopped"
    gates.open("a")
    await http.post("/execute/e/retry")

    events = await http.all_events("/execute/e/events", headers={"Last-Event-ID": end.id})
    assert sequences(events)[0] == int(end.id.removesuffix("-end")) + 1
    assert events[-1].data["status"] == "completed"


async def test_filters_cut_the_log_but_not_the_end(http: Http) -> None:
    await finished(http)

    for path in ("/execute/e/logs/stream", "/execute/e/events"):
        events = await http.all_events(f"{path}?level=info&node_id=start")
        assert {event.data["node_id"] for event in events if event.name == "log"} == {"start"}
        assert [event.name for event in await http.all_events(f"{path}?level=error")][-1] == "end"


async def test_events_have_states_log_and_tokens(http: Http) -> None:
    asks = node("llm", model="echo:", prompt="one two three", parameters={"delay": 0.2})
    definition = workflow("start > a > out", start=node("input"), a=asks, out=output())
    await http.post("/execute", {"execution_id": "e", "definition": definition}, 202)
    events = await http.all_events("/execute/e/events?tokens=true")

    states = [event.data for event in events if event.name == "status"]
    assert {node["node_id"] for node in states[0]["nodes"]} == {"start", "a", "out"}
    assert states[-1]["status"] == "completed"
    assert [state["progress"] for state in states] == sorted(state["progress"] for state in states)
    text = "".join(event.data["text"] for event in events if event.name == "token")
    assert text in ("one two three", "two three", "three", "")
    assert sequences(events) == list(range(1, len(sequences(events)) + 1))
    places = [int(event.id.removesuffix("-end")) for event in events]
    assert places == sorted(places)
    assert {event.name for event in await http.all_events("/execute/e/events")} == {"status", "log", "end"}


async def test_a_quiet_stream_says_that_it_lives(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    async with started(start_server.address, keep_alive=0.05) as http:
        await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
        await gates.entered("a")
        comments = 0
        async with http.events("/execute/e/logs/stream") as events:
            async for event in events:
                comments += event.comment == ": keep-alive"
                if comments == 3:
                    break


async def test_open_streams_go_on_when_the_server_is_back(start_server: StartServer, gates: Gates) -> None:
    seen: list[Event] = []
    begun = asyncio.Event()

    async def follow(http: Http, into: list[Event], **options: Any) -> None:
        async with http.events("/execute/e/events", **options) as events:
            async for event in events:
                into.append(event)
                begun.set()

    first = AsyncExitStack()
    client = await first.enter_async_context(start_server())
    address = start_server.address
    async with started(address) as http, asyncio.TaskGroup() as group:
        await client.execute(chain("a", "b"), execution_id="e")
        gates.open("a")
        await gates.entered("b")
        following = group.create_task(follow(http, seen))
        await begun.wait()
        await first.aclose()

        # Who connects for the first time is told; a browser that connects again would take that for the end.
        await http.get("/execute/e/events", 503)
        begun.clear()
        again: list[Event] = []
        waiting = group.create_task(follow(http, again, headers={"Last-Event-ID": "3"}))
        await begun.wait()
        async with start_server(address=address):
            gates.open("b")
            await following
            await waiting
    for events, start in ((seen, 1), (again, 4)):
        named = [event for event in events if event.name]
        assert sequences(named) == list(range(start, start + len(sequences(named))))
        assert (named[-1].name, named[-1].data["status"]) == ("end", "completed")


async def test_a_stream_whose_execution_is_gone_says_so(
    start_server: StartServer, gates: Gates, another: dict[str, Any]
) -> None:
    first = AsyncExitStack()
    client = await first.enter_async_context(start_server())
    address = start_server.address
    async with started(address) as http:
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        async with http.events("/execute/e/events") as log, http.events("/execute/e/logs/stream") as both:
            await anext(log)
            await anext(both)
            await first.aclose()
            async with start_server(address=address, **another):
                for events in (log, both):
                    last = [event async for event in events][-1]
                    assert (last.name, last.data["reason"], last.data["status"]) == (
                        "problem",
                        "EXECUTION_NOT_FOUND",
                        404,
                    )


async def test_streams_end_whole_when_the_gateway_goes_down(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    async def follow(path: str) -> None:
        async with http.events(path) as events:
            async for event in events:
                if event.data:
                    begun.release()

    begun = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as readers:
        async with AsyncExitStack() as gateway:
            http = await gateway.enter_async_context(started(start_server.address))
            await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
            await gates.entered("a")
            tasks = [readers.create_task(follow(f"/execute/e/{path}")) for path in ("logs/stream", "events")]
            for _ in range(4):
                await begun.acquire()
            http.keep()
        # An answer that is cut off in the middle would have raised.
        await asyncio.gather(*tasks)
    await http.calls.aclose()


def reader_that_reads_nothing(http: Http, path: str) -> socket.socket:
    """Ask for a stream, and take none of it."""
    host, _, port = http.address.rpartition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return reader


@pytest.mark.parametrize("path", ["/execute/e/logs/stream", "/execute/e/events"])
async def test_a_reader_that_reads_nothing_costs_a_bounded_buffer_and_slows_nobody(
    http: Http, client: AsyncExecutionClient, gates: Gates, path: str
) -> None:
    line = "x" * 4_000
    talks = workflow("a > out", a=node("chatter", gate="a", log=line, burst=50), out=output())
    await client.execute(talks, execution_id="e")
    await gates.entered("a")
    reader = reader_that_reads_nothing(http, path)
    try:
        most = 0
        async with client.logs("e", follow=True) as log:
            async for entry in log:
                most = max(most, http.buffered)
                if entry.sequence == 1_500:
                    gates.open("a")
        # The log is some 6 MB by now; a high-water mark and the largest piece are all that may wait.
        assert log.last_sequence > 1_500
        assert most < 400_000

        reader.setblocking(False)
        received = await _received(reader)
    finally:
        reader.close()
    ids = [int(part.split(b"\n")[0].removesuffix(b"-end")) for part in received.split(b"\nid: ")[2:]]
    logged = [number for number, part in zip(ids, received.split(b"\nid: ")[2:], strict=True) if b"event: log" in part]
    assert logged == list(range(1, log.last_sequence + 1))


async def _received(reader: socket.socket) -> bytes:
    """Everything up to the end event."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    while b"event: end" not in received[-2_000:]:
        received += await loop.sock_recv(reader, 1 << 20)
    # Without the lines that say how long each piece is.
    return re.sub(rb"\r\n[0-9a-f]*\r\n", b"", bytes(received))


async def test_a_reader_that_never_reads_is_cut_off(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    talks = workflow("a > out", a=node("chatter", gate="a", log="x" * 4_000, burst=50), out=output())
    async with started(start_server.address, send_timeout=0.2) as http:
        await client.execute(talks, execution_id="e")
        await gates.entered("a")
        reader = reader_that_reads_nothing(http, "/execute/e/events")
        try:
            await http.gone()
        finally:
            reader.close()
            gates.open("a")


async def test_a_feed_reads_no_further_than_its_reader(client: AsyncExecutionClient, gates: Gates) -> None:
    talks = workflow("a > out", a=node("chatter", gate="a", log="x", burst=50), out=output())
    await client.execute(talks, execution_id="e")
    await gates.entered("a")
    async with Feed(client, Wanted(execution_id="e")) as feed:
        async with client.logs("e", follow=True) as log:
            async for entry in log:
                assert feed.held <= CAPACITY
                if entry.sequence == 1_000:
                    gates.open("a")
        assert feed.held == CAPACITY
        messages = [message async for message in feed]
    sequences = [message.sequence for message in messages if message.type == "log"]
    assert sequences == list(range(1, log.last_sequence + 1))
    assert messages[-1].type == "end"
    # What came faster than it was read was joined.
    assert len([message for message in messages if message.type == "status"]) < 10
