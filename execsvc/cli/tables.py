"""Rows of text in columns that line up, a batch at a time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from itertools import islice

from execsvc.cli.text import printable

#: Rows whose columns line up; of more, each batch lines up by itself, so that long lists need not be held.
BATCH = 500


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header; the last column is cut at the edge of a terminal. Without rows it prints nothing."""
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    waiting, above = iter(rows), [tuple(header)]
    while batch := list(islice(waiting, BATCH)):
        lines = [*above, *(tuple(printable(cell).replace("\n", " ") for cell in row) for row in batch)]
        above = []
        widths = [max(len(line[column]) for line in lines) for column in range(len(header) - 1)]
        for line in lines:
            start = "".join(f"{cell:<{width}}  " for cell, width in zip(line, widths, strict=False))
            print(printable((start + line[-1]).rstrip(), most=edge))
