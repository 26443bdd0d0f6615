"""In which threads something is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any


class Watched(list[Any]):
    """A list that notes who goes through it."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)
        #: Identifiers of the threads that did.
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[Any]:
        self.threads.add(threading.get_ident())
        return super().__iter__()
