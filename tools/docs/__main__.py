"""Write the generated pages, or check that they are up to date.

python -m tools.docs [--check]
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tools.docs import api_page, cli_page, http_page, node_types_page, third_party_page

ROOT: Final = Path(__file__).parents[2]
#: What gives the content of each page below docs/.
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "api.md": lambda: api_page.render(ROOT / "protos"),
    "cli-reference.md": cli_page.render,
    "http-routes.md": http_page.render,
    "node-types.md": node_types_page.render,
    "third-party.md": third_party_page.render,
}


def main(arguments: list[str] | None = None) -> int:
    """Write all pages; with ``--check`` only print how those on disk differ. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Write the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not up to date")
    check = parser.parse_args(arguments).check
    stale = [name for name, render in PAGES.items() if _differs(ROOT / "docs" / name, render(), write=not check)]
    if check and stale:
        print(f"not up to date: {', '.join(stale)}; run: make docs-generate", file=sys.stderr)
        return 1
    print(f"generated pages: {'up to date' if check else ', '.join(stale) + ' written' if stale else 'up to date'}")
    return 0


def _differs(path: Path, wanted: str, *, write: bool) -> bool:
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if there == wanted:
        return False
    if write:
        path.write_text(wanted, encoding="utf-8")
    else:
        lines = difflib.unified_diff(there.splitlines(), wanted.splitlines(), str(path), "generated", lineterm="")
        print("\n".join(lines))
    return True


if __name__ == "__main__":
    sys.exit(main())
