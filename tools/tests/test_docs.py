"""The generated pages: up to date, complete, and free of what Markdown would take for a mark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import tools.docs.__main__ as generator
from execsvc.cli.program import app
from execsvc.definition import BUILTIN
from execsvc_client import v1
from tools.docs import api_page
from tools.docs.markdown import escape, table

DOCS = generator.ROOT / "docs"


@pytest.mark.parametrize("name", generator.PAGES)
def test_a_generated_page_is_what_the_code_gives(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generator.PAGES[name](), "run: make docs-generate"


def test_check_tells_a_stale_page_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    monkeypatch.setattr(generator, "PAGES", {"a.md": lambda: "new\n"})
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "a.md"
    page.write_text("old\n")

    assert generator.main(["--check"]) == 1
    assert page.read_text() == "old\n"
    assert "make docs-generate" in capsys.readouterr().err

    assert generator.main([]) == 0
    assert page.read_text() == "new\n"
    assert generator.main(["--check"]) == 0


def test_every_method_message_field_and_enum_value_of_the_api_is_there() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    files = [getattr(v1, name).DESCRIPTOR.file for name in ("ExecuteRequest", "WorkflowDefinition", "LogEntry")]
    files += [v1.GetServerInfoRequest.DESCRIPTOR.file, v1.ListNodeTypesRequest.DESCRIPTOR.file]
    for file in files:
        for service in file.services_by_name.values():
            section = text.split(f"### {service.name}\n")[1].split("\n### ")[0]
            assert all(f"#### {method.name}\n" in section for method in service.methods)
        for message in file.message_types_by_name.values():
            section = text.split(f"### {message.name}\n")[1].split("\n### ")[0]
            assert all(f"| `{field.name}` |" in section for field in message.fields)
        for enum in file.enum_types_by_name.values():
            assert all(f"| `{value.name}` |" in text for value in enum.values)


def test_no_row_of_the_api_is_without_a_comment() -> None:
    rows = [line for line in (DOCS / "api.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert len(rows) > 150
    assert [row for row in rows if row.endswith("| |")] == []


def test_protos_that_do_not_compile_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.proto").write_text('syntax = "proto3"; message {')

    with pytest.raises(ValueError, match="protoc refused"):
        api_page.describe(tmp_path)


def test_comments_nested_types_maps_and_oneofs_are_shown(tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(
        """
        syntax = "proto3";
        package shop.v1;
        // A box, with <parts>.
        message Box {
          // By name.
          map<string, Part> parts = 1;
          // What is in it.
          oneof content {
            // A text.
            string text = 2;
            // A part.
            Part part = 3;
          }
          // May be missing.
          optional int32 weight = 4;
          // One part.
          message Part {}
          // How it is sent.
          enum Kind {
            // Nothing said.
            KIND_UNSPECIFIED = 0;
          }
        }
        """
    )

    page = api_page.render(tmp_path)

    assert "### Box\n\nA box, with &lt;parts&gt;." in page
    assert "| `parts` | map of `string` to [Box.Part](#boxpart) | By name. |" in page
    assert "`content` is one of `text`, `part`. What is in it." in page
    assert "| `weight` | optional `int32` | May be missing. |" in page
    assert "### Box.Part\n\nOne part." in page
    assert "### Box.Kind\n\nHow it is sent.\n\n| value | number | |" in page
    assert "weight` is one of" not in page


def commands(command: object, path: str) -> Iterator[tuple[str, object]]:
    """Each command with the words that call it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


def test_every_command_and_option_is_there() -> None:
    text = (DOCS / "cli-reference.md").read_text(encoding="utf-8")
    found = dict(commands(typer.main.get_command(app), "execsvc"))

    assert "execsvc workflows create" in found
    for path, command in found.items():
        section = text.split(f"{'#' * max(2, len(path.split()))} {path}\n")[1].split("\n## ")[0]
        for parameter in getattr(command, "params", ()):
            if parameter.param_type_name == "option" and not parameter.hidden and parameter.name != "help":
                assert parameter.opts[0] in section, f"{path} {parameter.opts[0]}"


def test_every_node_type_and_field_of_its_config_is_there() -> None:
    text = (DOCS / "node-types.md").read_text(encoding="utf-8")
    for node_type in BUILTIN.values():
        section = text.split(f"\n## {node_type.name}\n")[1].split("\n## ")[0]
        assert all(f"| `{field}` |" in section for field in node_type.config_schema["properties"])


@pytest.mark.parametrize(
    ("plain", "markdown"),
    [
        ("a_b and A_B", "`a_b` and `A_B`"),
        ("matches [A-Z]{1,3} *", "matches \\[A-Z\\]{1,3} \\*"),
        ("google.rpc.ErrorInfo, x.", "`google.rpc.ErrorInfo`, x."),
        ("nodes.<id>", "nodes.&lt;id&gt;"),
        ("kept `a_b[<c>]`", "kept `a_b[<c>]`"),
    ],
)
def test_plain_text_becomes_markdown(plain: str, markdown: str) -> None:
    assert escape(plain) == markdown


def test_a_cell_holds_bars_and_line_breaks() -> None:
    assert table(("a", ""), [("x|y", "1\n2")]) == "| a | |\n| --- | --- |\n| x\\|y | 1 2 |"
