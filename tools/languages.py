"""The languages that have a client in ``clients/``, what each needs on the machine, and how its scripts are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language with a client."""

    #: Also the name of its folder.
    name: str
    #: Programs that must be on PATH.
    tools: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its package is."""
        return ROOT / "clients" / self.name

    def script(self, name: str) -> Path:
        """One of its scripts: ``generate``, ``check`` or ``scenarios``."""
        return self.folder / "scripts" / name

    def lacks(self) -> str:
        """Say what this machine lacks for it; empty if nothing."""
        missing = [tool for tool in self.tools if shutil.which(tool) is None]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed" if missing else ""

    def run(
        self, script: str, *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its scripts to its end, its output as it comes."""
        return subprocess.run(
            [self.script(script), *map(str, arguments)], env=environment(**(env or {})), text=True, check=False
        )


LANGUAGES = (
    Language(name="python", tools=()),
    Language(name="typescript", tools=("node", "npm")),
    Language(name="go", tools=("go",)),
    Language(name="java", tools=("java", "mvn")),
)


def named(names: Iterable[str]) -> list[Language]:
    """Return the languages with these names; all where none is given.

    Raises:
        ValueError: there is no such language.
    """
    wanted = list(names)
    known = {language.name: language for language in LANGUAGES}
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no client in {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in wanted] or list(LANGUAGES)


def environment(**more: str) -> dict[str, str]:
    """The environment of scripts: with the programs of this Python's environment, buf among them, before all others."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]),
        "PYTHON": sys.executable,
    } | more


def missing_is_failure() -> bool:
    """Whether a toolchain that is not installed is a failure: in CI it is, at home it is skipped and named."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")
