"""Programs that the README and the page of the clients show run as they are shown. Python's: tests/integration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.sdk.lab import Lab
from tests.sdk.toolchains import script, toolchain
from tests.support.pages import ROOT, Block, blocks
from tools.languages import named

#: Languages of blocks, and the clients they are of.
CLIENTS = {"ts": "typescript", "go": "go", "java": "java"}
SHOWN = [block for page in ("README.md", "docs/clients.md") for block in blocks(ROOT / page, *CLIENTS)]
#: Where pages say that the server is.
ADDRESS = "127.0.0.1:50051"

pytestmark = pytest.mark.timeout(2400)


def test_each_page_shows_each_language() -> None:
    assert sorted((block.path.name, block.language) for block in SHOWN) == sorted(
        (page, language) for page in ("README.md", "clients.md") for language in CLIENTS
    )
    assert [block for block in SHOWN if block.not_run or ADDRESS not in block.text] == []


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, id=str(block), marks=pytest.mark.xdist_group(CLIENTS[block.language])) for block in SHOWN],
)
def test_a_shown_program_runs(block: Block, lab: Lab, tmp_path: Path) -> None:
    (language,) = named([CLIENTS[block.language]])
    program = tmp_path / f"Program.{block.language}"
    program.write_text(block.text.replace(ADDRESS, lab.target), encoding="utf-8")
    shutil.copy(ROOT / "examples" / "triage.json", tmp_path)
    greet = next(found for found in blocks(ROOT / "README.md", "json") if found.workflow)
    (tmp_path / "greet.json").write_text(greet.text, encoding="utf-8")

    with toolchain(language):
        said = script(language, "run", program, cwd=tmp_path)

    assert "INFO execution completed" in said
    assert "COMPLETED" in said
    if block.path.name == "clients.md":
        assert said.splitlines()[-1] == "ILLEGAL_TRANSITION COMPLETED"
