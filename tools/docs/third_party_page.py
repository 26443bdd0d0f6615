"""The page of licences: what comes along with the server and the clients."""

from __future__ import annotations

from collections.abc import Iterator

from tools.components import components
from tools.docs.markdown import NOTICE, code, table
from tools.licences import LANGUAGES, Licences

_INTRODUCTION = """
What comes along with the server, its locked extras and the clients, and under which licence (SPDX). Only permissive
licences are taken; exceptions have their reason below. A test holds the list against the lock files and against what
installed packages say themselves. `make sbom` writes versions and hashes as a bill of materials (CycloneDX). Packages
of model providers, which only their extras install, are not locked and not listed.
"""
_TITLES = {"python": "Server and Python client", "npm": "TypeScript client", "go": "Go client", "java": "Java client"}


def render() -> str:
    """Write the page."""
    licences = Licences.read()
    parts = ["# Third-party licences", NOTICE.format(source="requirements/licences.toml"), _INTRODUCTION.strip()]
    with_what = {(one.language, one.name): one.part for one in components()}
    for language in LANGUAGES:
        rows = (
            (code(name), licence, _part(with_what.get((language, name), "")))
            for name, licence in sorted(licences.of[language].items())
        )
        head = ("package", "licence", "comes with") if language == "python" else ("package", "licence")
        parts += [f"## {_TITLES[language]}", table(head, (row[: len(head)] for row in rows))]
    parts += ["## Exceptions", table(("package", "taken because"), _exceptions(licences))]
    return "\n\n".join(parts) + "\n"


def _part(part: str) -> str:
    return f"`execsvc[{part.removeprefix('extra ')}]`" if part.startswith("extra ") else part


def _exceptions(licences: Licences) -> Iterator[tuple[str, str]]:
    for name, reason in sorted(licences.exceptions.items()):
        yield code(name), reason
