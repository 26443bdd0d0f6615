"""Licences, the bill of materials and the audit: held against the lock files, and able to fail."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.audit import answers, vulnerable
from tools.components import Component, components
from tools.licences import Licences, problems
from tools.sbom import bill

ONE = Component(language="python", name="somebody-new", version="1.0", part="server")


def test_every_package_that_comes_along_is_listed_and_its_licence_is_taken() -> None:
    assert list(problems()) == []


def test_the_locks_of_every_language_are_read() -> None:
    found = components()

    assert {one.language for one in found} == {"python", "npm", "go", "java"}
    assert {"langgraph", "psycopg", "pyjwt", "@connectrpc/connect", "google.golang.org/grpc", "io.grpc:grpc-stub"} <= {
        one.name for one in found
    }
    assert all(one.hashes for one in found if one.language == "python")
    assert all("$" not in one.version for one in found)
    # Tools of the tests do not come along.
    assert not {"pytest", "typescript", "mypy"} & {one.name for one in found}


@pytest.mark.parametrize(
    ("licence", "taken"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
    ],
)
def test_only_permissive_licences_are_taken(licence: str, taken: bool) -> None:
    licences = Licences.read()
    listed = replace(licences, of={**licences.of, "python": {ONE.name: licence}})

    told = [line for line in problems([ONE], listed) if line.startswith(ONE.name)]

    assert (told == []) is taken


def test_a_package_that_is_not_listed_is_told() -> None:
    told = [line for line in problems([ONE]) if line.startswith(ONE.name)]

    assert len(told) == 1
    assert "is not in licences.toml" in told[0]


def test_a_list_that_contradicts_the_package_itself_is_told() -> None:
    licences = Licences.read()
    wrong = replace(licences, of={**licences.of, "python": {**licences.of["python"], "anyio": "ISC", "rich": "ISC"}})

    told = list(problems(licences=wrong))

    assert [line.partition(" ")[0] for line in told] == ["anyio", "rich"]


def test_what_does_not_come_along_any_more_and_needless_exceptions_are_told() -> None:
    licences = Licences.read()
    wrong = replace(
        licences,
        of={**licences.of, "go": {**licences.of["go"], "example.com/gone": "MIT"}},
        exceptions={**licences.exceptions, "rich": "why"},
    )

    told = list(problems(licences=wrong))

    assert [line.partition(" ")[0].rstrip(":") for line in told] == ["rich", "example.com/gone"]


def test_the_bill_of_materials_is_valid_whole_and_the_same_each_time() -> None:
    found = components()
    text = bill(found)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert {one["purl"] for one in document["components"]} == {one.purl for one in found}
    assert all(one["licenses"] for one in document["components"])
    assert text == bill(components())


def test_a_known_vulnerability_is_told_and_an_unknown_package_is_no_clean_bill() -> None:
    bad = {"name": "a", "version": "1", "vulns": [{"id": "X-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}]}
    unknown = {"name": "b", "skip_reason": "not found"}

    assert vulnerable([bad, unknown]) == ["a 1: X-1, mended in 2"]
    assert answers(json.dumps({"dependencies": [unknown, unknown]})) is None
    assert answers("no connection") is None
    assert answers(json.dumps({"dependencies": [unknown, bad]})) == [unknown, bad]
