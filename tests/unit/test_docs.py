"""What the documentation says is so: reasons, limits, exit codes, commands, links. Others run what it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from execsvc import errors
from execsvc.cli.exit_codes import MEANINGS, ExitCode
from execsvc.cli.program import app
from execsvc.config import CONFIG_VARIABLE, SETTINGS
from execsvc.definition import BUILTIN
from execsvc.service import Limits
from tests.support.pages import DOCS, PAGES, ROOT, blocks

REASON = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|CYCLE|REQUIRED|CONFLICT|UNREADABLE|INTERNAL|UNKNOWN|USAGE")
#: Calls whose arguments name reasons, and what has the form of a reason there but is none.
CALLS = {
    "CliError",
    "ErrorInfo",
    "ExpressionError",
    "ExpressionInvalid",
    "FieldProblem",
    "NodeError",
    "Problem",
    "TemplateError",
    "TemplateInvalid",
    "_invalid",
    "_refuse",
    "_Refused",
    "add",
    "problem",
}
#: Raised where the command line meets the client, in no way that the scan below would see.
MORE = {"INTERNAL"}


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def named_in(source: ast.AST) -> Iterator[str]:
    """Reasons that calls in a module name."""
    for node in ast.walk(source):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in CALLS:
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                for constant in (part for argument in arguments for part in ast.walk(argument)):
                    if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                        yield from filter(REASON.fullmatch, [constant.value])


def reasons_in_code() -> set[str]:
    """Every reason that server, command line and client can give."""
    files = [*(ROOT / "execsvc").rglob("*.py"), *(ROOT / "clients/python/src/execsvc_client").glob("*.py")]
    found = {reason for file in files for reason in named_in(ast.parse(file.read_text(encoding="utf-8")))}
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.ExecsvcError)]
    return found | {cls.reason for cls in classes} | MORE


def test_the_scan_finds_reasons_of_every_kind() -> None:
    assert reasons_in_code() >= {
        "CEL_SYNTAX",
        "CYCLE",
        "DUPLICATE_KEY",
        "ILLEGAL_TRANSITION",
        "INEXACT_INTEGER",
        "LLM_AUTH",
        "NODE_TIMEOUT",
        "NO_SERVER",
        "TEMPLATE_TOO_EXPENSIVE",
    }


def test_every_reason_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z0-9_]+)`", page("errors.md")))

    assert reasons_in_code() - documented == set()


def test_no_documented_reason_is_gone_from_the_code() -> None:
    rows = [line.split("|")[1] for line in page("errors.md").splitlines() if line.startswith("| `")]
    documented = {reason for cell in rows for reason in re.findall(r"`([A-Z0-9_]+)`", cell)}
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("execsvc", "clients/python/src/execsvc_client")
        for file in (ROOT / folder).rglob("*.py")
    )

    assert {reason for reason in documented if f'"{reason}"' not in code} == set()


def test_workflows_are_shown_for_every_node_type() -> None:
    shown = [block.workflow for block in blocks(DOCS / "workflows.md", "json") if block.workflow]

    assert {node["type"] for workflow in shown for node in workflow["nodes"]} == set(BUILTIN)


def test_exit_codes_are_listed_as_they_are() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", page("cli.md"), flags=re.MULTILINE))

    assert rows == {str(int(code)): meaning for code, meaning in MEANINGS.items()}
    assert set(MEANINGS) == set(ExitCode)


def names_of(commands: typer.Typer, prefix: str = "") -> Iterator[str]:
    """Names of all commands, those of groups after the group's."""
    for command in commands.registered_commands:
        if command.callback is not None:
            yield prefix + (command.name or command.callback.__name__)
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            yield from names_of(group.typer_instance, f"{prefix}{group.typer_instance.info.name} ")


def test_every_command_and_variable_is_listed() -> None:
    commands = set(names_of(app))

    assert "workflows create" in commands
    assert all(f"`{command} " in page("cli.md") or f"`{command}`" in page("cli.md") for command in commands)
    variables = {setting.variable for setting in SETTINGS.values()} | {CONFIG_VARIABLE}
    assert variables <= set(re.findall(r"`(EXECSVC_\w+)`", page("configuration.md")))
    assert set(re.findall(r"`(EXECSVC_\w+)`", page("cli.md"))) <= variables


def test_limits_are_told_as_they_are() -> None:
    limits, text = Limits(), page("operating.md")

    assert f"| definition | {limits.definition_bytes >> 20} MiB of JSON, {limits.nodes:,} nodes" in text
    assert f"| input | {limits.input_bytes >> 20} MiB" in text
    assert f"| a node's result | {limits.node_output_bytes >> 20} MiB" in text
    assert f"| a log message | {limits.log_message_bytes >> 10} KiB" in text
    assert f"| a request | {limits.request_bytes >> 20} MiB" in text
    assert f"`--max-concurrent`, {limits.concurrent};" in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))

    assert [target for target in targets if not (path.parent / target).exists()] == []
