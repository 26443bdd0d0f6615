"""The client of each language does what the scenarios say, and is a package that strangers can use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.lab import Lab
from tests.sdk.outcomes import run
from tests.sdk.scenarios import has_own_server, load
from tests.sdk.toolchains import script, toolchain
from tests.servers.front import INSTALLED
from tests.servers.places import EVERY_PLACE, PLACES
from tools.client_code import outputs
from tools.languages import LANGUAGES, ROOT, Language, environment

#: Scenarios that must fail.
WRONG = Path(__file__).with_name("wrong")

#: Whether there is time for all scenarios in all languages: `make sdk-test` takes it, and `make nightly`.
THOROUGH = os.environ.get("EXECSVC_THOROUGH") == "1"
#: Scenarios that need no server of their own, whose start takes most of the time of those that do; and two that do.
QUICK = frozenset(
    {scenario["name"] for scenario in load().scenarios if not has_own_server(scenario)} | {"tail-across-a-kill", "tls"}
)

#: Packages are built from nothing here, one at a time a language.
pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Iterator[Language]:
    """Each language whose toolchain is there."""
    found: Language = request.param
    with toolchain(found):
        yield found


def test_a_client_does_what_the_scenarios_say(language: Language, lab: Lab) -> None:
    if THOROUGH or language is LANGUAGES[0]:
        outcome = run(language, lab.url, lab.names())
    else:
        with Lab(only=QUICK) as quick:
            outcome = run(language, quick.url, quick.names())

    assert outcome.skipped == ""
    assert (outcome.failures, outcome.broken) == ([], "")


@pytest.mark.parametrize("place", [name for name in EVERY_PLACE if name != "sqlite"])
@pytest.mark.parametrize(
    "language", LANGUAGES if THOROUGH else LANGUAGES[:1], ids=lambda language: language.name, indirect=True
)
def test_a_client_does_the_same_on_postgres_and_on_two_servers_behind_one_address(
    language: Language, place: str
) -> None:
    if PLACES[place].servers > 1 and not INSTALLED:
        pytest.skip("there is no wheel of Envoy for this machine")
    with Lab(place=PLACES[place], only=frozenset() if THOROUGH else QUICK - {"tls"}) as lab:
        outcome = run(language, lab.url, lab.names())

    assert outcome.skipped == ""
    assert (outcome.failures, outcome.broken) == ([], "")


@pytest.mark.parametrize(
    "language", LANGUAGES if THOROUGH else LANGUAGES[:1], ids=lambda language: language.name, indirect=True
)
def test_a_runner_lets_nothing_pass_that_is_wrong(language: Language) -> None:
    wrong = {scenario["name"]: len(scenario["steps"]) - 1 for scenario in load(WRONG).scenarios}
    with Lab(scenarios=WRONG) as lab:
        outcome = run(language, lab.url, lab.names())

    # A runner that did not run has no results to look at.
    assert outcome.skipped == ""
    for variant in outcome.results:
        failed = {one.scenario: one.problem for one in outcome.failures if one.variant == variant}
        assert [name for name in wrong if name not in failed] == []
        early = {name: problem for name, problem in failed.items() if not problem.startswith(f"step {wrong[name]}: ")}
        assert early == {}


def test_a_package_is_built_and_used_from_outside_and_its_quick_start_runs(language: Language, lab: Lab) -> None:
    script(language, "check", EXECSVC_TARGET=lab.target)


#: What a field `note_of_tests` is called in generated code.
ACCESSORS = {"python": "note_of_tests", "typescript": "noteOfTests", "go": "NoteOfTests", "java": "getNoteOfTests"}


@pytest.fixture
def newer(language: Language, tmp_path: Path) -> Path:
    """Code generated from protos that have a field more in ExecutionStatus and in a node; below it as in the tree."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "protos", source / "protos")
    shutil.copy(ROOT / "buf.yaml", source)
    for name, message in (("execution", "ExecutionStatus"), ("workflow", "Node")):
        path = source / "protos" / "execsvc" / "v1" / f"{name}.proto"
        begin = f"message {message} {{\n"
        text = path.read_text(encoding="utf-8")
        assert begin in text
        path.write_text(text.replace(begin, f"{begin}  string note_of_tests = 900;\n"), encoding="utf-8")
    script(language, "generate", source, "--path", source / "protos" / "execsvc", "--output", tmp_path / "made")
    return tmp_path / "made"


@pytest.mark.parametrize(
    "language", LANGUAGES if THOROUGH else LANGUAGES[:1], ids=lambda language: language.name, indirect=True
)
def test_a_new_field_needs_nothing_but_generating(language: Language, newer: Path) -> None:
    files = [path for folder in outputs(language) for path in (newer / folder).rglob("*") if path.is_file()]

    assert any(ACCESSORS[language.name] in path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("language", [LANGUAGES[0]], ids=["python"], indirect=True)
def test_a_new_field_is_sent_and_read_with_the_layer_as_it_is(language: Language, newer: Path, tmp_path: Path) -> None:
    package = Path("clients/python/src/execsvc_client")
    shutil.copytree(ROOT / package, tmp_path / "execsvc_client", ignore=shutil.ignore_patterns("_gen"))
    shutil.copytree(newer / package / "_gen", tmp_path / "execsvc_client" / "_gen")
    code = """
from execsvc_client import ExecutionStatus, to_definition, v1

status = v1.ExecutionStatus(execution_id="e", note_of_tests="read")
node = to_definition({"nodes": [{"id": "a", "type": "output", "note_of_tests": "sent"}]}).nodes[0]
print(ExecutionStatus.from_proto(v1.ExecutionStatus.FromString(status.SerializeToString())).raw.note_of_tests,
      node.note_of_tests)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == ["read", "sent"], done.stderr
