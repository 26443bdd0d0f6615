"""Run every benchmark: ``python -m benchmarks [--full] [NAME …]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from benchmarks import gateway, throughput

BENCHMARKS: Final[dict[str, Callable[[bool], None]]] = {"throughput": throughput.main, "gateway": gateway.main}


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--full", action="store_true", help="larger sizes, for figures to be quoted")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in arguments.names or BENCHMARKS:
        BENCHMARKS[name](arguments.full)


if __name__ == "__main__":
    main()
