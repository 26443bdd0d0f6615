"""Metrics follow the rules of Prometheus, and the page and the dashboard name what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from execsvc.definition import BUILTIN
from execsvc.engine import NodeChanged, RunEnded
from execsvc.metrics import Metrics
from execsvc.model import ErrorInfo, ExecutionState, NodeState
from execsvc.store import BatchDone

ROOT = Path(__file__).parents[2]
#: Every label, and about how many values it may have.
BOUNDED = {
    "code": "the 17 status codes of gRPC",
    "direction": "input and output",
    "method": "the methods of the API",
    "operation": "read and write",
    "python": "one",
    "reason": "kinds of storage errors",
    "service": "the services of the API",
    "state": "states of executions and nodes",
    "type": "node types that the operator has installed",
    "version": "one",
}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
#: Words of PromQL that are no metrics.
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}


def used() -> Metrics:
    """Metrics of a server on which everything has happened once."""
    metrics = Metrics(node_types=BUILTIN)
    for streaming in (False, True):
        observer = metrics.method("execsvc.v1.Service", f"Method{streaming}", streaming=streaming)
        observer.began(None, None)
        observer.ended(None, "OK", 0.1)
    batch = BatchDone(
        uids=(),
        changes=3,
        duration=0.1,
        wait=0.1,
        created=1,
        ended=(ExecutionState.STOPPED,),
        entries=2,
        failures=("STORAGE_FULL",),
    )
    metrics.batch_done(batch)
    return metrics


def ours(registry: CollectorRegistry) -> list[Metric]:
    """The families that are not the client library's."""
    text = generate_latest(registry).decode()
    return [family for family in text_string_to_metric_families(text) if family.name.startswith("execsvc_")]


def names(family: Metric) -> set[str]:
    """Names of a family's series."""
    return {family.name + suffix for suffix in SUFFIXES[family.type]}


FAMILIES = ours(used().registry)
BY_NAME = {name: family for family in FAMILIES for name in names(family)}


def labels(family: Metric) -> set[str]:
    """Labels of a family's series."""
    return {label for sample in family.samples for label in sample.labels} - {"le"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_metric_keeps_the_rules(family: Metric) -> None:
    assert re.fullmatch(r"execsvc(_[a-z]+)+", family.name)
    assert family.type in SUFFIXES
    assert {sample.name for sample in family.samples} == names(family)
    # The parser takes the suffix off; no other type may look like a counter, or like a part of a histogram.
    assert not family.name.endswith(("_total", "_sum", "_count", "_bucket", "_created"))
    assert family.documentation.endswith(".")
    assert family.documentation[0].isupper()
    assert not re.search(r"milli|micro|nano|minutes|hours|_ms|kilo|mega|percent", family.name)
    if re.search("duration|wait|latency", family.name):
        assert family.name.endswith("_seconds")
    assert labels(family) <= set(BOUNDED)
    assert not any(label in family.name.split("_") for label in labels(family))


def test_the_rules_have_something_to_hold_for() -> None:
    assert {family.type for family in FAMILIES} == {"counter", "gauge", "histogram"}
    assert {label for family in FAMILIES for label in labels(family)} == set(BOUNDED)


def test_buckets_go_up_to_infinity() -> None:
    for family in FAMILIES:
        bounds = [float(s.labels["le"]) for s in family.samples if s.name.endswith("_bucket")]
        if bounds:
            per_series = bounds[: bounds.index(float("inf")) + 1]
            assert per_series == sorted(per_series)
            assert len(per_series) <= 20


def test_the_stricter_format_parses_as_well() -> None:
    registry = used().registry
    parsed = list(parse_openmetrics(generate_openmetrics(registry).decode()))

    assert {family.name for family in FAMILIES} <= {f"{f.name}{'_info' * (f.type == 'info')}" for f in parsed}


def test_no_event_adds_a_series() -> None:
    metrics = used()
    before = series(metrics)
    error = ErrorInfo(type="X", message="x")
    for number in range(50):
        for state in NodeState:
            metrics.on_event(node_changed(f"e{number}", state, error))
        metrics.on_event(RunEnded(namespace="n", execution_id=f"e{number}", uid="u", state=ExecutionState.FAILED))

    assert series(metrics) == before


def series(metrics: Metrics) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return {(sample.name, frozenset(sample.labels.items())) for f in ours(metrics.registry) for sample in f.samples}


def node_changed(execution_id: str, state: NodeState, error: ErrorInfo | None) -> NodeChanged:
    return NodeChanged(
        namespace="n",
        execution_id=execution_id,
        uid=f"u-{execution_id}",
        node_id=f"node-{execution_id}",
        type="llm",
        state=state,
        attempt=1,
        duration=5,
        error=error,
        usage=None,
    )


def test_a_batch_that_failed_is_no_commit() -> None:
    metrics = Metrics(node_types=BUILTIN)
    failed = BatchDone(
        uids=(),
        changes=2,
        duration=5.0,
        wait=5.0,
        created=0,
        ended=(),
        entries=0,
        failures=("STORAGE_FULL", "INTERNAL"),
    )
    metrics.batch_done(failed)

    value = metrics.registry.get_sample_value
    assert value("execsvc_commit_changes_count") == 0
    assert value("execsvc_storage_errors_total", {"operation": "write", "reason": "STORAGE_FULL"}) == 1
    assert value("execsvc_storage_errors_total", {"operation": "write", "reason": "INTERNAL"}) == 1


def test_the_page_lists_exactly_what_there_is() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(execsvc_\w+)` \| (\w+) \|(.*?)\| \S", page, flags=re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", given))) for name, kind, given in rows}

    assert len(documented) == len(rows)
    assert documented == {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, labels(family))
        for family in FAMILIES
    }


def test_expressions_on_the_page_use_what_there_is() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `(\w+\(.*?|execsvc_\w+ .*?)`", page, flags=re.MULTILINE)

    assert len(shown) == 4
    for expression in shown:
        check(expression)


def panels() -> Iterator[dict[str, Any]]:
    """The panels of the dashboard."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "execsvc.json").read_text(encoding="utf-8"))
    yield from dashboard["panels"]


def expressions() -> list[tuple[str, str]]:
    """Each query of the dashboard, with its panel's title."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", ())]


def metrics_in(expression: str) -> set[str]:
    """Names of metrics that a PromQL expression uses."""
    rest = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", rest)) - WORDS


def labels_in(expression: str) -> set[str]:
    """Labels that a PromQL expression selects or groups by."""
    matchers = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    groups = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    return {*matchers, *(label.strip() for group in groups for label in group.split(","))}


def check(expression: str) -> None:
    """Fail unless every metric there is exists, with the labels it is asked for."""
    used_metrics = metrics_in(expression)
    assert used_metrics
    assert {name for name in used_metrics if name.startswith("execsvc_")} <= set(BY_NAME), expression
    others = {name for name in used_metrics if not name.startswith("execsvc_")}
    library = {sample.name for family in used().registry.collect() for sample in family.samples}
    assert others <= library, expression
    known = {label for name in used_metrics if name in BY_NAME for label in labels(BY_NAME[name])}
    assert labels_in(expression) - {"instance", "le"} <= known, expression


def test_the_scan_of_expressions_sees_names_and_labels() -> None:
    expression = 'sum by (le, type) (rate(a_total{x="1", y=~"$z"}[5m])) / on (q) b:c and d'

    assert metrics_in(expression) == {"a_total", "b:c", "d"}
    assert labels_in(expression) == {"le", "type", "x", "y", "q"}


@pytest.mark.parametrize(("title", "expression"), expressions(), ids=lambda value: str(value)[:40])
def test_the_dashboard_uses_what_there_is(title: str, expression: str) -> None:
    check(expression)


def test_the_dashboard_shows_every_metric() -> None:
    shown = {
        BY_NAME[name].name for _, expression in expressions() for name in metrics_in(expression) if name in BY_NAME
    }

    assert shown == {family.name for family in FAMILIES}


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "execsvc.json").read_text(encoding="utf-8"))
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}

    assert variables == {"datasource", "instance"}
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
