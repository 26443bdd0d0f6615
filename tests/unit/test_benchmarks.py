"""What the benchmarks reckon with: summaries, goals, known graphs, and databases filled with copies."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import disk, logs, report
from benchmarks.__main__ import NAMES
from benchmarks.figures import median, percentile, ratios, spread
from benchmarks.makespan import Dag, shapes
from benchmarks.nodes import SHAPES, plan
from benchmarks.report import Goal, kept_goals, markdown
from benchmarks.shape import DEFINITION
from benchmarks.stream import keep, kept
from execsvc.definition import parse_definition
from execsvc_client import v1
from tests.support.processes import ROOT


def goal(measured: float, limit: float, *, at_least: bool = True, unit: str = "") -> Goal:
    return Goal(question="q", reference="r", measured=measured, limit=limit, at_least=at_least, unit=unit)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([3.0], 99, 3.0), ([4.0, 1.0, 3.0, 2.0], 50, 2.0), ([1.0, 2.0, 3.0, 4.0], 51, 3.0), ([1.0, 2.0], 100, 2.0)]
    + [([float(n) for n in range(1, 101)], p, float(p)) for p in (1, 50, 99)],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_ratios_are_taken_round_by_round_so_that_a_slow_round_changes_nothing() -> None:
    assert median(ratios([300, 30, 300], [200, 20, 200])) == 1.5


def test_ratios_of_rounds_that_do_not_match_are_an_error() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


def test_a_spread_shows_the_middle_and_both_ends() -> None:
    assert spread([1200.4, 3.0, 2.0]) == "3 (2 to 1,200)"
    assert spread([0.0012, 0.0034, 0.0029], digits=1, scale=1000) == "2.9 (1.2 to 3.4)"


@pytest.mark.parametrize(
    ("found", "met"),
    [
        (goal(1.5, 1.5), True),
        (goal(1.497, 1.5), True),
        (goal(1.49, 1.5), False),
        (goal(1.2, 1.3, at_least=False), True),
        (goal(1.31, 1.3, at_least=False), False),
    ],
)
def test_a_goal_is_met_if_the_figure_as_printed_meets_it(found: Goal, met: bool) -> None:
    assert found.met is met
    assert found.cells[-1] == ("yes" if met else "no")


def test_a_report_keeps_its_figures_and_goals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    goals = [goal(2.345, 3, at_least=False, unit="ms"), goal(1234.5, 2000, unit="/s")]
    report.report("some", "Title", ("what", "value"), [("a", "1")], {"a": [1.0]}, goals)
    document = json.loads((tmp_path / "results" / "some.json").read_text())
    assert document["figures"] == {"a": [1.0]}
    assert [kept["met"] for kept in document["goals"]] == [True, False]
    assert kept_goals("some") == goals
    assert kept_goals("other") == []
    assert markdown(goals).splitlines()[2:] == [
        "| q | r | ≤ 3.00 ms | 2.35 ms | yes |",
        "| q | r | ≥ 2,000 /s | 1,234 /s | no |",
    ]


def test_the_critical_path_is_the_longest_way_through() -> None:
    durations = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}
    dag = Dag(durations, {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
    assert dag.critical_path() == 7.0
    assert dag.last() == ["d"]


@pytest.mark.parametrize("name", shapes(1.0))
def test_a_shape_is_a_graph_without_cycles_and_the_same_each_time(name: str) -> None:
    dag = shapes(1.0)[name]
    order = list(dag.durations)
    assert order == list(dag.needs)
    assert all(order.index(need) < order.index(node) for node, needs in dag.needs.items() for need in needs)
    assert dag == shapes(1.0)[name]


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_has_a_module_and_its_place_in_the_docs(name: str) -> None:
    assert importlib.util.find_spec(f"benchmarks.{name}") is not None
    assert f"`{name}`" in (ROOT / "docs" / "performance.md").read_text()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_a_plan_has_as_many_nodes_as_it_says_all_of_one_kind_but_the_output(shape: str, size: int) -> None:
    definition = parse_definition(plan(shape, size))
    kinds = {node.type for node in definition.nodes}
    assert len(definition.nodes) == size
    assert len(kinds) == (1 if size == 1 else 2)


@pytest.mark.parametrize("document", [DEFINITION, disk.chain(5), logs.chain(3, 0.1), logs.chain(1, 0)])
def test_what_is_measured_is_a_valid_workflow(document: dict[str, Any]) -> None:
    assert parse_definition(document).nodes


def test_kept_responses_are_read_as_they_were(tmp_path: Path) -> None:
    responses = [
        v1.StreamLogsResponse(entries=[v1.LogEntry(sequence=sequence, message="m" * sequence)], last_sequence=sequence)
        for sequence in (1, 300)
    ]
    keep(responses, tmp_path / "kept")
    assert kept(tmp_path / "kept") == responses
