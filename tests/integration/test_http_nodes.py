"""http nodes of a real server: their calls are stopped, timed out, repeated under one key, and never told too much."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from execsvc_client import AsyncExecutionClient, InvalidArgument, to_definition
from tests.integration.conftest import StartServer
from tests.servers.answers import Answer, Asked, answering, sends
from tests.support.logs import until_logged
from tests.support.workflows import node, output, transform, workflow

QUICK = {"max_attempts": 5, "initial_backoff": "0.001s"}


class Held:
    """An answer that is given once it is let go, and knows when somebody hung up instead."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        let_go = asyncio.create_task(self.let_go.wait())
        try:
            while not self.let_go.is_set():
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await writer.drain()
                await asyncio.wait([let_go], timeout=0.01)
            await sends('"done"', Content_Type="application/json")(asked, writer)
        except ConnectionError:
            self.left.set()
            raise
        finally:
            let_go.cancel()


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    """Lets everybody go at the end."""
    held = Held()
    yield held
    held.let_go.set()


def in_turn(*answers: Answer) -> Answer:
    """Gives one answer after the other, the last one for good."""
    left = list(answers)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(asked, writer)

    return answer


async def hangs_up(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


def calling(url: str, **config: Any) -> dict[str, Any]:
    """A workflow of one call."""
    return workflow("call > out", call=node("http", url=url, **config), out=output("nodes.call.body"))


async def test_a_call_takes_data_in_and_gives_results_on(client: AsyncExecutionClient) -> None:
    answer = sends('{"name": "Ada", "tags": [1, null]}', Content_Type="application/json", X_Total="2")
    async with answering(answer) as server:
        definition = workflow(
            "start > call > say > out",
            start=node("input"),
            call=node("http", url=f"{server.url}/users/{{{{input.id}}}}", query={"q": "{{input.q}}"}),
            say=transform("nodes.call.body.name + ' ' + nodes.call.headers['x-total'] + string(nodes.call.status)"),
            out=output("[nodes.say, nodes.call.body.tags]"),
        )
        await client.execute(definition, {"id": "a?b", "q": "x y"}, execution_id="e")
        execution = await client.wait("e")

    assert (execution.state, execution.output) == ("COMPLETED", ["Ada 2200", [1, None]])
    assert server.requests[0].line == "GET /users/a%3Fb?q=x%20y HTTP/1.1"


async def test_every_field_comes_back_as_it_was_sent(client: AsyncExecutionClient) -> None:
    config = {"method": "POST", "url": "http://127.0.0.1/{{input.a}}?b={{input.b}}", "query": {"c": "{{input.c}}"}}
    config |= {
        "headers": {"X-A": "1"},
        "expected_status": ["200", "4xx"],
        "max_redirects": 3,
        "response_format": "text",
    }
    for content in ({"json": "input"}, {"form": {"a": "b"}}, {"body": "text"}):
        definition = to_definition(calling(**(config | content)))
        await client.create_workflow("w", definition)
        assert (await client.get_workflow("w")).definition == definition


async def test_a_host_that_may_not_be_called_is_refused_with_the_workflow(client: AsyncExecutionClient) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await client.execute(calling("http://10.0.0.5/{{input.x}}"))
    problems = (await client.validate(calling("https://{{input.host}}/"))).problems

    (violation,) = refused.value.field_violations
    assert (violation.path, violation.reason) == ("definition.nodes[0].config.url", "ADDRESS_NOT_ALLOWED")
    assert [(p.path, p.reason) for p in problems] == [("definition.nodes[0].config.url", "INVALID_VALUE")]


async def test_what_fails_for_a_while_is_repeated_under_one_key(client: AsyncExecutionClient) -> None:
    """Whatever went wrong may have come after the effect."""
    answer = in_turn(
        sends("", status="503 Down"),
        hangs_up,
        sends("", status="429 Slow", Retry_After="0"),
        sends('"paid"', Content_Type="application/json"),
    )
    async with answering(answer) as server:
        definition = calling(server.url, method="POST")
        definition["nodes"][0]["retry"] = QUICK
        await client.execute(definition, execution_id="e")
        execution = await client.wait("e")

    assert (execution.output, execution.nodes["call"].attempt) == ("paid", 4)
    keys = Counter(asked.headers["idempotency-key"] for asked in server.requests)
    assert keys == {f"{execution.uid}/call/1": 4}


async def test_a_retry_that_somebody_asks_for_has_another_key(client: AsyncExecutionClient) -> None:
    down, up = sends("", status="503 Down"), sends('"paid"', Content_Type="application/json")
    async with answering(in_turn(down, down, down, up)) as server:
        definition = calling(server.url, method="POST")
        definition["nodes"][0]["retry"] = {**QUICK, "max_attempts": 2}
        await client.execute(definition, execution_id="e")
        assert (await client.wait("e")).state == "FAILED"
        await client.retry("e")
        execution = await client.wait("e")

    assert execution.output == "paid"
    keys = [asked.headers["idempotency-key"].rpartition("/")[2] for asked in server.requests]
    assert keys == ["1", "1", "3", "3"]


async def test_what_no_attempt_could_mend_is_not_repeated(client: AsyncExecutionClient) -> None:
    async with answering(sends("no such user", status="404 Not Found")) as server:
        definition = calling(server.url)
        definition["nodes"][0] |= {"retry": QUICK, "on_error": {"action": "continue", "fallback": {"body": "nobody"}}}
        await client.execute(definition, execution_id="e")
        execution = await client.wait("e")

    assert (execution.output, len(server.requests)) == ("nobody", 1)
    error = execution.nodes["call"].error
    assert error is not None
    assert (error.type, error.message) == ("HTTP_UNEXPECTED_STATUS", f"GET {server.url}/ answered 404: no such user")


async def test_the_wait_that_a_server_asks_for_is_kept(client: AsyncExecutionClient) -> None:
    async with answering(sends("", status="503 Down", Retry_After="1800")) as server:
        definition = calling(server.url)
        definition["nodes"][0]["retry"] = QUICK
        await client.execute(definition, execution_id="e")
        entry = await until_logged(client, "e", "node_retry")
        await client.stop("e")

    assert entry.metadata["delay_ms"] >= 1_800_000


async def test_stop_cancels_a_call_in_flight(client: AsyncExecutionClient, held: Held) -> None:
    async with answering(held) as server:
        await client.execute(calling(server.url, method="POST"), execution_id="e")
        await held.asked.wait()
        assert (await client.stop("e")).state == "STOPPED"
        await asyncio.wait_for(held.left.wait(), 30)

    assert len(server.requests) == 1


async def test_a_timeout_cancels_the_call_and_may_be_repeated(client: AsyncExecutionClient, held: Held) -> None:
    async with answering(in_turn(held, sends('"done"', Content_Type="application/json"))) as server:
        definition = calling(server.url, method="POST")
        definition["nodes"][0] |= {"retry": QUICK, "timeout": "0.3s"}
        await client.execute(definition, execution_id="e")
        execution = await client.wait("e")
        await asyncio.wait_for(held.left.wait(), 30)

    assert (execution.state, execution.output, len(server.requests)) == ("COMPLETED", "done", 2)


async def test_a_call_in_flight_ends_in_a_pause_and_is_not_made_again(client: AsyncExecutionClient, held: Held) -> None:
    async with answering(held) as server:
        await client.execute(calling(server.url), execution_id="e")
        await held.asked.wait()
        await client.pause("e")
        held.let_go.set()
        await until_logged(client, "e", "node_completed")
        assert (await client.status("e")).state == "PAUSED"
        await client.resume("e")
        execution = await client.wait("e")

    assert (execution.output, len(server.requests)) == ("done", 1)


async def test_a_call_that_a_restart_cut_off_is_made_again_under_its_key(start_server: StartServer, held: Held) -> None:
    async with answering(held) as server:
        async with start_server(grace=0.01) as client:
            await client.execute(calling(server.url, method="POST"), execution_id="e")
            await held.asked.wait()
        held.let_go.set()
        async with start_server() as client:
            execution = await client.wait("e")

    assert execution.output == "done"
    assert [asked.headers["idempotency-key"] for asked in server.requests] == [f"{execution.uid}/call/1"] * 2


async def test_many_calls_share_connections_and_hold_nobody_up(client: AsyncExecutionClient) -> None:
    rows = "[" + ",".join('{"id": %d, "none": null}' % number for number in range(5_000)) + "]"  # noqa: UP031
    names = [f"c{number}" for number in range(50)]
    async with answering(sends(rows, Content_Type="application/json")) as server:
        definition = workflow(
            *(f"{name} > out" for name in names),
            **{name: node("http", url=f"{server.url}/{name}") for name in names},
            out=output("nodes.c49.status"),
        )
        await client.execute(definition, execution_id="e")
        waiting = asyncio.create_task(client.wait("e"))
        statuses = 0
        while not waiting.done():
            await client.status("e")
            statuses += 1
        execution = await waiting

    assert (execution.state, execution.output, len(server.requests)) == ("COMPLETED", 200, 50), execution.error
    assert statuses > 10


@pytest.mark.every_store
async def test_any_text_that_a_server_answers_is_kept(client: AsyncExecutionClient) -> None:
    async with answering(sends(b"a\x00b \xf0\x9f\xa6\x8a \xff", Content_Type="text/plain")) as server:
        await client.execute(calling(server.url), execution_id="e")
        execution = await client.wait("e")

    assert execution.output == "a\x00b 🦊 \ufffd"
