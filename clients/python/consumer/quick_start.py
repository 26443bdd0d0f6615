"""Run the quick start of the README as it is written there: ``quick_start.py README TARGET``, beside triage.json."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path
from typing import Any

#: Where the README says that the server is.
ADDRESS = "127.0.0.1:50051"


def main() -> int:
    """Run each of its snippets; 0 if their executions have completed."""
    page, target = Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2]
    section = page.partition("## Quick start\n")[2].partition("\n## ")[0]
    snippets: list[str] = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)[:2]
    for snippet in snippets:
        code = compile(snippet.replace(ADDRESS, target), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, Any] = {}
        running = eval(code, names)
        if inspect.iscoroutine(running):
            asyncio.run(running)
        if names["execution"].state != "COMPLETED":
            print(f"the execution is {names['execution'].state}", file=sys.stderr)
            return 1
    return 0 if len(snippets) == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
