"""Run the scenario runner of a language, and keep what became of each scenario."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tools.languages import Language, environment

#: Seconds a runner may take, the building of its client from nothing included.
LIMIT = 1500.0
#: Lines of a runner's stderr that are shown where it failed.
SHOWN = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A scenario that went wrong."""

    scenario: str
    #: Which of the language's clients; empty where there is one.
    variant: str
    problem: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the scenarios in one language."""

    language: str
    #: Why nothing was run; empty where it was.
    skipped: str = ""
    #: By variant and scenario: whether it went well.
    results: dict[str, dict[str, bool]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    #: What went wrong with the runner itself; empty where nothing did.
    broken: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong; also where nothing was run."""
        return not self.failures and not self.broken

    def take(self, line: str) -> None:
        """Take in a line that the runner printed."""
        try:
            said: Mapping[str, Any] = json.loads(line)
            scenario, variant, ok = said["scenario"], said.get("variant", ""), said["ok"] is True
        except (ValueError, KeyError, TypeError):
            self.broken = self.broken or f"it printed what is no result: {line.strip()[:200]!r}"
            return
        self.results.setdefault(variant, {})[scenario] = ok
        if not ok:
            problem = f"step {said.get('step', '?')}: {said.get('problem', 'it does not say why')}"
            self.failures.append(Failure(scenario=scenario, variant=variant, problem=problem))

    def settle(self, names: list[str]) -> None:
        """Count what the runner said nothing of as failed."""
        if self.skipped:
            return
        for variant, results in (self.results or {"": {}}).items():
            for name in names:
                if name not in results:
                    results[name] = False
                    self.failures.append(Failure(scenario=name, variant=variant, problem="there is no result"))
            self.results[variant] = results


def run(language: Language, lab: str, names: list[str], *, said: Callable[[str], None] = lambda line: None) -> Outcome:
    """Run a language's scenarios against a lab.

    Args:
        names: the scenarios the lab serves.
        said: told each line of the runner as it comes.
    """
    outcome = Outcome(language=language.name)
    script = language.script("scenarios")
    if not script.exists():
        outcome.skipped = f"there is no clients/{language.name}/scripts/scenarios"
    elif lacks := language.lacks():
        outcome.skipped = lacks
    if outcome.skipped:
        return outcome
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        code = _run(script, lab, stderr, outcome, said)
        outcome.settle(names)
        if code not in (0, 1) or (code == 1 and not outcome.failures):
            outcome.broken = outcome.broken or f"it ended with exit code {code}"
        if not outcome.ok:
            stderr.seek(0)
            tail = "".join(stderr.readlines()[-SHOWN:])
            outcome.broken = f"{outcome.broken}\n{tail}".strip()
    return outcome


def _run(script: Path, lab: str, stderr: IO[str], outcome: Outcome, said: Callable[[str], None]) -> int:
    process = subprocess.Popen(
        [script],
        env=environment(EXECSVC_LAB=lab),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        # A session of its own: past its limit it ends with all it has started.
        start_new_session=True,
    )

    def end() -> None:
        outcome.broken = f"it took longer than {LIMIT:g} s"
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(LIMIT, end)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said(line)
            outcome.take(line)
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        timer.cancel()
        if process.stdout is not None:
            process.stdout.close()
