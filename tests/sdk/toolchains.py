"""The toolchains of the clients' languages in tests: whether they are there, each for one test at a time, and run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from tests.sdk.outcomes import end
from tools.languages import ROOT, Language, environment, missing_is_failure


@contextmanager
def toolchain(language: Language) -> Iterator[None]:
    """Have a language's folder for this test alone, whichever process the others run in: builds write into it.

    Skips the test where the toolchain is missing; in CI it fails.
    """
    if not language.folder.is_dir():
        pytest.skip(f"there is no clients/{language.name}")
    if lacks := language.lacks():
        (pytest.fail if missing_is_failure() else pytest.skip)(f"{language.name}: {lacks}")
    locks = ROOT / "build" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{language.name}.lock", timeout=1500):
        yield


def script(language: Language, name: str, *arguments: str | Path, cwd: Path | None = None, **env: str) -> str:
    """Run a script of a language to its end; what it printed. A failure is one of the test."""
    process = subprocess.Popen(
        [language.script(name), *map(str, arguments)],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=1500)
    except BaseException:
        # With all that it has started.
        end(process)
        process.communicate()
        raise
    assert process.returncode == 0, said[-60_000:]
    return said
