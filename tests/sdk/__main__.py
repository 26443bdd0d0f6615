"""Run the scenarios with the clients of all languages against one server: ``python -m tests.sdk [LANGUAGE…]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from tests.sdk.lab import Lab
from tests.sdk.outcomes import Outcome, run
from tests.sdk.table import show
from tools.languages import Language, missing_is_failure, named


def main() -> int:
    """Run what is asked for; 0 if all went well."""
    parser = argparse.ArgumentParser(description="Run the scenarios with the clients of all languages.")
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE")
    parser.add_argument("--only", default="", metavar="NAMES", help="scenarios to run, separated by commas")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="languages at the same time (2)")
    arguments = parser.parse_args()
    try:
        languages = named(arguments.languages)
    except ValueError as error:
        parser.error(str(error))
    # Wide enough for all columns where nobody has a terminal.
    console = Console(width=None if sys.stdout.isatty() else 160)
    with Lab(only=frozenset(filter(None, arguments.only.split(",")))) as lab:
        names = lab.names()
        console.print(f"{len(names)} scenarios, server at {lab.target}", highlight=False)

        def one(language: Language) -> Outcome:
            begun = time.monotonic()
            outcome = run(language, lab.url, names)
            if not outcome.skipped:
                took = f"{time.monotonic() - begun:.0f} s"
                console.print(f"{language.name}: {'ok' if outcome.ok else 'failed'} after {took}", highlight=False)
            return outcome

        with ThreadPoolExecutor(arguments.jobs) as pool:
            outcomes = list(pool.map(one, languages))
    show(console, names, outcomes)
    skipped = any(outcome.skipped for outcome in outcomes) and missing_is_failure()
    return int(skipped or not all(outcome.ok for outcome in outcomes))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
