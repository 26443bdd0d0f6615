"""Pages of the documentation as tests read them: code blocks, what is said of them, and what is not run and why."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: All that a reader may try out: pages of the site wherever they live.
PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "clients").glob("*/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+?) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
#: Anywhere on a page whose commands a test of its own reads and runs.
_ELSEWHERE = re.compile(r"^<!-- commands of this page are run by (tests/\S+\.py) -->$", re.MULTILINE)
#: "On the input `{"n": 1}`, with `echo:` as its model, its output is `2`", over several lines or not; or "with a server
#: that answers `{"a": 1}`".
_EXAMPLE = re.compile(
    r"[Oo]n\s+the\s+input\s+`([^`]+)`(?:,\s+with\s+`echo:`\s+as\s+its\s+model,)?"
    r"(?:,\s+with\s+a\s+server\s+that\s+answers\s+`([^`]+)`,)?\s+its\s+output\s+is\s+`([^`]+)`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block."""

    path: Path
    #: Its line in the page, from 1.
    line: int
    language: str
    text: str
    #: Why it is not run; None where it is.
    not_run: str | None
    #: Inputs that the paragraph after it names, each with the output it names.
    examples: tuple[tuple[Any, Any], ...]
    #: What a server answers to its calls over HTTP; empty: nobody is called.
    answer: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def workflow(self) -> dict[str, Any] | None:
        """The workflow it shows, if it shows one."""
        if self.language != "json":
            return None
        value = json.loads(self.text)
        return value if "nodes" in value and "edges" in value else None

    def commands(self) -> Iterator[list[str]]:
        """Words of each command line in it."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def blocks(path: Path, *languages: str) -> list[Block]:
    """Code blocks of a page, those in one of these languages if any are named."""
    text = path.read_text(encoding="utf-8")
    runner = _ELSEWHERE.search(text)
    elsewhere = runner and f"{runner[1]} runs the commands of this page"
    found = []
    for match in _BLOCK.finditer(text):
        after = text[match.end() :].lstrip("\n").split("\n\n")[0]
        said = _EXAMPLE.findall(after)
        examples = [(json.loads(given), json.loads(output)) for given, _, output in said]
        block = Block(
            path=path,
            line=text.count("\n", 0, match.start("language")) + 1,
            language=match["language"],
            text=match["text"],
            not_run=match["reason"] or (elsewhere if match["language"] == "sh" else None),
            examples=tuple(examples),
            answer=next((answer for _, answer, _ in said), ""),
        )
        if not languages or block.language in languages:
            found.append(block)
    return found


def all_blocks(*languages: str) -> list[Block]:
    """Code blocks of all pages."""
    return [block for path in PAGES for block in blocks(path, *languages)]
