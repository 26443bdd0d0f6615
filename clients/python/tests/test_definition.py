"""Definitions in their JSON form: what is read, and how problems are named."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from execsvc_client import DefinitionError, InvalidArgument, to_definition, v1
from execsvc_client._values import MAX_DEPTH


def problems_of(definition: Any) -> dict[str, str]:
    """Return reason by path."""
    with pytest.raises(DefinitionError) as caught:
        to_definition(definition)
    return {problem.path: problem.reason for problem in caught.value.field_violations}


def one_node(**node: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "n", **node}]}


FULL = {
    "nodes": [
        {"id": "in", "type": "input", "config": {"schema": {"type": "object"}, "defaults": {"n": 3}}},
        {
            "id": "ask",
            "name": "Ask",
            "type": "llm",
            "config": {
                "model": "echo:",
                "messages": [{"role": "user", "content": "{{input.text}}"}],
                "system": "short",
                "parameters": {"temperature": 0.5, "stop": ["x"]},
                "response_schema": {"type": "object"},
                "base_url": "http://localhost:1/v1",
                "api_key": "secret:KEY",
                "headers": {"X-Team": "a"},
            },
            "retry": {
                "max_attempts": 3,
                "initial_backoff": 0.5,
                "multiplier": 2,
                "max_backoff": "1.5s",
                "non_retryable": ["A"],
            },
            "timeout": timedelta(minutes=1),
            "on_error": {"action": "continue", "fallback": {"a": [None]}},
        },
        {
            "id": "which",
            "type": "condition",
            "config": {"cases": [{"branch": "a", "expression": "true"}], "default_branch": "b"},
        },
        {"id": "sum", "type": "transform", "config": {"fields": {"x": "1"}}},
        {"id": "out", "type": "output"},
        {
            "id": "call",
            "type": "http",
            "config": {
                "method": "POST",
                "url": "https://api.example/{{input.id}}",
                "query": {"q": "{{input.q}}"},
                "headers": {"X-Team": "a"},
                "json": "input",
                "form": {"f": "1"},
                "body": "x",
                "expected_status": ["2xx", "409"],
                "max_redirects": 2,
                "response_format": "json",
            },
        },
        {"id": "own", "type": "acme.score", "config": {"limit": 3}},
    ],
    "edges": [{"source": "which", "target": "sum", "branch": "a"}],
}


def full_message() -> v1.WorkflowDefinition:
    ask = v1.Node(
        id="ask",
        name="Ask",
        llm=v1.LlmNode(
            model="echo:",
            messages=[v1.LlmMessage(role="user", content="{{input.text}}")],
            system="short",
            base_url="http://localhost:1/v1",
            api_key="secret:KEY",
            headers={"X-Team": "a"},
        ),
        retry=v1.RetryPolicy(max_attempts=3, multiplier=2, non_retryable=["A"]),
        on_error=v1.OnError(action=v1.OnError.ACTION_CONTINUE),
    )
    ask.llm.parameters.update({"temperature": 0.5, "stop": ["x"]})
    ask.llm.response_schema.update({"type": "object"})
    ask.retry.initial_backoff.FromMilliseconds(500)
    ask.retry.max_backoff.FromMilliseconds(1500)
    ask.timeout.FromSeconds(60)
    ask.on_error.fallback.struct_value.update({"a": [None]})
    source = v1.Node(id="in", input=v1.InputNode())
    source.input.schema.update({"type": "object"})
    source.input.defaults.update({"n": 3})
    call = v1.HttpNode(
        method="POST",
        url="https://api.example/{{input.id}}",
        query={"q": "{{input.q}}"},
        headers={"X-Team": "a"},
        json="input",
        form={"f": "1"},
        body="x",
        expected_status=["2xx", "409"],
        max_redirects=2,
        response_format="json",
    )
    own = v1.Node(id="own", custom=v1.CustomNode(type="acme.score"))
    own.custom.config.update({"limit": 3})
    cases = [v1.ConditionCase(branch="a", expression="true")]
    return v1.WorkflowDefinition(
        nodes=[
            source,
            ask,
            v1.Node(id="which", condition=v1.ConditionNode(cases=cases, default_branch="b")),
            v1.Node(id="sum", transform=v1.TransformNode(fields={"x": "1"})),
            v1.Node(id="out", output=v1.OutputNode()),
            v1.Node(id="call", http=call),
            own,
        ],
        edges=[v1.Edge(source="which", target="sum", branch="a")],
    )


def test_every_field_of_the_json_form_is_read() -> None:
    assert to_definition(FULL) == full_message()


def test_the_examples_above_use_every_field_there_is() -> None:
    """A field added to the API must be added to FULL, or nothing shows that it is read."""

    def names(message: Any) -> set[str]:
        found = set()
        for field, value in message.ListFields():
            found.add(field.full_name)
            if field.message_type is None or not field.message_type.full_name.startswith("execsvc."):
                continue
            if field.message_type.GetOptions().map_entry:
                continue
            for item in value if field.is_repeated else [value]:
                found |= names(item)
        return found

    extra = to_definition(
        {
            "nodes": [
                {"id": "a", "type": "condition", "config": {"expression": "true"}},
                {"id": "b", "type": "transform", "config": {"expression": "1"}},
                {"id": "c", "type": "output", "config": {"expression": "1"}},
                {"id": "d", "type": "llm", "config": {"prompt": "x"}},
            ]
        }
    )
    messages = [
        message
        for message in v1.WorkflowDefinition.DESCRIPTOR.file.message_types_by_name.values()
        if not message.GetOptions().map_entry
    ]
    every = {field.full_name for message in messages for field in message.fields}

    assert names(full_message()) | names(extra) == every


def test_a_message_is_taken_as_it_is() -> None:
    message = full_message()

    assert to_definition(message) is message


def test_text_and_files_are_read_like_mappings(tmp_path: Path) -> None:
    source = {"nodes": [{"id": "ü", "type": "output"}], "edges": []}
    file = tmp_path / "workflow.json"
    file.write_text("\ufeff" + json.dumps(source, ensure_ascii=False), encoding="utf-8")

    assert to_definition(json.dumps(source)) == to_definition(source) == to_definition(file)


def test_a_react_flow_export_is_read() -> None:
    export = {
        "nodes": [
            {
                "id": "in",
                "type": "input",
                "position": {"x": 0, "y": 1.5},
                "measured": {"width": 10, "height": 10},
                "selected": False,
                "dragging": False,
                "data": {"label": "Start", "defaults": {"n": 1}},
            },
            {
                "id": "if",
                "type": "condition",
                "position": {"x": 1, "y": 1},
                "data": {"label": "n > 0?", "expression": "input.n > 0", "timeout": 2},
            },
            {"id": "out", "type": "output", "position": {"x": 2, "y": 1}, "data": {}},
        ],
        "edges": [
            {"id": "e1", "source": "in", "target": "if", "sourceHandle": None, "targetHandle": None, "animated": True},
            {"id": "e2", "source": "if", "target": "out", "sourceHandle": "true", "type": "smoothstep", "data": {}},
        ],
        "viewport": {"x": 0, "y": 0, "zoom": 1},
    }
    plain = {
        "nodes": [
            {"id": "in", "name": "Start", "type": "input", "config": {"defaults": {"n": 1}}},
            {
                "id": "if",
                "name": "n > 0?",
                "type": "condition",
                "config": {"expression": "input.n > 0"},
                "timeout": 2,
            },
            {"id": "out", "type": "output"},
        ],
        "edges": [{"source": "in", "target": "if"}, {"source": "if", "target": "out", "branch": "true"}],
    }

    assert to_definition(export) == to_definition(plain)


@pytest.mark.parametrize(
    ("span", "seconds", "nanos"),
    [
        (2, 2, 0),
        (1.5, 1, 500_000_000),
        ("1.5s", 1, 500_000_000),
        ("90s", 90, 0),
        ("200ms", 0, 200_000_000),
        ("2m", 120, 0),
        ("1.5h", 5400, 0),
        ("7us", 0, 7_000),
        (timedelta(milliseconds=1), 0, 1_000_000),
        (0, 0, 0),
        (-1.5, -1, -500_000_000),
    ],
)
def test_durations_are_seconds_timedeltas_or_text(span: object, seconds: int, nanos: int) -> None:
    node = to_definition(one_node(type="output", timeout=span)).nodes[0]

    assert node.HasField("timeout")
    assert (node.timeout.seconds, node.timeout.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    "span", ["1.5", "1d", "s", "", "nans", "1e999s", "-1s", True, [], float("nan"), 1e300, "9" * 50 + "s"]
)
def test_what_is_no_duration_says_what_would_be(span: object) -> None:
    assert problems_of(one_node(type="output", timeout=span)) == {"definition.nodes[0].timeout": "INVALID_DURATION"}


def test_every_problem_is_reported_at_once_with_its_path() -> None:
    definition = {
        "nodes": [
            {"id": 3, "type": "acme.score", "config": {"limit": float("inf")}},
            "nothing",
            {"id": "a", "type": "llm", "confg": {}, "config": {"promt": "x", "parameters": {"t": float("nan")}}},
            {"id": "b", "config": {}},
            {"id": "c", "type": "transform", "config": {"fields": {"x": 1}}},
            {"id": "d", "type": "llm", "config": {"messages": [{"role": "user"}, {"role": 1}], "model": None}},
            {"id": "e", "type": "output", "config": [], "retry": {"max_attempts": 1.5, "multiplier": "2"}},
            {"id": "f", "type": "output", "on_error": {"action": "explode"}, "config": {}, "data": {}},
            {"id": "g\ud800", "type": "output", "on_error": {"action": "continue", "fallback": 2**60 + 1}},
        ],
        "edges": [{"source": "a", "from": "b"}, {"branch": "x", "sourceHandle": "y"}],
        "extra": 1,
    }

    assert problems_of(definition) == {
        "definition.extra": "UNKNOWN_FIELD",
        "definition.nodes[0].config.limit": "NOT_FINITE",
        "definition.nodes[0].id": "WRONG_TYPE",
        "definition.nodes[1]": "WRONG_TYPE",
        "definition.nodes[2].confg": "UNKNOWN_FIELD",
        "definition.nodes[2].config.promt": "UNKNOWN_FIELD",
        "definition.nodes[2].config.parameters.t": "NOT_FINITE",
        "definition.nodes[3].type": "REQUIRED",
        "definition.nodes[4].config.fields.x": "WRONG_TYPE",
        "definition.nodes[5].config.messages[1].role": "WRONG_TYPE",
        "definition.nodes[6].config": "WRONG_TYPE",
        "definition.nodes[6].retry.max_attempts": "OUT_OF_RANGE",
        "definition.nodes[6].retry.multiplier": "WRONG_TYPE",
        "definition.nodes[7].on_error.action": "UNKNOWN_VALUE",
        "definition.nodes[7].data": "CONFLICT",
        "definition.nodes[8].id": "INVALID_UNICODE",
        "definition.nodes[8].on_error.fallback": "INEXACT_INTEGER",
        "definition.edges[0].from": "UNKNOWN_FIELD",
        "definition.edges[1].sourceHandle": "CONFLICT",
    }


@pytest.mark.parametrize("definition", [None, 3, [], {"nodes": 3}, {"edges": "x"}, {"nodes": {"a": 1}}])
def test_what_is_no_definition_at_all_is_refused(definition: Any) -> None:
    assert set(problems_of(definition).values()) == {"WRONG_TYPE"}


def test_json_errors_name_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"nodes": [\n  {"id": "a",}\n]}')
    binary = tmp_path / "latin1.json"
    binary.write_bytes(b'{"nodes":\n\n "\xe4"}')

    # Python 3.13 points at the comma, earlier ones behind it.
    assert list(problems_of(file)) in ([f"{file}:2:13"], [f"{file}:2:14"])
    assert problems_of(binary) == {f"{binary}:3": "INVALID_UNICODE"}
    assert problems_of('{"nodes": [}') == {"definition:1:12": "INVALID_JSON"}


def test_a_path_given_as_text_says_how_to_read_a_file() -> None:
    with pytest.raises(DefinitionError, match=r"pathlib\.Path"):
        to_definition("workflow.json")


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        to_definition(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"nodes": [' + "9" * 5000 + "]}", "NaN"])
def test_hostile_text_is_a_definition_error(text: str) -> None:
    assert problems_of(text)


@pytest.mark.parametrize("level", [lambda inner: {"k": inner}, lambda inner: [inner]])
def test_the_deepest_value_allowed_can_be_sent_and_one_level_more_is_refused(level: Any) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels):
            value = level(value)
        return one_node(type="llm", config={"parameters": {"p": value}})

    fits = v1.ExecuteRequest(definition=to_definition(nested(MAX_DEPTH - 1)))
    assert v1.ExecuteRequest.FromString(fits.SerializeToString()) == fits
    assert set(problems_of(nested(MAX_DEPTH)).values()) == {"TOO_DEEP"}
    assert set(problems_of(nested(50_000)).values()) == {"TOO_DEEP"}


def test_a_definition_error_is_an_invalid_argument() -> None:
    with pytest.raises(InvalidArgument, match=r"definition\.nodes\[0\]\.type: is required: one of condition") as caught:
        to_definition(one_node())
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
