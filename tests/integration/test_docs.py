"""What the documentation shows runs as it is shown: workflows, Python, and command lines, against a real server."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
import sys
import tomllib
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from execsvc.cli.program import app, main
from execsvc_client import AsyncExecutionClient, ExecutionClient
from tests.integration.conftest import StartServer
from tests.servers.answers import answering, sends
from tests.support.pages import DOCS, PAGES, ROOT, Block, all_blocks, blocks

WORKFLOWS = [block for block in all_blocks("json") if block.workflow]
PYTHON = all_blocks("python")
SHELL = all_blocks("sh")
SESSIONS = [path for path in PAGES if any(block.not_run is None for block in blocks(path, "sh"))]
#: Where pages say that the server is.
ADDRESS = "127.0.0.1:50051"


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder, with the files that pages speak of, as the working directory."""
    folder = tmp_path / "reader"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "triage.json", folder)
    shutil.copy(ROOT / "examples" / "triage.input.json", folder / "ticket.json")
    greet = next(block for block in blocks(ROOT / "README.md", "json") if block.workflow)
    (folder / "greet.json").write_text(greet.text, encoding="utf-8")
    for path in folder.iterdir():
        delay(path, 0.01)
    monkeypatch.chdir(folder)
    return folder


def delay(path: Path, seconds: float) -> None:
    """Let the offline models of a workflow take so long."""
    path.write_text(re.sub(r'"delay": [\d.]+', f'"delay": {seconds}', path.read_text(encoding="utf-8")))


@pytest.fixture
async def address(start_server: StartServer) -> AsyncIterator[str]:
    """A server's address."""
    async with start_server():
        yield start_server.address


def test_pages_and_blocks_of_every_kind_are_found() -> None:
    assert {"README.md", "workflows.md", "expressions.md"} <= {block.path.name for block in WORKFLOWS}
    assert len(WORKFLOWS) > 10
    assert len(PYTHON) > 10
    assert len(SHELL) > 8
    assert sum(len(block.examples) for block in WORKFLOWS) > len(WORKFLOWS) - 2


def test_what_is_not_run_is_little_and_says_why() -> None:
    everything = [block for block in all_blocks() if block.not_run is not None]

    assert all(len((block.not_run or "").split()) > 3 for block in everything)
    runners = {name for block in everything for name in re.findall(r"tests/[\w/]+\.py", block.not_run or "")}
    assert [name for name in runners if not (ROOT / name).exists()] == []
    assert [block for block in everything if block.workflow] == []
    assert len([block for block in everything if block.language == "python"]) <= 1


@pytest.mark.parametrize("block", WORKFLOWS, ids=str)
async def test_a_shown_workflow_gives_what_is_said_of_it(block: Block, client: AsyncExecutionClient) -> None:
    assert block.workflow
    assert block.examples, 'say "On the input `…` its output is `…`" in the paragraph after it'
    async with answering(sends(block.answer, Content_Type="application/json")) as server:
        for given, output in block.examples:
            status = await client.execute(offline(block.workflow, server.url), given)
            execution = await client.wait(status.execution_id, timeout=30)

            assert (execution.state, execution.output) == ("COMPLETED", output), execution.error


def offline(workflow: dict[str, Any], server: str) -> dict[str, Any]:
    """The same workflow with echo: in place of every model, at once, and one server in place of all."""

    def here(node: dict[str, Any]) -> dict[str, Any]:
        match node["type"]:
            case "llm":
                return node | {"config": {**node["config"], "model": "echo:", "parameters": {}}}
            case "http":
                url = re.sub(r"^https://[^/]+", server, node["config"]["url"])
                return node | {"config": {**node["config"], "url": url}}
        return node

    return workflow | {"nodes": [here(node) for node in workflow["nodes"]]}


@pytest.mark.parametrize("block", PYTHON, ids=str)
async def test_shown_python_runs(block: Block, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = compile(block.text.replace(ADDRESS, address), str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if block.not_run is not None:
        return
    async with AsyncExecutionClient(address) as started:
        done = await started.execute(folder / "triage.json", {"subject": "a", "text": "b"})
        endless = await started.execute(ENDLESS)
        async for snapshot in started.watch(endless.execution_id):
            if snapshot.status.running_nodes:
                break
    with ExecutionClient(address) as client:
        scope = {"client": client, "status": done, "execution_id": endless.execution_id, "definition": ENDLESS}
        # Dataclasses look their module up.
        module = types.ModuleType("shown_on_a_page")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        vars(module).update(scope)
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, vars(module))
        else:
            await asyncio.to_thread(exec, code, vars(module))


#: An llm node that runs until it is stopped.
ENDLESS: dict[str, Any] = {
    "nodes": [
        {"id": "slow", "type": "llm", "config": {"model": "echo:", "prompt": "a b", "parameters": {"delay": 3600}}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "slow", "target": "end"}],
}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_shown_command_exists_with_all_its_options(block: Block) -> None:
    for words in block.commands():
        if words[0] == "execsvc":
            parse(words[1 : words.index(">") if ">" in words else None])
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        else:
            assert block.not_run is not None, f"{words[0]} is not run here; say why in a comment before the block"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_named_in_the_text_exists(path: Path) -> None:
    root = typer.main.get_command(app)
    names = set(root.commands)  # type: ignore[attr-defined]

    named = re.findall(r"`execsvc ([a-z][\w-]*)", path.read_text(encoding="utf-8"))
    assert set(named) <= names
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8"))) <= targets


def parse(words: list[str]) -> None:
    """Parse a command line down to the last subcommand, without running it."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("execsvc", list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: str(path.relative_to(ROOT)))
async def test_shown_commands_run_one_after_the_other(
    path: Path, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXECSVC_TARGET", address)
    for block in blocks(path, "sh"):
        for words in block.commands():
            # The server is there already, and what needs one that does not end is told by the server's own tests.
            if block.not_run is not None or words[0] != "execsvc" or words[1] == "serve":
                continue
            arguments = words[1 : words.index(">") if ">" in words else None]
            code = await asyncio.to_thread(main, arguments)
            printed = capsys.readouterr()
            assert code == 0, f"{block}: {' '.join(words)}: {printed.err}"
            if words[1] == "watch":
                # What is submitted next is paused and resumed, and must still run then, however slow this machine is.
                delay(folder / "greet.json", 600)
            if ">" in words:
                (folder / words[-1]).write_text(printed.out, encoding="utf-8")


def test_shown_settings_of_other_programs_parse() -> None:
    for block in all_blocks("toml"):
        assert tomllib.loads(block.text), block
    for block in all_blocks("yaml"):
        assert yaml.safe_load(block.text), block


def test_no_block_is_in_a_language_that_nothing_checks() -> None:
    shown = {block.language for path in DOCS.rglob("*.md") for block in blocks(path) if block.not_run is None}

    # Those of the clients: tests/sdk/test_shown_programs.py.
    clients = {"go", "java", "ts"}
    assert shown <= {"json", "python", "sh", "toml", "yaml", "mermaid", "text", *clients}
