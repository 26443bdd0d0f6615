"""The HTTP contract, call by call, against a real server."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from execsvc.gateway import CannotListen, Settings, running
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.integration.gateway.conftest import Http, ready, started, state
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, node, output, transform, workflow

pytestmark = pytest.mark.every_place


async def test_execute_answers_202_with_the_initial_state_and_where_to_look(http: Http) -> None:
    body = {"execution_id": "e", "workflow_id": "w", "definition": ECHO, "input_data": {"n": 3, "x": 0.5}}
    answer = await http.calls.post("/api/v1/execute", json=body)

    assert (answer.status_code, answer.headers["location"]) == (202, "/api/v1/execute/e/status")
    assert answer.json() | {"create_time": ""} == {
        "execution_id": "e",
        "workflow_id": "w",
        "status": "pending",
        "current_node": None,
        "running_nodes": [],
        "progress": 0.0,
        "message": "waiting for a slot",
        "create_time": "",
        "start_time": None,
        "end_time": None,
    }
    done = await state(http, "e", "completed")
    assert (done["progress"], done["current_node"]) == (1.0, "out")
    assert (await http.get("/execute/e"))["output"] == {"n": 3, "x": 0.5}


async def test_every_optional_field_reaches_the_server(http: Http, gates: Gates) -> None:
    await http.post(
        "/execute",
        {
            "execution_id": "e",
            "workflow_id": "w",
            "definition": chain("a"),
            "input_data": {"deep": [{"a": None}]},
            "labels": {"team": "billing"},
            "priority": -7,
            "timeout": "90s",
            "concurrency_key": "k",
            "retry": {"max_attempts": 3, "initial_backoff": "200ms", "multiplier": 1.5, "max_backoff": 4},
        },
        202,
    )
    await gates.entered("a")

    record = await http.get("/execute/e")
    assert {name: record[name] for name in ("workflow_id", "labels", "priority", "timeout", "concurrency_key")} == {
        "workflow_id": "w",
        "labels": {"team": "billing"},
        "priority": -7,
        "timeout": 90.0,
        "concurrency_key": "k",
    }
    assert record["retry"] == {
        "max_attempts": 3,
        "initial_backoff": 0.2,
        "multiplier": 1.5,
        "max_backoff": 4.0,
        "non_retryable": [],
    }
    assert record["definition"] == chain("a")
    assert record["input_data"] == {"deep": [{"a": None}]}
    basic = await http.get("/execute/e?view=basic")
    assert not {"definition", "input_data", "output"} & set(basic)
    gates.open("a")


async def test_a_stored_workflow_runs_by_its_id_and_version(http: Http, client: AsyncExecutionClient) -> None:
    first = await client.create_workflow("w", workflow("a > out", a=transform("1"), out=output()))
    await client.create_workflow("w", workflow("a > out", a=transform("2"), out=output()))
    await http.post("/execute", {"execution_id": "newest", "workflow_id": "w"}, 202)
    await http.post("/execute", {"execution_id": "first", "workflow_id": "w", "version": first.version}, 202)

    await state(http, "newest", "completed")
    await state(http, "first", "completed")
    assert ((await http.get("/execute/newest"))["output"], (await http.get("/execute/first"))["output"]) == (2, 1)
    missing = await http.post("/execute", {"workflow_id": "nope"}, 404)
    assert (missing["reason"], missing["workflow_id"]) == ("WORKFLOW_NOT_FOUND", "nope")


async def test_the_same_request_again_is_the_same_execution_and_another_is_a_conflict(http: Http) -> None:
    body = {"execution_id": "e", "definition": ECHO, "input_data": {"n": 1}}
    await http.post("/execute", body, 202)
    done = await state(http, "e", "completed")

    assert await http.post("/execute", body, 202) == done
    conflict = await http.post("/execute", body | {"input_data": {"n": 2}}, 409)
    assert (conflict["reason"], conflict["execution_id"], conflict["state"]) == ("EXECUTION_EXISTS", "e", "completed")


@pytest.mark.parametrize("header", ["key-1", '"key-1"'])
async def test_the_idempotency_key_is_the_id_where_the_body_names_none(http: Http, header: str) -> None:
    first = await http.post("/execute", {"definition": ECHO}, 202, headers={"Idempotency-Key": header})
    again = await http.post("/execute", {"definition": ECHO}, 202, headers={"Idempotency-Key": header})

    assert first["execution_id"] == again["execution_id"] == "key-1"
    both = {"definition": ECHO, "execution_id": "key-1"}
    await http.post("/execute", both, 202, headers={"Idempotency-Key": header})


async def test_two_ids_are_one_too_many(http: Http) -> None:
    body = {"definition": ECHO, "execution_id": "a"}
    problem = await http.post("/execute", body, 400, headers={"Idempotency-Key": "b"})

    assert [(error["field"], error["reason"]) for error in problem["errors"]] == [("Idempotency-Key", "CONFLICT")]
    await http.get("/execute/a/status", 404)


async def test_a_key_that_is_no_id_is_told_as_the_header_it_is(http: Http) -> None:
    for key in ("no spaces", '""'):
        problem = await http.post("/execute", {"definition": ECHO}, 400, headers={"Idempotency-Key": key})
        assert [(error["field"], error["reason"]) for error in problem["errors"]] == [("Idempotency-Key", "INVALID_ID")]


async def test_without_any_id_one_is_made(http: Http) -> None:
    ids = {(await http.post("/execute", {"definition": ECHO}, 202))["execution_id"] for _ in range(2)}

    assert len(ids) == 2


async def test_validate_only_stores_nothing(http: Http) -> None:
    body: dict[str, Any] = {"execution_id": "e", "definition": ECHO, "validate_only": True}

    assert await http.post("/execute", body) == {"valid": True, "problems": []}
    await http.post("/execute", body | {"priority": 5000}, 400)
    await http.get("/execute/e/status", 404)


async def test_what_the_server_refuses_has_the_names_of_this_api(http: Http) -> None:
    schema = node("input", schema={"type": "object", "required": ["n"]})
    body = {"definition": workflow("start > out", start=schema, out=output()), "version": "v", "input_data": {"x": {}}}
    problem = await http.post("/execute", body, 400)
    assert [error["field"] for error in problem["errors"]] == ["version"]

    del body["version"]
    problem = await http.post("/execute", body, 400)
    assert problem["errors"][0]["field"].startswith("input_data")
    assert problem["detail"].startswith("input_data")

    broken = workflow("a > out", a=transform("1 +"), out=output("nodes.b"))
    problem = await http.post("/execute", {"definition": broken}, 400)
    assert {error["field"]: error["reason"] for error in problem["errors"]} == {
        "definition.nodes[0].config.expression": "CEL_SYNTAX",
        "definition.nodes[1].config.expression": "UNKNOWN_NODE",
    }


async def test_numbers_that_are_none_are_refused_wherever_they_stand(http: Http) -> None:
    headers = {"Content-Type": "application/json"}
    for text, field in (
        ('{"definition": {"nodes": []}, "input_data": {"a": [NaN]}}', "input_data.a[0]"),
        ('{"definition": {"nodes": [{"id": "a", "type": "gate", "config": {"x": Infinity}}]}}', None),
        ('{"definition": {"nodes": []}, "input_data": {"a": 1e999}}', "input_data.a"),
        ('{"definition": {"nodes": []}, "timeout": 1e999}', "timeout"),
        ('{"definition": {"nodes": []}, "timeout": NaN}', "timeout"),
    ):
        problem = await http.call("POST", "/execute", 400, content=text, headers=headers)
        assert problem["errors"][0]["field"] == (field or "definition.nodes[0].config.x")


async def test_syntax_is_told_with_line_and_column(http: Http) -> None:
    headers = {"Content-Type": "application/json"}
    problem = await http.call("POST", "/execute", 400, content='{\n"definition": {"nodes": [}}', headers=headers)

    assert [(error["line"], error["column"]) for error in problem["errors"]] == [(2, 26)]


async def test_bodies_have_a_type_and_a_limit(client: AsyncExecutionClient, start_server: StartServer) -> None:
    async def endless() -> Any:
        for _ in range(10):
            yield b" " * 1024

    async with started(start_server.address, max_body=4096) as http:
        problem = await http.call("POST", "/execute", 415, content=b"{}", headers={"Content-Type": "text/plain"})
        assert problem["reason"] == "UNSUPPORTED_MEDIA_TYPE"
        await http.call("POST", "/execute", 415, content=b"{}")
        headers = {"Content-Type": "application/json"}
        for content in (b" " * 4097, endless()):
            problem = await http.call("POST", "/execute", 413, content=content, headers=headers)
            assert (problem["reason"], problem["limit"]) == ("TOO_LARGE", 4096)
        await http.post("/execute/x/stop", {"reason": "x" * 5000}, 413)
        vendor = {"Content-Type": "application/vnd.acme+json; charset=utf-8"}
        await http.call("POST", "/validate", 200, content=json.dumps({"definition": ECHO}), headers=vendor)


async def test_what_the_server_finds_too_large_is_413(http: Http) -> None:
    problem = await http.post("/execute", {"definition": ECHO, "input_data": {"text": "x" * (4 * 1024 * 1024)}}, 413)

    assert (problem["reason"], problem["path"], problem["limit"]) == ("TOO_LARGE", "input_data", 4 * 1024 * 1024)


async def test_control_answers_the_new_status(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a", "b"), "input_data": {"n": 1}}, 202)
    await gates.entered("a")

    assert (await http.post("/execute/e/pause", {"reason": "lunch"}))["status"] == "paused"
    problem = await http.post("/execute/e/pause", code=409)
    assert (problem["reason"], problem["state"], problem["allowed_from"]) == (
        "ILLEGAL_TRANSITION",
        "paused",
        ["running"],
    )
    problem = await http.post("/execute/e/resume", {"expected_state": "running"}, 409)
    assert (problem["reason"], problem["expected"], problem["state"]) == ("STATE_CHANGED", "running", "paused")
    assert (await http.post("/execute/e/resume", {}))["status"] in ("running", "pending")
    assert (await http.post("/execute/e/stop"))["status"] == "stopped"
    assert (await http.post("/execute/e/retry", {"input_data": {"n": 2}}))["status"] == "pending"
    gates.open("a", "b")
    await state(http, "e", "completed")
    assert (await http.get("/execute/e"))["input_data"] == {"n": 2}
    logged = await http.get("/execute/e/logs?level=info&limit=1000")
    assert "lunch" in json.dumps(logged)


async def test_a_repeated_control_answers_as_the_first_did(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
    await gates.entered("a")
    key = {"Idempotency-Key": "r-1"}

    first = await http.post("/execute/e/stop", headers=key)
    assert (await http.post("/execute/e/stop", headers=key))["status"] == first["status"] == "stopped"
    assert (await http.post("/execute/e/stop", {"request_id": "r-1"}))["status"] == "stopped"
    problem = await http.post("/execute/e/retry", headers=key, code=409)
    assert (problem["reason"], problem["request_id"]) == ("REQUEST_ID_REUSED", "r-1")
    problem = await http.post("/execute/e/stop", {"request_id": "r-2"}, 400, headers=key)
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    problem = await http.post("/execute/e/stop", headers={"Idempotency-Key": "a b"}, code=400)
    assert problem["errors"][0]["field"] == "Idempotency-Key"


async def test_input_goes_with_retry_alone(http: Http) -> None:
    problem = await http.post("/execute/e/stop", {"input_data": {}}, 400)

    assert problem["errors"][0] | {"description": ""} == {
        "field": "input_data",
        "reason": "UNKNOWN_FIELD",
        "description": "",
    }


async def test_what_is_not_there_is_404_on_every_route(http: Http) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/logs"),
        ("GET", "/logs?after=3"),
        ("GET", "/logs/stream"),
        ("GET", "/events"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/stop"),
        ("POST", "/retry"),
        ("DELETE", ""),
    ):
        problem = await http.call(method, f"/execute/nope{path}", 404)
        assert (problem["reason"], problem["execution_id"]) == ("EXECUTION_NOT_FOUND", "nope")
    assert (await http.get("/nope", 404))["reason"] == "NO_SUCH_PATH"
    answer = await http.calls.patch("/api/v1/execute")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["reason"] == "METHOD_NOT_ALLOWED"


async def test_logs_page_by_page_in_every_way(http: Http) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": ECHO}, 202)
    await state(http, "e", "completed")
    everything = (await http.get("/execute/e/logs"))["logs"]
    assert [entry["sequence"] for entry in everything] == list(range(1, len(everything) + 1))

    for start in ("?limit=2", "?limit=2&after=0"):
        pages, query = [], start
        while query:
            page = await http.get(f"/execute/e/logs{query}")
            assert page["last_sequence"] == page["logs"][-1]["sequence"]
            pages += page["logs"]
            query = f"?limit=2&page_token={page['next_page_token']}" if page["next_page_token"] else ""
        assert pages == everything

    one = await http.get("/execute/e/logs?node_id=start&level=info")
    assert {entry["node_id"] for entry in one["logs"]} == {"start"}
    assert (await http.get(f"/execute/e/logs?after={len(everything)}")) == {
        "logs": [],
        "last_sequence": len(everything),
        "next_page_token": "",
    }
    assert (await http.get("/execute/e/logs?level=error"))["logs"] == []
    beyond = await http.get("/execute/e/logs?after=999", 416)
    assert (beyond["reason"], beyond["last_sequence"]) == ("CURSOR_OUT_OF_RANGE", len(everything))
    both = await http.get("/execute/e/logs?after=1&page_token=x", 400)
    assert both["errors"][0]["field"] == "page_token"
    broken = await http.get("/execute/e/logs?page_token=x", 400)
    assert broken["errors"][0] | {"description": ""} == {
        "field": "page_token",
        "reason": "INVALID_PAGE_TOKEN",
        "description": "",
    }


async def test_parameters_are_checked_all_at_once(http: Http) -> None:
    problem = await http.get("/execute/e/logs?limit=0&level=LOUD&after=-1", 400)

    assert {error["field"] for error in problem["errors"]} == {"limit", "level", "after"}


async def test_lists_are_narrowed_and_cut(http: Http) -> None:
    for number in range(5):
        body = {"execution_id": f"e{number}", "workflow_id": f"w{number % 2}", "definition": ECHO}
        await http.post("/execute", body | {"labels": {"n": str(number)}}, 202)
        await state(http, f"e{number}", "completed")

    async def ids(query: str) -> list[str]:
        found = await http.calls.get("/api/v1/executions", params=httpx.QueryParams(query))
        assert found.status_code == 200, found.text
        return [item["execution_id"] for item in found.json()["executions"]]

    assert await ids("") == ["e4", "e3", "e2", "e1", "e0"]
    assert await ids("order_by=create_time") == ["e0", "e1", "e2", "e3", "e4"]
    assert await ids("workflow_id=w1&state=completed&state=failed") == ["e3", "e1"]
    assert await ids('workflow_id=w0&filter=labels.n = "2" OR labels.n = "3"') == ["e2"]
    assert await ids("state=running") == []
    assert await ids('workflow_id=w" OR state = FAILED') == []
    first = await http.get("/executions?limit=3")
    rest = await http.get(f"/executions?limit=3&page_token={first['next_page_token']}")
    assert [item["execution_id"] for item in first["executions"] + rest["executions"]] == ["e4", "e3", "e2", "e1", "e0"]
    assert rest["next_page_token"] == ""
    problem = await http.get("/executions?filter=zzz", 400)
    assert problem["errors"][0]["field"] == "filter"
    problem = await http.get("/executions?state=RUNNING", 400)
    assert problem["errors"][0]["field"].startswith("state")


async def test_only_what_has_ended_is_deleted(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
    await gates.entered("a")

    assert (await http.call("DELETE", "/execute/e", 409))["state"] == "running"
    await http.post("/execute/e/stop")
    assert await http.call("DELETE", "/execute/e", 204) is None
    await http.get("/execute/e/status", 404)


async def test_validation_is_an_answer_whoever_finds_the_problem(http: Http) -> None:
    assert await http.post("/validate", {"definition": ECHO}) == {"valid": True, "problems": []}
    for definition, field in (
        ({"nodes": [{"id": "a", "type": "output"}], "edgez": []}, "definition.edgez"),
        (workflow("a > out", a=transform("1 +"), out=output()), "definition.nodes[0].config.expression"),
    ):
        answer = await http.post("/validate", {"definition": definition})
        assert (answer["valid"], answer["problems"][0]["field"]) == (False, field)
    assert (await http.post("/validate", {}, 400))["errors"][0]["reason"] == "REQUIRED"


async def test_node_types_have_the_schema_of_their_config(http: Http) -> None:
    found = {item["name"]: item for item in (await http.get("/node-types"))["node_types"]}

    assert found["llm"]["effect"] is True
    assert found["transform"]["config_schema"]["type"] == "object"


async def test_pages_of_other_origins_change_nothing_unless_they_are_let(
    client: AsyncExecutionClient, start_server: StartServer
) -> None:
    page = {"Origin": "http://page.example"}
    body = {"execution_id": "e", "definition": ECHO}
    async with started(start_server.address) as http:
        problem = await http.post("/execute", body, 403, headers=page)
        assert problem["reason"] == "ORIGIN_NOT_ALLOWED"
        await http.get("/execute/e/status", 404)
        await http.post("/execute", body, 202, headers={"Origin": http.url})
        answer = await http.calls.get("/api/v1/executions", headers=page)
        assert "access-control-allow-origin" not in answer.headers
    async with started(start_server.address, cors=("http://page.example",)) as http:
        await http.post("/execute", body, 202, headers=page)
        answer = await http.calls.get("/api/v1/executions", headers=page)
        assert answer.headers["access-control-allow-origin"] == "http://page.example"
        asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
        assert (await http.calls.options("/api/v1/execute", headers=asked)).status_code == 200
        await http.post("/execute", body, 403, headers={"Origin": "http://other.example"})
    async with started(start_server.address, cors=("*",)) as http:
        await http.post("/execute", body, 202, headers={"Origin": "http://other.example"})


async def test_a_token_is_passed_on_to_the_server(
    client: AsyncExecutionClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    original = AsyncExecutionClient._run

    async def spied(self: Any, call: Any) -> Any:
        seen.append(self._settings.metadata())
        return await original(self, call)

    monkeypatch.setattr(AsyncExecutionClient, "_run", spied)
    async with started(start_server.address) as http:
        await http.get("/node-types", headers={"Authorization": "Bearer abc"})
        await http.get("/node-types")
        await http.get("/node-types", headers={"Authorization": "Basic abc"})

    tokens = [[value for key, value in sent if key == "authorization"] for sent in seen]
    # Who shows nothing is said to, so that the gateway's own certificate does not count as theirs.
    assert tokens == [["Bearer abc"], ["Bearer  "], ["Bearer  "]]


async def test_health_tells_life_from_readiness(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    async with started(nobody) as http:
        assert (await http.calls.get("/healthz")).json() == {"status": "ok"}
        answer = await http.calls.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "NO_SERVER")
        assert answer.headers["retry-after"] == "1"
    async with start_server(), started(start_server.address) as http:
        assert (await http.calls.get("/readyz")).json() == {"status": "ok"}


async def test_without_a_server_calls_are_503_and_work_again_once_it_is_back(start_server: StartServer) -> None:
    async with start_server():
        address = start_server.address
    async with started(address) as http:
        problem = await http.get("/execute/e/logs?after=1", 503)
        assert problem["reason"] == "UNAVAILABLE"
        async with start_server(address=address):
            await ready(http)
            await http.get("/execute/e/status", 404)


async def test_a_busy_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=f"cannot listen on {address} for HTTP"):
            async with running(Settings(target="127.0.0.1:1", address=address)):
                pass


async def test_no_two_bugs_leak_what_went_wrong_inside(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Any) -> Any:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(AsyncExecutionClient, "node_types", broken)
    problem = await http.get("/node-types", 500)

    assert problem["reason"] == "INTERNAL"
    assert "hunter2" not in json.dumps(problem)
