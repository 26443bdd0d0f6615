"""Ask whether vulnerabilities are known of what is locked: ``python -m tools.audit``.

Where the service that knows them cannot be reached, as where nothing but a package index can, that is said and nothing
fails; with ``--required`` it does. pip-audit itself takes an index that knows none of the packages for a clean bill.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tools.components import ROOT

#: What is shipped, and what the tests and tools run on.
LOCKS: Final = ("image.lock", "dev.lock")
#: Known vulnerabilities that are no danger here, each with the reason.
ACCEPTED: Final[Mapping[str, str]] = {}
#: Seconds that the service may take for one answer.
_PATIENCE: Final = 15


def main(arguments: list[str] | None = None) -> int:
    """Ask; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.audit", description=__doc__)
    parser.add_argument("--required", action="store_true", help="fail where the service cannot be reached")
    required = parser.parse_args(arguments).required
    found: dict[str, str] = {}
    for lock in LOCKS:
        asked = _asked(lock)
        if asked is None:
            print("audit: skipped: no service that knows vulnerabilities can be reached", file=sys.stderr)
            return 1 if required else 0
        found |= dict.fromkeys(vulnerable(asked), lock)
    for line, lock in found.items():
        print(f"{line} ({lock})")
    print(f"audit: {len(found)} known vulnerabilities" if found else "audit: no known vulnerability")
    return 1 if found else 0


def _asked(lock: str) -> Sequence[Any] | None:
    """What the service knows of each package of a lock; None: it cannot be reached."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", str(_PATIENCE), "-r", str(ROOT / "requirements" / lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return answers(done.stdout)


def answers(output: str) -> Sequence[Any] | None:
    """Read what pip-audit prints; None: the service knew nothing at all, or did not answer."""
    try:
        told = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        return None
    return None if all("skip_reason" in one for one in told) else told


def vulnerable(told: Sequence[Any]) -> list[str]:
    """Give a line for each vulnerability that is not accepted."""
    return [
        f"{one['name']} {one['version']}: {vulnerability['id']}"
        + (f", mended in {', '.join(vulnerability['fix_versions'])}" if vulnerability["fix_versions"] else "")
        for one in told
        for vulnerability in one.get("vulns", ())
        if not {vulnerability["id"], *vulnerability.get("aliases", ())} & set(ACCEPTED)
    ]


if __name__ == "__main__":
    sys.exit(main())
