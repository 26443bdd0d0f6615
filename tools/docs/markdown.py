"""Small pieces of Markdown that all generated pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `make docs-generate`; changes belong into {source}. -->"
#: What stands in comments without marks but is code: NAMES_LIKE_THIS, STATES, names_like_this and names.like.this.
_NAMES = re.compile(
    r"(?<![\w`/.])"
    r"(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]{5,}|[a-z]\w*_\w+(?:\.\w+)*|[a-z]+(?:\.[a-zA-Z]\w+)+)"
    r"(?![\w`/])"
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table; cells are Markdown, their line breaks and bars are taken care of."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |".replace("|  |", "| |") for line in lines)


def code(text: str) -> str:
    """Set text as code."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def escape(text: str) -> str:
    """Make Markdown of plain text: names become code, and no other character is taken for a mark."""
    parts = re.split(r"(`[^`]*`)", text)
    named = [part if part.startswith("`") else _NAMES.sub(lambda name: f"`{name[0]}`", part) for part in parts]
    parts = re.split(r"(`[^`]*`)", "".join(named))
    return "".join(part if part.startswith("`") else _marks(part) for part in parts)


def _marks(text: str) -> str:
    return re.sub(r"([\\*_\[\]#])", r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.strip()).replace("|", "\\|")
