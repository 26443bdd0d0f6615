"""What runners of all languages rely on: the lab's servers, the form of the scenarios, and the table."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from execsvc_client import ExecutionClient, Unavailable
from tests.sdk.lab import Lab
from tests.sdk.outcomes import Failure, Outcome, run
from tests.sdk.scenarios import FOLDER, OPERATIONS, ScenarioError, expand, load
from tests.sdk.table import show
from tools import languages
from tools.languages import LANGUAGES, Language


def ask(lab: Lab, path: str, body: Any = None) -> tuple[int, Any]:
    """Ask the lab; its status and answer."""
    content = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(lab.url + path, data=content), timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_server_keeps_its_database_and_its_port_over_every_end(lab: Lab) -> None:
    _, own = ask(lab, "/servers", {"max_concurrent": 3})
    server = f"/servers/{own['id']}"
    with ExecutionClient(own["target"], call_timeout=5) as client:
        assert client.server_info().limits.max_concurrent == 3
        client.execute({"nodes": [{"id": "end", "type": "output"}]}, execution_id="kept")
        for end in ("kill", "stop"):
            assert ask(lab, f"{server}/{end}", {})[0] == 200
            with pytest.raises(Unavailable):
                client.status("kept")
            assert ask(lab, f"{server}/start", {}) == (200, own)
            assert client.wait("kept", timeout=30).state == "COMPLETED"
    assert ask(lab, f"{server}/remove", {}) == (200, {})
    assert ask(lab, f"{server}/start", {})[0] == 400


def test_what_the_lab_cannot_do_it_says(lab: Lab) -> None:
    for path, body, words in (
        ("/servers", {"colour": "red"}, "no option colour"),
        ("/servers/s0/kill", {}, "no server 's0'"),
        ("/nowhere", None, "no GET /nowhere"),
    ):
        status, answer = ask(lab, path, body)
        assert status == 400
        assert words in answer["error"]


def test_streams_are_waited_for_until_there_are_so_many(lab: Lab) -> None:
    _, own = ask(lab, "/servers", {})
    streams = f"/servers/{own['id']}/streams"
    slow = {"nodes": [{"id": "a", "type": "llm", "config": {"model": "echo:", "parameters": {"delay": 3600}}}]}
    slow["nodes"] += [{"id": "end", "type": "output"}]
    slow["nodes"][0]["config"]["prompt"] = "hi"
    with ExecutionClient(own["target"]) as client:
        client.execute({**slow, "edges": [{"source": "a", "target": "end"}]}, execution_id="e")
        assert ask(lab, streams, {"until": 0}) == (200, {"streams": 0})
        with client.logs("e", follow=True) as log:
            next(log)
            assert ask(lab, streams, {"until": 1}) == (200, {"streams": 1})
        assert ask(lab, streams, {"until": 0}) == (200, {"streams": 0})
    ask(lab, f"/servers/{own['id']}/remove", {})


def test_shorthands_are_written_out() -> None:
    assert expand({"a": {"$text": {"repeat": "ü", "times": 3, "before": "<", "after": ">"}}}) == {"a": "<üüü>"}
    counted = [{"id": "n$#"}, {"to": "$#+1"}]
    assert expand([1, {"$repeat": {"times": 2, "item": counted}}, 2]) == [
        1,
        [{"id": "n0"}, {"to": "1"}],
        [{"id": "n1"}, {"to": "2"}],
        2,
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scenarios: [{name: a, promise: b}]", "has a name, a promise and steps"),
        ("scenarios: [{name: a, promise: b, steps: [{status: {}, get: {}}]}]", "must have one operation"),
        ("scenarios: [{name: a, promise: b, steps: [{status: {}, expekt: {}}]}]", "must have one operation"),
        (
            "scenarios: [{name: a, promise: b, steps: [{status: {}, expect: {}, error: {}}]}]",
            "both a result and an error",
        ),
        ("scenarios: [", "a.yaml"),
    ],
)
def test_a_file_that_no_runner_would_understand_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(ScenarioError, match=words):
        load(tmp_path)


def test_every_operation_is_described_and_used() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    used = {key for one in load().scenarios for step in one["steps"] for key in step if key in OPERATIONS}

    assert [name for name in OPERATIONS if f"`{name}`" not in page] == []
    assert used == OPERATIONS


def fake(folder: Path, body: str) -> Language:
    """A language whose runner is a shell script."""
    script = folder / "clients" / "fake" / "scripts" / "scenarios"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return Language(name="fake", tools=())


@pytest.mark.parametrize(
    ("body", "failures", "broken"),
    [
        ("""echo '{"scenario": "a", "ok": true}'; echo '{"scenario": "b", "ok": true}'""", [], ""),
        (
            """echo '{"scenario": "a", "ok": true}'""",
            [Failure(scenario="b", variant="", problem="there is no result")],
            "",
        ),
        (
            """echo '{"scenario": "a", "ok": true}'
            echo '{"scenario": "b", "ok": false, "step": 2, "problem": "no"}'; exit 1""",
            [Failure(scenario="b", variant="", problem="step 2: no")],
            "",
        ),
        ("""echo '{"scenario": "a", "ok": true}'; echo '{"scenario": "b", "ok": true}'; exit 7""", [], "exit code 7"),
        (
            """echo '{"scenario": "a", "ok": true}'; echo '{"scenario": "b", "ok": true}'; echo hi""",
            [],
            "no result: 'hi'",
        ),
        ("echo it broke >&2; exit 1", ["a", "b"], "it broke"),
    ],
    ids=["well", "silent", "failed", "exit", "noise", "broken"],
)
def test_what_a_runner_leaves_out_or_breaks_off_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, failures: list[Any], broken: str
) -> None:
    monkeypatch.setattr(languages, "ROOT", tmp_path)

    outcome = run(fake(tmp_path, body), "http://nowhere", ["a", "b"])

    assert outcome.ok is (not failures and not broken)
    assert broken in outcome.broken
    found = [one.scenario for one in outcome.failures] if failures == ["a", "b"] else outcome.failures
    assert found == failures


def test_a_missing_toolchain_is_named() -> None:
    assert Language(name="go", tools=("no-such-program",)).lacks() == "no-such-program is not installed"
    assert [language.name for language in LANGUAGES] == ["python", "typescript", "go", "java"]


def test_the_table_has_every_client_and_says_below_what_went_wrong() -> None:
    console = Console(file=io.StringIO(), width=120)
    good = Outcome(language="python", results={"asyncio": {"a": True, "b": True}, "blocking": {"a": True, "b": True}})
    bad = Outcome(
        language="go",
        results={"": {"a": True, "b": False}},
        failures=[Failure(scenario="b", variant="", problem="step 1: at [0]: no")],
    )

    show(console, ["a", "b"], [good, bad, Outcome(language="java", skipped="mvn is not installed")])

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    row = next(line for line in shown.splitlines() if line.startswith("│ b"))
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["b", "ok", "ok", "failed", "skipped"]
    assert "go, b: step 1: at [0]: no" in shown
    assert "java skipped: mvn is not installed" in shown
    last = shown.splitlines()[-1]
    assert last == "scenarios: python asyncio 2/2, python blocking 2/2, go 1/2, java skipped"
