"""The page of node types: what ListNodeTypes answers for those that come with the service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from execsvc.definition import BUILTIN
from tools.docs.markdown import NOTICE, code, escape, table

_INTRODUCTION = """
The config of each node type that comes with the service, as `ListNodeTypes` and `execsvc node-types NAME` answer it.
A server's own answer also has its plug-ins. [Workflows](workflows.md#node-types) shows each type at work.
"""


def render() -> str:
    """Write the page."""
    parts = ["# Node types", NOTICE.format(source="execsvc/definition"), _INTRODUCTION.strip()]
    for node_type in sorted(BUILTIN.values(), key=lambda entry: entry.name):
        kind = (
            "An effect: its result is on disk before anything that depends on it starts."
            if node_type.effect
            else "Pure: it computes, and acts on nothing outside."
        )
        parts += [f"## {node_type.name}", f"{escape(node_type.description)} {kind}"]
        rows = list(_rows(node_type.config_schema))
        parts.append(table(("field", "type", ""), rows) if rows else "It has no config.")
        schema = json.dumps(node_type.config_schema, indent=2, ensure_ascii=False)
        details = ('<details markdown="1">', "<summary>JSON Schema</summary>", f"```json\n{schema}\n```", "</details>")
        parts += details
    return "\n\n".join(parts) + "\n"


def _rows(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield code(f"{prefix}{name}"), _type(field), _text(field, needed=name in required)
        yield from _rows(field.get("items", field), f"{prefix}{name}{'[]' if 'items' in field else ''}.")


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(code(json.dumps(value)) for value in field["enum"])
    return str(field.get("type", "any"))


def _text(field: Mapping[str, Any], *, needed: bool) -> str:
    said = [escape(field.get("description", ""))]
    if needed:
        said.append("Required.")
    if "pattern" in field:
        said.append(f"Matches {code(field['pattern'])}.")
    said += [
        f"{word} {field[key]:,}{unit}."
        for key, word, unit in (
            ("minLength", "At least", " characters"),
            ("maxLength", "At most", " characters"),
            ("minimum", "At least", ""),
            ("maximum", "At most", ""),
        )
        if key in field and field[key] != 1
    ]
    if field.get("default") not in (None, "", {}, []):
        said.append(f"Default: {code(json.dumps(field['default']))}.")
    return " ".join(filter(None, said))
