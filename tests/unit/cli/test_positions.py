"""Paths lead to the line and column at which their value stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.cli.positions import position_of

TEXT = """{
  "nodes": [
    {"id": "a", "config": {"fields": {"odd key": 1, "x": [10, {"y": "]}"}]}}},
    {"id": "b", "data": {"expression": "1 +"}}
  ],
  "edges": []
}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", (1, 1)),
        (".nodes", (2, 12)),
        (".nodes[1]", (4, 5)),
        (".nodes[1].id", (4, 12)),
        ('.nodes[0].config.fields["odd key"]', (3, 50)),
        (".nodes[0].config.fields.x[1].y", (3, 69)),
        # Editors' exports keep the config in data.
        (".nodes[1].config.expression", (4, 40)),
        # As deep as there is something.
        (".nodes[0].config.missing", (3, 27)),
        (".nodes[7].id", (2, 12)),
        (".edges[0]", (6, 12)),
        (".nodes.x", (2, 12)),
    ],
)
def test_a_path_leads_to_its_value(path: str, place: tuple[int, int]) -> None:
    assert position_of(TEXT, path) == place


def test_of_a_key_that_stands_twice_the_last_counts_as_it_does_for_the_parser() -> None:
    assert position_of('{"a": 1, "a": 2}', "a") == (1, 15)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc]}\\,:", min_size=1), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 0, 3]), st.data())
def test_the_value_at_the_place_is_the_one_the_path_names(value: Any, indent: int | None, data: st.DataObject) -> None:
    text = json.dumps(value, indent=indent)
    path, here = "", value
    while isinstance(here, list | dict) and here and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if isinstance(key, str) and not key.isalpha():
            break
        path += f"[{key}]" if isinstance(key, int) else f".{key}"
        here = here[key]

    place = position_of(text, path)

    assert place is not None
    line, column = place
    rest = "\n".join([text.split("\n")[line - 1][column - 1 :], *text.split("\n")[line:]])
    assert json.JSONDecoder().raw_decode(rest)[0] == here
