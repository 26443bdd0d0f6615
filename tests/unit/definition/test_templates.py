"""What templates render, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from execsvc.definition import Scope, Template, TemplateError, TemplateInvalid
from execsvc.definition.templates import render_all

INPUT: dict[str, Any] = {
    "s": "<a> & \"b\" 'c'",
    "n": 3,
    "f": 1.5,
    "t": True,
    "no": False,
    "nil": None,
    "list": [1, "x", None],
    "obj": {"z": 1, "a": {"b": 2}},
    "items": [{"name": "A", "tags": ["p", "q"]}, {"name": "B", "tags": []}],
}
NODES: dict[str, Any] = {"a": {"b": {"text": "plain"}}, "a.b": {"text": "dotted"}, "a-1": {"text": "dashed"}, "l": "hi"}


def render(source: str, input: Any = None) -> str:
    template = Template(source, NODES.keys())
    return template.render(Scope(input=INPUT if input is None else input, nodes=NODES, execution={"id": "e-1"}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no tags", "no tags"),
        ("{{input.s}}", INPUT["s"]),
        ("{{{input.s}}} {{&input.s}}", f"{INPUT['s']} {INPUT['s']}"),
        ("{{input.n}} {{input.f}} {{input.t}} {{input.no}}", "3 1.5 true false"),
        ("[{{input.nil}}{{input.missing}}{{input.obj.x.y}}{{nodes.skipped}}]", "[]"),
        ("{{input.list}} {{input.obj}}", '[1,"x",null] {"z":1,"a":{"b":2}}'),
        ("{{input.items.1.name}} {{input.items.9.name}}", "B "),
        ("{{#input.items}}{{name}}:{{#tags}}{{.}},{{/tags}}{{^tags}}-{{/tags}} {{/input.items}}", "A:p,q, B:- "),
        ("{{#input.items}}{{execution.id}} {{/input.items}}", "e-1 e-1 "),
        ("{{#input.obj}}{{a.b}}{{/input.obj}}", "2"),
        ("{{#input.t}}yes{{/input.t}}{{^input.no}}no{{/input.no}}", "yesno"),
        ("{{#nodes.skipped}}x{{/nodes.skipped}}{{^nodes.skipped}}skipped{{/nodes.skipped}}", "skipped"),
        ("{{! comment }}a", "a"),
        ("{{=<% %>=}}{{x}} <%input.n%>", "{{x}} 3"),
        ("{{#input.t}}\nline\n{{/input.t}}\n", "line\n"),
    ],
)
def test_rendering(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected", "ids"),
    [
        ("{{nodes.l}}", "hi", ("l",)),
        ("{{nodes.a-1.text}}", "dashed", ("a-1",)),
        ("{{nodes.a.b.text}}", "dotted", ("a.b",)),
        ("{{nodes.a.b}}", '{"text":"dotted"}', ("a.b",)),
        ("{{nodes.zz.text}}", "", ("zz",)),
    ],
)
def test_the_longest_id_is_the_node(source: str, expected: str, ids: tuple[str, ...]) -> None:
    assert render(source) == expected
    assert Template(source, NODES.keys()).node_ids == ids


@pytest.mark.parametrize(
    "source",
    [
        "{{input.__class__}}",
        "{{input.s.__class__.__mro__}}",
        "{{input.obj.keys}}",
        "{{#input.list}}{{__len__}}{{/input.list}}",
        "{{input.list.-1}}",
        "{{input.list.__getitem__}}",
        "{{nodes.l.format}}",
    ],
)
def test_python_objects_cannot_be_reached(source: str) -> None:
    assert render(source) == ""


@pytest.mark.parametrize("text", ["{{input.n}}", "{{>x}}", "{{#a}}", "%>"])
def test_values_are_not_templates(text: str) -> None:
    assert render("{{input.x}}", {"x": text}) == text


@pytest.mark.parametrize(
    ("source", "reason", "text"),
    [
        ("{{x}}", "TEMPLATE_UNKNOWN_NAME", "unknown variable 'x'; templates see input, nodes, execution"),
        ("a\n\n{{inptu.x}}", "TEMPLATE_UNKNOWN_NAME", "line 3"),
        ("{{#input.a}}{{x}}{{/input.a}}{{x}}", "TEMPLATE_UNKNOWN_NAME", "'x'"),
        ("{{^input.a}}{{x}}{{/input.a}}", "TEMPLATE_UNKNOWN_NAME", "'x'"),
        ("{{.}}", "TEMPLATE_UNKNOWN_NAME", "section"),
        ("{{nodes}}", "TEMPLATE_UNKNOWN_NAME", "id"),
        ("{{>/etc/passwd}}", "TEMPLATE_UNSUPPORTED", "partials"),
        ("{{input.x", "TEMPLATE_SYNTAX", "unclosed"),
        ("{{}}", "TEMPLATE_SYNTAX", "empty"),
        ("{{ }}", "TEMPLATE_SYNTAX", "name"),
        ("{{input..x}}", "TEMPLATE_SYNTAX", "name"),
        ("{{{input.x}}", "TEMPLATE_SYNTAX", "closed"),
        ("{{= =}}x", "TEMPLATE_SYNTAX", "delimiters"),
        ("{{#input.a}}", "TEMPLATE_SYNTAX", "input.a"),
        ("{{#input.a}}{{/input.b}}", "TEMPLATE_SYNTAX", "input.b"),
        ("{{/input.a}}", "TEMPLATE_SYNTAX", "line 1"),
        ("{{input.a}}" * 1_001, "TEMPLATE_TOO_LARGE", "1000 tags"),
        ("{{=| |=}}" + "|!|" * 1_001, "TEMPLATE_TOO_LARGE", "1000 tags"),
        ("{{#input.a}}" * 40 + "{{/input.a}}" * 40, "TEMPLATE_TOO_LARGE", "32 levels"),
        ("x" * 262_145, "TEMPLATE_TOO_LARGE", "262144"),
    ],
)
def test_what_cannot_be_used_says_why(source: str, reason: str, text: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        Template(source)

    assert caught.value.reason == reason
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("source", "type"),
    [
        ("{{#input.a}}" * 5 + "{{.}}" + "{{/input.a}}" * 5, "TEMPLATE_TOO_EXPENSIVE"),
        ("{{#input.a}}{{#input.a}}{{/input.a}}{{/input.a}}", "TEMPLATE_TOO_EXPENSIVE"),
        ("{{#input.a}}{{input.s}}{{/input.a}}", "TEMPLATE_TOO_LARGE"),
        ("{{input.s}}" * 5, "TEMPLATE_TOO_LARGE"),
    ],
)
def test_output_and_work_are_bounded(source: str, type: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source, {"a": list(range(1_000)), "s": "x" * 1_000_000})

    assert caught.value.type == type


@pytest.mark.parametrize(
    ("source", "count", "type"),
    [
        ("{{input.s}}", 4, None),
        ("{{input.s}}", 5, "TEMPLATE_TOO_LARGE"),
        ("{{#input.a}}{{.}}{{/input.a}}", 14, None),
        ("{{#input.a}}{{.}}{{/input.a}}", 15, "TEMPLATE_TOO_EXPENSIVE"),
    ],
)
def test_templates_that_are_sent_together_are_bounded_together(source: str, count: int, type: str | None) -> None:
    templates = [Template(source)] * count
    scope = Scope(input={"a": ["x"] * 10_000, "s": "x" * 4_194_304}, nodes={}, execution={})

    if type is None:
        assert render_all(templates, scope) == [templates[0].render(scope)] * count
    else:
        with pytest.raises(TemplateError) as caught:
            render_all(templates, scope)
        assert caught.value.type == type


def test_data_alone_is_quoted_and_what_a_template_writes_itself_is_not() -> None:
    template = Template("a&{{input.v}}{{#input.l}}/{{.}}{{/input.l}}&secret:KEY", secrets=True)
    scope = Scope(input={"v": "x&y", "l": ["p/q", 1]}, nodes={}, execution={})

    text = template.render(scope, {"KEY": "k/1"}, quote=lambda value: value.replace("&", "%26").replace("/", "%2F"))

    assert text == "a&x%26y/p%2Fq/1&k/1"


def test_a_template_tells_all_that_it_writes_itself() -> None:
    template = Template("a{{input.v}}b{{#input.l}}c{{^input.m}}d{{/input.m}}{{/input.l}}secret:KEY", secrets=True)

    assert list(template.literals) == ["a", "b", "c", "d"]
