"""Stop ends in STOPPED whatever the node is doing, and frees the slot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from execsvc.app import Settings
from execsvc.definition import Builder, NodeType
from execsvc.engine import NodeContext, NodeResult
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.servers import ChatServer
from tests.support.logs import story, until_logged
from tests.support.nodes import Gates
from tests.support.processes import ServerProcess
from tests.support.workflows import ECHO, chain, gate, node, output, workflow


class BlockingNode:
    """Calls something that blocks and cannot be cancelled, in a thread, as a plug-in should."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self, release: threading.Event) -> None:
        self._release = release

    async def run(self, config: None, context: NodeContext) -> NodeResult:
        await asyncio.to_thread(self._release.wait)
        return NodeResult(output="too late")


@pytest.fixture
async def release() -> AsyncIterator[threading.Event]:
    """Ends what blocks; set at the end of the test in any case, since a thread cannot be ended otherwise."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def start_with_blocking(settings: Settings, release: threading.Event) -> StartServer:
    """Starts servers that also have the node type ``blocking``."""

    def build(config: Mapping[str, Any], builder: Builder) -> None:
        return None

    kind = NodeType(name="blocking", description="", config_schema={"type": "object"}, effect=True, compile=build)
    executors = settings.executors
    return StartServer(
        replace(
            settings,
            max_concurrent=1,
            node_types=settings.node_types.extended([kind]),
            executors=lambda: {**executors(), "blocking": BlockingNode(release)},
        )
    )


def busy_with(what: str, base_url: str) -> dict[str, Any]:
    """A workflow whose node ``a`` never ends by itself."""
    match what:
        case "blocking call":
            busy = node("blocking")
        case "swallowed cancellation":
            busy = gate("never", stubborn=True)
        case "waiting node" | "queue":
            busy = gate("never")
        case "retry wait":
            retry = {"max_attempts": 2, "initial_backoff": "1h", "max_backoff": "1h"}
            busy = gate("open", fail_with="ONCE", failures=1, retry=retry)
        case model:
            busy = node("llm", model=f"openai:{model}", base_url=base_url, prompt="hello")
    return workflow("a > out", a=busy, out=output())


@pytest.mark.parametrize(
    "what",
    ["blocking call", "swallowed cancellation", "waiting node", "retry wait", "queue", "hang", "silent", "slow"],
)
@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
async def test_stop_ends_in_stopped_whatever_the_node_does_and_frees_the_slot(
    start_with_blocking: StartServer, gates: Gates, tmp_path: Path, what: str, paused: bool
) -> None:
    gates.open("open")
    with ChatServer(tmp_path / "requests.jsonl") as chat:
        async with start_with_blocking() as client:
            if what == "queue":
                await client.execute(chain("blocker"), execution_id="blocker")
                await gates.entered("blocker")
            prompt = "word " * 10_000 if what == "slow" else "hello"
            definition = busy_with(what, chat.base_url)
            if what == "slow":
                definition["nodes"][0]["config"]["prompt"] = prompt
            await client.execute(definition, execution_id="e")
            if what != "queue":
                await until_logged(client, "e", "node_retry" if what == "retry wait" else "node_started")
                if paused:
                    await client.pause("e")
            answered = await client.stop("e")
            assert answered.state == "STOPPED"
            assert (await client.wait("e")).state == "STOPPED"
            told = await story(client, "e")
            if what == "queue":
                gates.open("blocker")
                assert "running" not in told
            # The only slot is free again.
            await client.execute(ECHO, {"n": 1}, execution_id="next")
            assert (await client.wait("next")).output == {"n": 1}
            # Nothing has been added after the end, whatever the node still does.
            assert await story(client, "e") == told
            assert told[-1] == "stopped"
    if what == "swallowed cancellation":
        gates.open("never")
        await gates.left("never")


async def test_what_an_abandoned_blocking_call_answers_later_changes_nothing(
    start_with_blocking: StartServer, release: threading.Event
) -> None:
    async with start_with_blocking() as client:
        await client.execute(workflow("a > out", a=node("blocking"), out=output()), execution_id="e")
        await until_logged(client, "e", "node_started")
        await client.stop("e")
        told = await story(client, "e")
        release.set()
        # Retried, it runs anew, and this time to its end.
        await client.execute(ECHO, execution_id="next")
        await client.wait("next")
        assert await story(client, "e") == told
        await client.retry("e")
        execution = await client.wait("e")
        assert execution.output == "too late"
        assert execution.nodes["a"].attempt == 2


#: Nodes that do not let go: one blocks a thread, the other swallows its cancellation.
PLUGINS = """
import asyncio, threading
from execsvc.definition import NodeType
from execsvc.engine import NodePlugin, NodeResult


class Blocks:
    effect = True

    async def run(self, config, context):
        await asyncio.to_thread(threading.Event().wait)


class Swallows:
    effect = True

    async def run(self, config, context):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass


def plugin(name, executor):
    kind = NodeType(name=name, description="", config_schema={"type": "object"}, effect=True, compile=lambda c, b: None)
    return NodePlugin(type=kind, executor=executor)


blocks = plugin("blocks", Blocks)
swallows = plugin("swallows", Swallows)
"""


@pytest.fixture
def stubborn_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plug-ins for the processes of this test."""
    site = tmp_path / "site"
    about = site / "execsvc_stubborn-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "execsvc_stubborn.py").write_text(PLUGINS)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: execsvc-stubborn\nVersion: 1.0\n")
    names = "\n".join(f"{name} = execsvc_stubborn:{name}" for name in ("blocks", "swallows"))
    (about / "entry_points.txt").write_text(f"[execsvc.nodes]\n{names}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.mark.parametrize("kind", ["blocks", "swallows"])
async def test_a_server_goes_down_when_asked_although_a_node_does_not_let_go(
    stubborn_plugins: None, tmp_path: Path, kind: str
) -> None:
    arguments = ("--plugin", kind, "--grace", "0")
    for stopped in (False, True):
        with ServerProcess(tmp_path / "execsvc.db", *arguments) as server:
            async with AsyncExecutionClient(server.address) as client:
                if not stopped:
                    await client.execute(workflow("a > out", a=node(kind), out=output()), execution_id="e")
                assert server.recovered == stopped
                await until_logged(client, "e", *["node_started"] * (1 + stopped))
                if stopped:
                    assert (await client.stop("e")).state == "STOPPED"
            server.terminate()
            assert await asyncio.to_thread(server.wait) == 0
