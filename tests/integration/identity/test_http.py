"""Every HTTP route, with every kind of credential: the exact status of each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import websockets

from execsvc.gateway import Settings, running
from execsvc.model import Role
from tests.integration.conftest import StartServer
from tests.integration.identity.credentials import ROLES, Shown, credentials
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A request about the execution ``e``, which runs, or the workflow ``w``, both of the default namespace."""

    #: None: open to everybody.
    role: Role | None
    #: What those are answered who may ask, and those of another namespace.
    code: int = 200
    elsewhere: int = 200
    body: Any = None


READ, RUN, ALL = Role.READER, Role.OPERATOR, Role.ADMIN
EXECUTION = "/api/v1/execute/{execution_id}"
#: By method and path; none of them changes what the others see.
SAMPLES: Mapping[str, Sample] = {
    "POST /api/v1/execute": Sample(role=RUN, body={"definition": ECHO, "validate_only": True}),
    f"GET {EXECUTION}": Sample(role=READ, elsewhere=404),
    f"GET {EXECUTION}/status": Sample(role=READ, elsewhere=404),
    f"GET {EXECUTION}/logs": Sample(role=READ, elsewhere=404),
    f"GET {EXECUTION}/logs/stream": Sample(role=READ, elsewhere=404),
    f"GET {EXECUTION}/events": Sample(role=READ, elsewhere=404),
    f"POST {EXECUTION}/pause": Sample(role=RUN, code=409, elsewhere=404, body={"expected_state": "failed"}),
    f"POST {EXECUTION}/resume": Sample(role=RUN, code=409, elsewhere=404),
    f"POST {EXECUTION}/stop": Sample(role=RUN, code=409, elsewhere=404, body={"expected_state": "failed"}),
    f"POST {EXECUTION}/retry": Sample(role=RUN, code=409, elsewhere=404),
    f"DELETE {EXECUTION}": Sample(role=ALL, code=409, elsewhere=404),
    "GET /api/v1/executions": Sample(role=READ),
    "POST /api/v1/validate": Sample(role=READ, body={"definition": ECHO}),
    "GET /api/v1/node-types": Sample(role=READ),
    "GET /healthz": Sample(role=None),
    "GET /readyz": Sample(role=None),
    # The pages about the API, which its document does not list.
    "GET /docs": Sample(role=None),
    "GET /openapi.json": Sample(role=None),
}


@dataclass(frozen=True, kw_only=True)
class World:
    """A gateway before a server that asks who calls."""

    address: str
    calls: httpx.AsyncClient
    shown: Mapping[Shown, str]

    def headers(self, shown: Shown) -> dict[str, str]:
        """What says who calls."""
        return {"Authorization": f"Bearer {self.shown[shown]}"} if self.shown[shown] else {}

    async def status(self, route: str, shown: Shown) -> int:
        """Call a route; its status. Of a stream nothing more is read."""
        method, _, path = route.partition(" ")
        sample = SAMPLES[route]
        given = {} if sample.body is None else {"json": sample.body}
        path = path.format(execution_id="e")
        async with self.calls.stream(method, path, headers=self.headers(shown), **given) as answer:
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"] == "Bearer"
            return answer.status_code


@pytest.fixture
async def world(start_server: StartServer, gates: Gates) -> AsyncIterator[World]:
    """One server, one gateway, credentials of every kind."""
    shown = await credentials(start_server)
    async with (
        start_server(auth="token", grace=0.0, token=shown[Shown.OPERATOR]) as client,
        running(Settings(target=start_server.address, address="127.0.0.1:0")) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=30) as calls,
    ):
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        yield World(address=gateway.address, calls=calls, shown=shown)


def expected(sample: Sample, shown: Shown) -> int:
    """The status that a call must have."""
    if sample.role is None:
        return sample.code
    if shown not in ROLES:
        return 401
    if not ROLES[shown].allows(sample.role):
        return 403
    return sample.elsewhere if shown is Shown.STRANGER else sample.code


async def test_every_route_answers_every_kind_of_credential_with_the_status_of_its_rule(world: World) -> None:
    found = {(route, shown): await world.status(route, shown) for route in SAMPLES for shown in Shown}

    assert found == {(route, shown): expected(SAMPLES[route], shown) for route in SAMPLES for shown in Shown}


async def test_every_route_has_a_rule_and_says_whether_it_asks_for_a_token(world: World) -> None:
    document = (await world.calls.get("/openapi.json")).json()
    routes = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }

    assert set(routes) == set(SAMPLES) - {"GET /docs", "GET /openapi.json"}
    asks = {route for route, operation in routes.items() if operation["security"]}
    assert asks == {route for route in routes if SAMPLES[route].role is not None}
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_a_websocket_follows_and_controls_as_far_as_the_role_goes(world: World) -> None:
    url = f"ws://{world.address}/api/v1/execute/e/ws"
    refused: dict[Shown, int] = {}
    for shown in Shown:
        async with websockets.connect(url, additional_headers=world.headers(shown)) as socket:
            message = json.loads(await socket.recv())
            if message["type"] == "problem":
                refused[shown] = message["data"]["status"]
                continue
            await socket.send(json.dumps({"action": "pause", "expected_state": "failed", "request_id": "r"}))
            while message.get("request_id") != "r":
                message = json.loads(await socket.recv())
            assert message["data"]["status"] == (403 if shown is Shown.READER else 409)

    invalid = set(Shown) - set(ROLES)
    assert refused == {Shown.STRANGER: 404, **dict.fromkeys(invalid, 401)}
