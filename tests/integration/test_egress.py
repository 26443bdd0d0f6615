"""What a server lets nodes call: refused with the workflow where its URL shows it, with the node where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execsvc.app import Settings
from execsvc.definition import BUILTIN
from execsvc.engine import NodePlugin, builtin_executors
from execsvc_client import InvalidArgument
from tests.integration.conftest import StartServer
from tests.servers.answers import answering, sends
from tests.support.workflows import node, output, workflow

ROOT = Path(__file__).parents[2]


def asks(base_url: str) -> dict[str, Any]:
    """A workflow with a model at an address."""
    return workflow("ask > out", ask=node("llm", model="openai:gpt", prompt="hi", base_url=base_url), out=output())


def documented_fetch() -> NodePlugin:
    """The plug-in with calls of its own that docs/workflows.md shows."""
    page = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    source = next(block for block in blocks if "context.http" in block)
    module: dict[str, Any] = {}
    exec(compile(source, "docs/workflows.md", "exec"), module)
    plugin = module["fetch"]
    assert isinstance(plugin, NodePlugin)
    return plugin


@pytest.fixture
def fetching(settings: Settings) -> StartServer:
    """Starts servers with that plug-in."""
    plugin = documented_fetch()
    return StartServer(
        replace(
            settings,
            node_types=BUILTIN.extended([plugin.type]),
            executors=lambda: {**builtin_executors(), plugin.type.name: plugin.executor()},
        )
    )


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://10.0.0.5:8000/v1", "10.0.0.5 is a private address, which workflows may not call; "),
        ("http://169.254.169.254/latest", "169.254.169.254 is an address of a cloud's metadata, "),
        ("https://api.example/v1", "api.example is a host that is not in the operator's list, "),
    ],
)
async def test_an_address_that_may_not_be_called_is_refused_with_its_place_and_what_would_be_right(
    start_server: StartServer, url: str, text: str
) -> None:
    async with start_server() as client:
        for call in (client.execute(asks(url)), client.create_workflow("w", asks(url))):
            with pytest.raises(InvalidArgument) as refused:
                await call
            (problem,) = refused.value.field_violations
            assert (problem.path, problem.reason) == ("definition.nodes[0].config.base_url", "ADDRESS_NOT_ALLOWED")
            assert problem.message.startswith(text)
            assert "the operator lets it with --egress " in problem.message


async def test_a_stored_workflow_is_held_to_what_the_operator_allows_now(start_server: StartServer) -> None:
    async with answering(sends("{}", status="401 Unauthorized")) as server:
        async with start_server() as client:
            await client.create_workflow("w", asks(server.url))
            await client.execute(workflow_id="w", execution_id="before")
            before = await client.wait("before")
        async with start_server(egress=("10.0.0.0/8",)) as client:
            await client.execute(workflow_id="w", execution_id="after")
            after = await client.wait("after")
            assert (await client.get("after")).error is not None

    assert (before.state, after.state) == ("FAILED", "FAILED")
    assert [execution.error and execution.error.type for execution in (before, after)] == [
        "LLM_AUTH",
        "ADDRESS_NOT_ALLOWED",
    ]
    assert len(server.requests) == 1


async def test_a_plug_in_calls_what_the_operator_allows_with_the_client_it_is_given(fetching: StartServer) -> None:
    def fetch(url: str) -> dict[str, Any]:
        return workflow("get > out", get=node("fetch", url=url), out=output())

    async with answering(sends('{"n": 1}'), host="127.0.0.1") as server, fetching() as client:
        with pytest.raises(InvalidArgument) as refused:
            await client.execute(fetch("http://127.0.0.2/"))
        await client.execute(fetch(server.url), execution_id="one")
        one = await client.wait("one")

    assert refused.value.field_violations[0].path == "definition.nodes[0].config.url"
    assert (one.state, one.output) == ("COMPLETED", {"n": 1})
    assert server.requests[0].headers["idempotency-key"].endswith("/get/1")


async def test_what_a_plug_ins_client_refuses_fails_the_node_with_its_reason(fetching: StartServer) -> None:
    """A name whose address is known only when it is called; an answer whose length is."""
    large = workflow("get > out", get=node("fetch", url="http://127.0.0.1"), out=output())
    async with answering(sends(b" " * 17_000_000)) as server:
        large["nodes"][0]["config"]["url"] = server.url
        local = workflow("get > out", get=node("fetch", url=f"http://localhost:{server.port}"), out=output())
        async with fetching(egress=("127.0.0.1", "*")) as client:
            for execution_id, definition in (("large", large), ("local", local)):
                await client.execute(definition, execution_id=execution_id)
            errors = [(await client.wait(execution_id)).error for execution_id in ("large", "local")]

    assert [error and error.type for error in errors] == ["RESPONSE_TOO_LARGE", "ADDRESS_NOT_ALLOWED"]
    assert errors[1] is not None
    assert "localhost is at " in errors[1].message
    assert f"--egress localhost:{server.port} " in errors[1].message
