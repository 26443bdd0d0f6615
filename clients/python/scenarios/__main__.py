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
    scenarios = [one for one in document["scenarios"] if not only or one["name"] in only]

    async def run_all(kind: str) -> bool:
        all_ok = True
        for scenario in scenarios:
            outcome = await Scenario(kind, lab, document, scenario).run()
            all_ok &= outcome["ok"]
            line = {"scenario": scenario["name"], "variant": kind, **outcome}
            print(json.dumps(line, ensure_ascii=False), flush=True)
        return all_ok

    # Side by side: most of the time either waits.
    return 0 if all(await asyncio.gather(*map(run_all, KINDS))) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
