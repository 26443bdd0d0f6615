"""Generate the code of all clients from the protos, or check that it is what they give.

``python -m tools.client_code [--check] [LANGUAGE…]``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tools.languages import ROOT, Language, missing_is_failure, named


def outputs(language: Language) -> list[Path]:
    """Folders of generated code, relative to the root: all that is in them is generated."""
    template = yaml.safe_load((language.folder / "buf.gen.yaml").read_text(encoding="utf-8"))
    return sorted({Path(plugin["out"]) for plugin in template["plugins"]})


def generate(language: Language) -> bool:
    """Generate one client's code in its place."""
    return language.run("generate").returncode == 0


def check(language: Language) -> bool:
    """Generate one client's code elsewhere, and compare."""
    with tempfile.TemporaryDirectory() as fresh:
        if language.run("generate", "--output", fresh).returncode:
            return False
        same = True
        for folder in outputs(language):
            difference = subprocess.run(
                ["diff", "--recursive", "--unified", "--exclude=__pycache__", folder, Path(fresh) / folder],
                cwd=ROOT,
                check=False,
            )
            if difference.returncode:
                print(f"{folder} differs from what the protos give; run: make proto", file=sys.stderr)
                same = False
    return same


def main() -> int:
    """Do it for the languages that are asked for and possible."""
    parser = argparse.ArgumentParser(description="Generate the code of the clients from the protos.")
    parser.add_argument("--check", action="store_true", help="change nothing, and fail where it is not what they give")
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE")
    arguments = parser.parse_args()
    try:
        languages = named(arguments.languages)
    except ValueError as error:
        parser.error(str(error))
    failed = False
    for language in languages:
        if not language.script("generate").exists():
            continue
        if lacks := language.lacks():
            print(f"{language.name}: skipped, {lacks}", file=sys.stderr)
            failed |= missing_is_failure()
            continue
        done = (check if arguments.check else generate)(language)
        print(
            f"{language.name}: {('up to date' if arguments.check else 'generated') if done else 'failed'}", flush=True
        )
        failed |= not done
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
