"""What comes along with the server and the clients, as the lock files of each language have it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

ROOT: Final = Path(__file__).parents[1]
#: Locked for the tests, and installed by users who name the extra.
_EXTRAS: Final = {"pyjwt": "extra jwt"}
#: The same of the server's image.
_POSTGRES: Final = frozenset({"procrastinate", "psycopg", "psycopg-binary", "psycopg-pool"})
_PACKAGE: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)[^\\]*\\?\n((?:    --hash=.*\n)*)", re.MULTILINE)
_MODULE: Final = re.compile(r"^\s+(\S+) (v\S+)", re.MULTILINE)
_POM: Final = "{http://maven.apache.org/POM/4.0.0}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A package of others that comes along."""

    #: ``python``, ``npm``, ``go`` or ``java``.
    language: str
    name: str
    version: str
    #: With what it comes.
    part: str
    #: SHA-256 of its files; empty where the lock has others.
    hashes: tuple[str, ...] = ()
    #: As its lock says; empty where it says nothing.
    licence: str = ""

    @property
    def purl(self) -> str:
        """The package as a URL (https://github.com/package-url)."""
        kind = {"python": "pypi", "npm": "npm", "go": "golang", "java": "maven"}[self.language]
        name = self.name.replace("@", "%40").replace(":", "/")
        return f"pkg:{kind}/{name}@{self.version}"


def components(root: Path = ROOT) -> list[Component]:
    """Give all of them, by language and name."""
    found = [*_python(root), *_npm(root), *_go(root), *_java(root)]
    return sorted(found, key=lambda one: (one.language, one.name))


def _python(root: Path) -> Iterator[Component]:
    for lock, extras in (("image.lock", None), ("dev.lock", _EXTRAS)):
        text = (root / "requirements" / lock).read_text(encoding="utf-8")
        for name, version, hashes in _PACKAGE.findall(text):
            if extras is not None and name not in extras:
                continue
            part = "server" if extras is None else extras[name]
            yield Component(
                language="python",
                name=name,
                version=version,
                part="extra postgres" if name in _POSTGRES else part,
                hashes=tuple(re.findall(r"sha256:([0-9a-f]{64})", hashes)),
            )


def _npm(root: Path) -> Iterator[Component]:
    lock = json.loads((root / "clients/typescript/package-lock.json").read_text(encoding="utf-8"))
    for path, package in lock["packages"].items():
        if path and not package.get("dev"):
            yield Component(
                language="npm",
                name=path.rpartition("node_modules/")[2],
                version=package["version"],
                part="TypeScript client",
                licence=package.get("license", "").strip("()"),
            )


def _go(root: Path) -> Iterator[Component]:
    for name, version in _MODULE.findall((root / "clients/go/go.mod").read_text(encoding="utf-8")):
        yield Component(language="go", name=name, version=version, part="Go client")


def _java(root: Path) -> Iterator[Component]:
    project = ElementTree.parse(root / "clients/java/pom.xml").getroot()
    properties = {one.tag.removeprefix(_POM): one.text or "" for one in project.iterfind(f"{_POM}properties/*")}
    for dependency in project.iterfind(f"{_POM}dependencies/{_POM}dependency"):
        said = {one.tag.removeprefix(_POM): one.text or "" for one in dependency}
        if said.get("scope") == "test":
            continue
        version = re.sub(r"\$\{(.+?)\}", lambda found: properties[found[1]], said["version"])
        name = f"{said['groupId']}:{said['artifactId']}"
        yield Component(language="java", name=name, version=version, part="Java client")
