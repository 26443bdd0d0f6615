"""Licences of what comes along: which are taken, and what is wrong with the list of them."""

from __future__ import annotations

import functools
import importlib.metadata
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from license_expression import ExpressionError, get_spdx_licensing

from tools.components import ROOT, Component, components

LIST: Final = ROOT / "requirements" / "licences.toml"
LANGUAGES: Final = ("python", "npm", "go", "java")
#: What packages that name no SPDX expression call licences; a name may stand for several.
_CALLED: Final[Mapping[str, frozenset[str]]] = {
    "Apache Software License": frozenset({"Apache-2.0"}),
    "BSD License": frozenset({"BSD-2-Clause", "BSD-3-Clause"}),
    "ISC License (ISCL)": frozenset({"ISC"}),
    "MIT License": frozenset({"MIT"}),
    "Mozilla Public License 2.0 (MPL 2.0)": frozenset({"MPL-2.0"}),
    "Public Domain": frozenset({"LicenseRef-Public-Domain"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Licences:
    """The list."""

    allowed: frozenset[str]
    #: By package: why it is taken although its licence is not among those.
    exceptions: Mapping[str, str]
    #: By language and package: an SPDX expression.
    of: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path = LIST) -> Licences:
        """Read the list."""
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            allowed=frozenset(found["allowed"]),
            exceptions=found["exceptions"],
            of={language: found[language] for language in LANGUAGES},
        )

    def takes(self, expression: str) -> bool:
        """Whether a licence may come along: of those joined by OR one is enough, of those joined by AND each counts."""
        return _holds(_parsed(expression), self.allowed)


@functools.cache
def _spdx() -> Any:
    # Reads all licences that have a name.
    return get_spdx_licensing()


def _parsed(expression: str) -> Any:
    return _spdx().parse(expression, simple=True)


def _holds(parsed: Any, allowed: frozenset[str]) -> bool:
    parts = getattr(parsed, "args", ())
    if not parts:
        return str(parsed) in allowed
    each = [_holds(part, allowed) for part in parts]
    return any(each) if parsed.operator.strip() == "OR" else all(each)


def problems(found: Sequence[Component] | None = None, licences: Licences | None = None) -> Iterator[str]:
    """Tell what is wrong with the list."""
    found = components() if found is None else found
    licences = licences or Licences.read()
    for one in found:
        listed = licences.of[one.language].get(one.name)
        if listed is None:
            told = one.licence or _told(one)
            yield f"{one.name} ({one.part}) is not in {LIST.name}; it says {told or 'nothing'} of its licence"
            continue
        try:
            taken = licences.takes(listed)
        except ExpressionError:
            yield f"{one.name}: {listed!r} is no SPDX expression"
            continue
        if not taken and one.name not in licences.exceptions:
            yield f"{one.name}: {listed} is not allowed, and no exception names a reason"
        if taken and one.name in licences.exceptions:
            yield f"{one.name}: {listed} is allowed, and needs no exception"
        yield from _contradicted(one, listed)
    there = {(one.language, one.name) for one in found}
    for language in ("python", "npm", "go"):
        for name in licences.of[language]:
            if (language, name) not in there:
                yield f"{name} is in {LIST.name}, and does not come along any more"


def _contradicted(one: Component, listed: str) -> Iterator[str]:
    told = one.licence or _told(one)
    if told and _parsed(told) != _parsed(listed):
        yield f"{one.name} is listed with {listed}, and says {told} itself"
    called = {name for name in _classifiers(one) if name in _CALLED}
    if not told and called:
        names = {str(symbol) for symbol in _spdx().license_symbols(listed)}
        if not all(_CALLED[name] & names for name in called):
            yield f"{one.name} is listed with {listed}, and calls its licence {', '.join(sorted(called))}"


def _told(one: Component) -> str:
    """The SPDX expression that an installed package tells; empty: it tells none, or is not installed."""
    metadata = _metadata(one)
    return "" if metadata is None else str(metadata.get("License-Expression") or "")


def _classifiers(one: Component) -> list[str]:
    metadata = _metadata(one)
    found = [] if metadata is None else metadata.get_all("Classifier") or []
    return [str(line).rpartition(" :: ")[2] for line in found if str(line).startswith("License ::")]


def _metadata(one: Component) -> Any:
    if one.language != "python":
        return None
    try:
        return importlib.metadata.metadata(one.name)
    except importlib.metadata.PackageNotFoundError:
        return None
