"""Hooks of mkdocs.yml: bring in pages that live outside docs/, and point every link at its place on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

#: Files of the repository and where they stand on the site. A proto folder stands for what is written about it.
PLACES: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "clients/python/README.md": "clients/python.md",
    "clients/python": "clients/python.md",
    "clients/typescript/README.md": "clients/typescript.md",
    "clients/go/README.md": "clients/go.md",
    "clients/java/README.md": "clients/java.md",
    "clients/scenarios/README.md": "clients/scenarios.md",
    "examples/README.md": "examples.md",
    "deploy/grafana/execsvc.json": "assets/grafana.json",
    "protos/execsvc/v1": "api.md",
    "docs/adr": "adr/README.md",
}
_MERMAID: Final = "assets/mermaid.tiny.js"
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
_FETCHED: Final = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?https?:[^\"> ]*"
    r"|<link[^>]*rel=\"?(?:stylesheet|preconnect|preload)\"?[^>]*https?:[^\"> ]*"
)
_FENCE: Final = re.compile(r"^(```.*?^```)$", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that live outside docs/."""
    root = Path(config.docs_dir).parent
    for origin, place in PLACES.items():
        if (root / origin).is_file():
            files.append(File.generated(config, place, abs_src_path=str(root / origin)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links that are right in the repository at the same thing on the site, and see to bars in tables.

    Raises:
        PluginError: a link leads to something that the site does not have.
    """
    place = page.file.src_uri
    brought = (path for path, there in PLACES.items() if there == place and path.endswith(".md"))
    origin = next(brought, f"docs/{place}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[1]))
        there = PLACES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if there is None:
            raise PluginError(f"{origin}: {link[1]} is not on the site; give {target} a place in site_hooks.py")
        return posixpath.relpath(there, posixpath.dirname(place) or ".")

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(moved, _bars(part)) for part in parts)


def _bars(markdown: str) -> str:
    """Take the backslash from bars in code in tables: elsewhere it is needed, here it would be shown."""

    def plain(row: re.Match[str]) -> str:
        return re.sub(r"`[^`]+`", lambda code: code[0].replace("\\|", "|"), row[0])

    return re.sub(r"^\|.*$", plain, markdown, flags=re.MULTILINE)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Load what draws diagrams on pages that have one; the theme would fetch it from the network."""
    if 'class="mermaid"' not in html:
        return html
    script = posixpath.relpath(_MERMAID, posixpath.dirname(page.file.dest_uri) or ".")
    return f'{html}\n<script src="{script}"></script>'


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would fetch something from elsewhere when it is read. Raises PluginError."""
    fetched = _FETCHED.search(output)
    if fetched:
        raise PluginError(f"{page.file.src_uri}: fetches {fetched[0]!r}; keep it below docs/assets")
    return output
