"""Secrets reach attempts by their names: from where, for whom, and what happens where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execsvc.app import Settings
from execsvc.config.secret_places import SecretPlace
from execsvc_client import AsyncExecutionClient, ExecutionState, InvalidArgument
from tests.integration.conftest import StartServer
from tests.servers.reflector import Reflector, reflector
from tests.support.call_node import call
from tests.support.nodes import Gates
from tests.support.workflows import gate, node, output, workflow

VALUE = "sk-canary-0123456789"


@pytest.fixture(scope="module")
def echo() -> Iterator[Reflector]:
    """A server that tells what it was sent."""
    with reflector() as running:
        yield running


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Servers with the ``call`` node and a directory of secrets."""
    executors = settings.executors
    (tmp_path / "secrets" / "default").mkdir(parents=True)
    return replace(
        settings,
        egress=("127.0.0.0/8",),
        secrets=(SecretPlace(kind="dir", where=str(tmp_path / "secrets")),),
        node_types=settings.node_types.extended([call.type]),
        executors=lambda: {**executors(), "call": call.executor()},
    )


class Directory:
    """The secrets of a namespace."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, name: str, value: str = VALUE, *, namespace: str = "default") -> None:
        """Have a secret."""
        (self._path / namespace).mkdir(exist_ok=True)
        (self._path / namespace / name).write_text(value + "\n")

    def remove(self, name: str) -> None:
        """Have it no more."""
        (self._path / "default" / name).unlink()


@pytest.fixture
def secrets(tmp_path: Path, settings: Settings) -> Directory:
    """What the servers have."""
    return Directory(tmp_path / "secrets")


def calling(echo: Reflector, **config: Any) -> dict[str, Any]:
    """A workflow with one call."""
    return workflow("call > out", call=node("call", url=f"{echo.url}/x", **config), out=output())


def asking(echo: Reflector, **config: Any) -> dict[str, Any]:
    """A workflow with one question to a model."""
    ask = node("llm", **{"model": "openai:m", "prompt": "hi", "base_url": f"{echo.url}/v1"} | config)
    return workflow("ask > out", ask=ask, out=output())


@pytest.fixture(params=["key", "header", "parameter"])
def with_key(request: pytest.FixtureRequest, echo: Reflector) -> tuple[dict[str, Any], str]:
    """A way to send a key to a model, and what then is sent as Authorization."""
    return {
        "key": (asking(echo, api_key="secret:KEY"), f"Bearer {VALUE}"),
        "header": (asking(echo, headers={"Authorization": "Basic secret:KEY"}), f"Basic {VALUE}"),
        "parameter": (asking(echo, parameters={"api_key": "secret:KEY"}), f"Bearer {VALUE}"),
    }[request.param]


async def test_a_model_is_asked_with_the_secret_that_its_node_names(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector, with_key: tuple[dict[str, Any], str]
) -> None:
    definition, sent = with_key
    secrets.put("KEY")

    status = await client.execute(definition, {})
    execution = await client.wait(status.execution_id)

    assert echo.requests[-1]["authorization"] == sent
    assert execution.state == ExecutionState.COMPLETED
    assert VALUE not in str(execution)
    assert "[redacted]" in str(execution.output)


async def test_a_new_value_counts_from_the_next_attempt_on(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    for value in ("first-0123456789", "second-0123456789"):
        secrets.put("KEY", value)
        await client.wait((await client.execute(asking(echo, api_key="secret:KEY"), {})).execution_id)

        assert echo.requests[-1]["authorization"] == f"Bearer {value}"


async def test_the_servers_own_key_does_not_go_along_with_the_workflows_headers(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-server-123")
    secrets.put("KEY")
    definition = asking(echo, headers={"X-Key": "secret:KEY"})

    await client.wait((await client.execute(definition, {})).execution_id)

    assert echo.requests[-1]["x-key"] == VALUE
    assert "authorization" not in echo.requests[-1]


async def test_url_headers_and_body_of_a_plug_in_may_name_secrets(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    secrets.put("KEY", "a/b?c&d 0123456789")
    secrets.put("NAME", "somebody")
    definition = calling(
        echo,
        headers={"X-Key": "secret:NAME:secret:KEY"},
        body='{"to": "{{input.to}}", "key": "secret:KEY"}',
    )
    definition["nodes"][0]["config"]["url"] += "/secret:KEY/send"

    execution = await client.wait((await client.execute(definition, {"to": "secret:NAME"})).execution_id)

    assert echo.requests[-1]["x-key"] == "somebody:a/b?c&d 0123456789"
    answer = execution.output["answer"]["plain"]
    assert answer["url"] == "/x/[redacted]/send"
    assert answer["headers"]["x-key"] == "[redacted]:[redacted]"
    # What comes from the input is text, whatever it looks like.
    assert answer["body"] == '{"to": "secret:NAME", "key": "[redacted]"}'


async def test_an_unknown_secret_is_told_with_its_place_before_anything_runs(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    definition = asking(echo, api_key="secret:GONE", headers={"X-A": "Bearer secret:ALSO"})
    expected = [("api_key", "'GONE'"), ('headers["X-A"]', "'ALSO'")]

    with pytest.raises(InvalidArgument) as refused:
        await client.execute(definition, {})
    problems = (await client.validate(definition)).problems

    for found in (refused.value.field_violations, problems):
        for problem, (field, name) in zip(sorted(found, key=lambda p: p.path), expected, strict=True):
            assert (problem.path, problem.reason) == (f"definition.nodes[0].config.{field}", "SECRET_UNKNOWN")
            assert name in problem.message
    secrets.put("GONE")
    secrets.put("ALSO")
    assert (await client.validate(definition)).valid


async def test_a_secret_that_is_gone_when_the_attempt_begins_fails_it_once_and_a_retry_goes_on(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector, gates: Gates
) -> None:
    secrets.put("KEY")
    ask = node("llm", model="openai:m", prompt="hi", base_url=f"{echo.url}/v1", api_key="secret:KEY")
    ask["retry"] = {"max_attempts": 5, "initial_backoff": "1ms"}
    definition = workflow("wait > ask > out", wait=gate("a"), ask=ask, out=output())
    await client.execute(definition, {}, execution_id="e")
    await gates.entered("a")
    secrets.remove("KEY")
    gates.open("a")

    failed = await client.wait("e")

    assert failed.error is not None
    assert (failed.error.type, failed.error.node_id, failed.error.attempt) == ("SECRET_UNKNOWN", "ask", 1)
    assert "'KEY'" in failed.error.message
    secrets.put("KEY")
    await client.retry("e")
    assert (await client.wait("e")).state == ExecutionState.COMPLETED


async def test_a_workflow_may_be_stored_before_its_secret_is_there(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    await client.create_workflow("ask", asking(echo, api_key="secret:KEY"))
    with pytest.raises(InvalidArgument, match="'KEY'"):
        await client.execute(workflow_id="ask", input={})
    secrets.put("KEY")

    done = await client.wait((await client.execute(workflow_id="ask", input={})).execution_id)

    assert done.state == ExecutionState.COMPLETED


async def test_secrets_of_another_namespace_do_not_exist(
    start_server: StartServer, secrets: Directory, echo: Reflector
) -> None:
    secrets.put("KEY", "the-key-of-billing", namespace="billing")
    secrets.put("OWN")

    async with start_server(auth="token", token=await start_server.token(namespace="billing")) as billing:
        done = await billing.wait((await billing.execute(asking(echo, api_key="secret:KEY"), {})).execution_id)
        assert echo.requests[-1]["authorization"] == "Bearer the-key-of-billing"
        assert done.state == ExecutionState.COMPLETED
        with pytest.raises(InvalidArgument, match="'OWN' in namespace 'billing'"):
            await billing.execute(asking(echo, api_key="secret:OWN"), {})
    async with start_server(auth="token", token=await start_server.token(namespace="default")) as other:
        with pytest.raises(InvalidArgument, match="'KEY' in namespace 'default'"):
            await other.execute(asking(echo, api_key="secret:KEY"), {})


async def test_one_definition_in_two_namespaces_uses_the_secret_of_each(
    start_server: StartServer, secrets: Directory, echo: Reflector
) -> None:
    names = ("billing", "default")
    tokens = {name: await start_server.token(namespace=name) for name in names}
    for name in names:
        secrets.put("KEY", f"the-key-of-{name}", namespace=name)

    async with (
        start_server(auth="token", token=tokens["billing"]) as billing,
        AsyncExecutionClient(start_server.address, token=tokens["default"]) as default,
    ):
        for name, client in (("billing", billing), ("default", default), ("billing", billing)):
            await client.wait((await client.execute(asking(echo, api_key="secret:KEY"), {})).execution_id)
            assert echo.requests[-1]["authorization"] == f"Bearer the-key-of-{name}"


async def test_a_repeated_request_is_answered_though_its_secret_is_gone(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    secrets.put("KEY")
    definition = asking(echo, api_key="secret:KEY")
    await client.execute(definition, {}, execution_id="once")
    await client.wait("once")
    secrets.remove("KEY")

    assert (await client.execute(definition, {}, execution_id="once")).state == ExecutionState.COMPLETED
    with pytest.raises(InvalidArgument, match="'KEY'"):
        await client.execute(definition, {}, execution_id="twice")


@pytest.mark.parametrize(
    ("config", "path", "why"),
    [
        ({"api_key": "sk-mine-12345678"}, "api_key", "must be secret:NAME and nothing else"),
        ({"api_key": "Bearer secret:KEY"}, "api_key", "must be secret:NAME and nothing else"),
        ({"base_url": "https://a.example/secret:KEY"}, "base_url", "cannot name secrets"),
        ({"headers": {"Host": "x"}}, "headers.Host", "no header that a workflow may set"),
        ({"headers": {"a b": "x"}}, 'headers["a b"]', "no header that a workflow may set"),
        ({"headers": {"A": "x\r\nB: y"}}, "headers.A", "must be one line"),
        ({"api_key": f"secret:{'x' * 129}"}, "api_key", "at most 128 characters"),
    ],
)
async def test_what_cannot_be_a_credential_is_refused_without_being_repeated(
    client: AsyncExecutionClient, echo: Reflector, secrets: Directory, config: dict[str, Any], path: str, why: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await client.execute(asking(echo, **config), {})

    found = {problem.path: problem.message for problem in refused.value.field_violations}
    assert why in found[f"definition.nodes[0].config.{path}"]
    assert "sk-mine" not in str(refused.value)


async def test_a_value_that_is_no_header_fails_the_node_without_being_told(
    client: AsyncExecutionClient, secrets: Directory, echo: Reflector
) -> None:
    secrets.put("KEY", f"{VALUE}\r\nX-Other: yes")

    execution = await client.wait((await client.execute(asking(echo, api_key="secret:KEY"), {})).execution_id)

    assert execution.error is not None
    assert execution.error.type == "SECRET_UNUSABLE"
    assert VALUE not in str(execution)
