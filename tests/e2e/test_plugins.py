"""Node types of installed packages: found by their entry point, run by a server that has enabled them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, ServeProcess, end

Write = Callable[..., Path]
#: A module with one good plug-in, as docs/workflows.md shows it, and others that cannot be used.
ROOT = Path(__file__).parents[2]
ENTRY_POINTS = """[execsvc.nodes]
word_count = execsvc_plugin_for_tests:word_count
broken = execsvc_plugin_for_tests:gone
number = execsvc_plugin_for_tests:number
second_llm = execsvc_plugin_for_tests:second_llm
"""
BAD = """

number = 5
second_llm = NodePlugin(
    type=NodeType(name="llm", description="", config_schema={}, effect=False, compile=lambda config, builder: config),
    executor=WordCount,
)
"""
COUNT = {
    "nodes": [
        {"id": "start", "type": "input"},
        {"id": "count", "type": "word_count", "config": {"text": "input.text", "at_least": 2}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "start", "target": "count"}, {"source": "count", "target": "end"}],
}


def documented_plugin() -> str:
    """The module that docs/workflows.md shows."""
    page = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    return next(part for part in page.split("```python\n")[1:] if "NodePlugin" in part).split("```")[0]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of processes that have the package installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "execsvc_plugin_for_tests.py").write_text(documented_plugin() + BAD, encoding="utf-8")
    about = site / "execsvc_plugin_for_tests-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: execsvc-plugin-for-tests\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return {"PYTHONPATH": str(site)}


@pytest.fixture(scope="module")
def served(installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """Commands that talk to a server with the plug-in enabled."""
    database = tmp_path_factory.mktemp("plugins") / "test.db"
    server = ServeProcess(database, "--plugin", "word_count", env=installed)
    yield Cli(server.address)
    end(server.process)


def test_a_plug_in_runs_on_a_server_that_has_enabled_it(served: Cli, write: Write) -> None:
    done = served("submit", write(COUNT), "-i", '{"text": "three short words"}', "--id", "p-1", "--wait")

    assert (done.returncode, done.stdout) == (0, "3\n")
    node = next(node for node in served.json("show", "p-1")["nodes"] if node["node_id"] == "count")
    assert (node["type"], node["state"], node["attempt"]) == ("word_count", "COMPLETED", 1)
    assert "counted 3 words" in served("logs", "p-1", "--node", "count").stdout


def test_its_failures_are_those_of_any_node(served: Cli, write: Write) -> None:
    failed = served("submit", write(COUNT), "-i", '{"text": "one"}', "--wait")

    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].endswith("[TOO_FEW_WORDS]")


def test_its_config_is_checked_and_its_schema_told(served: Cli, write: Write) -> None:
    wrong = json.loads(json.dumps(COUNT))
    wrong["nodes"][1]["config"] = {"text": "input.text +", "at_most": 2}

    refused = served("submit", write(wrong))

    assert refused.returncode == 3
    assert "definition.nodes[1].config.at_most" in refused.stderr
    assert "[CEL_SYNTAX]" in refused.stderr
    assert "word_count  effect" in served("node-types").stdout
    (told,) = served.json("node-types", "word_count")["node_types"]
    assert (told["effect"], set(told["config_schema"]["properties"])) == (True, {"text", "at_least"})
    assert served("node-types", "none").returncode == 4
    assert "node:word_count" in served.json("info")["capabilities"]


def test_run_validate_and_graph_take_plug_ins_too(installed: dict[str, str], write: Write) -> None:
    cli, file = Cli(), write(COUNT)

    ran = cli("run", file, "-i", '{"text": "a b"}', "--plugin", "word_count", env=installed)
    assert (ran.returncode, ran.stdout) == (0, "2\n")
    assert cli("validate", file, env=installed | {"EXECSVC_PLUGIN": "word_count"}).returncode == 0
    assert cli("graph", file, "--plugin", "word_count", env=installed).returncode == 0
    assert "[UNKNOWN_NODE_TYPE]" in cli("validate", file, env=installed).stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nope", "no installed package has it in the entry points 'execsvc.nodes'; there are: broken, "),
        ("broken", "it does not load: AttributeError"),
        ("number", "it is no NodePlugin but a int"),
        ("second_llm", "there are two node types named 'llm'"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_told_on_one_line(
    installed: dict[str, str], tmp_path: Path, name: str, why: str
) -> None:
    done = Cli()(
        "serve", "--address", "127.0.0.1:0", "--db", tmp_path / "x.db", "--plugin", "word_count", "--plugin", name,
        env=installed,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("error: node plug-in ")
    assert done.stderr.count("\n") == 1
    assert name.removeprefix("second_") in done.stderr
    assert why in done.stderr
    assert not (tmp_path / "x.db").exists()
