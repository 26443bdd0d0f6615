"""Options become spans, limits and filters, or say what would be right."""

from __future__ import annotations

import pytest
import typer

from execsvc.cli.failures import CliError
from execsvc.cli.options import State, parse_retry
from execsvc.cli.selection import selection
from execsvc.cli.spans import parse_span
from execsvc.model.filters import All, AnyOf, Comparison
from execsvc.service.filters import parse_filter


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
    ],
)
def test_a_span_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "0", "0d", "-1s", "5 days", "d", "1y", "1e3", "٣s", "999999999w"])
def test_what_is_no_span_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="30d"):
        parse_span(text)


def test_a_retry_policy_is_what_was_said_and_nothing_more() -> None:
    assert parse_retry(None, None) is None
    assert parse_retry(3, None) == {"max_attempts": 3}
    assert parse_retry(3, "0.5") == {"max_attempts": 3, "initial_backoff": 0.5}
    assert parse_retry(3, "200ms") == {"max_attempts": 3, "initial_backoff": "200ms"}
    with pytest.raises(CliError, match="--retry-attempts"):
        parse_retry(None, "1")


def test_options_are_put_together_into_a_filter_that_means_all_of_them() -> None:
    written = selection(
        filter="priority > 5 AND state = FAILED",
        states=[State.FAILED, State.STOPPED],
        workflow='odd "name"',
        labels={"cost:team": "a\\b"},
        ended_before="2026-01-31T00:00:00Z",
    )

    read = parse_filter(written)
    assert isinstance(read, All)
    states, workflow, label, ended, own = read.parts
    assert isinstance(states, AnyOf)
    assert [part.value for part in states.parts if isinstance(part, Comparison)] == ["FAILED", "STOPPED"]
    assert isinstance(workflow, Comparison)
    assert workflow.value == 'odd "name"'
    assert isinstance(label, Comparison)
    assert (label.label, label.value) == ("cost:team", "a\\b")
    assert isinstance(ended, Comparison)
    assert ended.field == "end_time"
    assert isinstance(own, All)
    assert len(own.parts) == 2


def test_a_filter_alone_stays_as_it_was_typed() -> None:
    assert selection(filter="stat = 1") == "stat = 1"
    assert selection() == ""
    assert selection(states=[State.FAILED]) == "state = FAILED"
