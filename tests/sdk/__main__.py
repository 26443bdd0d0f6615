"""Run the scenarios with the clients of all languages against one server: ``python -m tests.sdk [LANGUAGE…]``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from tests.sdk.lab import Lab, add_place
from tests.sdk.outcomes import Outcome, end, run
from tests.sdk.scenarios import ScenarioError, load
from tests.sdk.table import show
from tests.servers.places import PLACES
from tools.languages import Language, missing_is_failure, named


def main() -> int:
    """Run what is asked for; 0 if all went well."""
    parser = argparse.ArgumentParser(description="Run the scenarios with the clients of all languages.")
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE")
    parser.add_argument("--only", default="", metavar="NAMES", help="scenarios to run, separated by commas")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="languages at the same time (2)")
    add_place(parser)
    arguments = parser.parse_args()
    only = frozenset(filter(None, arguments.only.split(",")))
    try:
        languages = named(arguments.languages)
        load(only=only)
    except (ValueError, ScenarioError) as error:
        parser.error(str(error))
    # Wide enough for all columns where nobody has a terminal.
    console = Console(width=None if sys.stdout.isatty() else 160)
    with Lab(only=only, place=PLACES[arguments.place]) as lab:
        names = lab.names()
        console.print(f"{len(names)} scenarios, server at {lab.target}", highlight=False)

        runners: list[subprocess.Popen[str]] = []

        def one(language: Language) -> Outcome:
            begun = time.monotonic()
            outcome = run(language, lab.url, names, begun=runners.append)
            if not outcome.skipped:
                took = f"{time.monotonic() - begun:.0f} s"
                console.print(f"{language.name}: {'ok' if outcome.ok else 'failed'} after {took}", highlight=False)
            return outcome

        with ThreadPoolExecutor(arguments.jobs) as pool:
            try:
                outcomes = list(pool.map(one, languages))
            except BaseException:
                # Ctrl-C: the threads wait for what they have started, and the pool for them.
                pool.shutdown(wait=False, cancel_futures=True)
                for runner in runners:
                    end(runner)
                raise
    show(console, names, outcomes)
    skipped = any(outcome.skipped for outcome in outcomes) and missing_is_failure()
    return int(skipped or not all(outcome.ok for outcome in outcomes))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
