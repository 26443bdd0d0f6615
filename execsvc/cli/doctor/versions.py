"""Checks of versions: of packages against what execsvc asks for, and of server, client and API against each other."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement

from execsvc import __version__
from execsvc.cli.doctor.findings import Finding, ok, problem
from execsvc.store import sqlite_version
from execsvc_client import v1

#: The package of the API, as clients name it.
API = v1.ExecuteRequest.DESCRIPTOR.file.package
#: Older ones lack what the store uses.
_LEAST_SQLITE = (3, 40)


def versions(extras: Iterable[str]) -> Iterator[Finding]:
    """Check what is installed.

    Args:
        extras: those that the settings need, as in ``postgres``.
    """
    yield _packages(extras)
    yield _client()
    yield _sqlite()


def _packages(extras: Iterable[str]) -> Finding:
    check = "versions.packages"
    try:
        wanted = [Requirement(line) for line in importlib.metadata.requires("execsvc") or ()]
    except importlib.metadata.PackageNotFoundError:
        return ok(check, "execsvc is not installed as a package, so that nothing says what it needs")
    sets = ("", *extras)
    needed = [one for one in wanted if one.marker is None or any(one.marker.evaluate({"extra": name}) for name in sets)]
    wrong: dict[str, str] = {}
    for one in needed:
        try:
            version = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            wrong[one.name] = f"{one.name} is missing"
            continue
        if not one.specifier.contains(version, prereleases=True):
            wrong[one.name] = f"{one.name} is {version}, not {one.specifier}"
    if wrong:
        return problem(
            check,
            "; ".join(wrong.values()),
            means="execsvc was neither made for these nor tested with them",
            advice=f"pip install --upgrade {' '.join(repr(str(one)) for one in _plain(needed, wrong))}",
            wrong=sorted(wrong),
        )
    return ok(check, f"{len(needed)} packages, each in a version that execsvc takes")


def _plain(needed: Iterable[Requirement], names: Iterable[str]) -> Iterator[str]:
    for one in needed:
        if one.name in names:
            yield f"{one.name}{one.specifier}"


def _client() -> Finding:
    check = "versions.client"
    try:
        client = importlib.metadata.version("execsvc-client")
    except importlib.metadata.PackageNotFoundError:
        return ok(check, f"execsvc {__version__}, whose client comes along; API {API}", server=__version__)
    if client != __version__:
        return problem(
            check,
            f"execsvc {__version__}, and execsvc-client {client} beside it",
            means="both hold the client's code, and which of them is in use is a matter of which was installed last",
            advice="pip uninstall execsvc-client, then pip install --force-reinstall --no-deps execsvc",
            server=__version__,
            client=client,
        )
    return ok(check, f"execsvc and execsvc-client {client}, API {API}", server=__version__, client=client)


def _sqlite() -> Finding:
    version = ".".join(map(str, sqlite_version()))
    if sqlite_version() < _LEAST_SQLITE:
        return problem(
            "versions.sqlite",
            f"SQLite {version}",
            means="the store needs 3.40 or later",
            advice="take a Python with a newer SQLite, as those of python.org, uv or Debian 12 and later",
        )
    return ok("versions.sqlite", f"SQLite {version}", version=version)
