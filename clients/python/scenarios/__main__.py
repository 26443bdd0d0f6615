"""``python -m clients.python.scenarios``, from the root of the repository: one JSON line a scenario and client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from clients.python.scenarios.operations import ask_lab
from clients.python.scenarios.runner import Scenario

KINDS = ("asyncio", "blocking")


async def main() -> int:
    """Run all that is asked for; the exit code."""
    # Every call of a blocking client that is under way holds a thread.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
    lab = os.environ["EXECSVC_LAB"].rstrip("/")
    only = set(filter(None, os.environ.get("EXECSVC_ONLY", "").split(",")))
    document = await ask_lab(f"{lab}/scenarios")
    all_ok = True
    for kind in KINDS:
        for scenario in document["scenarios"]:
            if only and scenario["name"] not in only:
                continue
            outcome = await Scenario(kind, lab, document, scenario).run()
            all_ok &= outcome["ok"]
            print(
                json.dumps({"scenario": scenario["name"], "variant": kind, **outcome}, ensure_ascii=False), flush=True
            )
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
