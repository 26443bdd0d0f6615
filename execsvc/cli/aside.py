"""Wait in a thread for what may take long, so that Ctrl-C finds the main thread in nothing of gRPC's.

Python raises KeyboardInterrupt wherever the main thread is. Between taking a lock of gRPC's and the block that gives it
back, the lock would stay taken, and the process could not even end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Queue
from typing import Generic, TypeVar

T = TypeVar("T")

#: Items that are read ahead of whoever takes them.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class _End:
    """What came after the last item: nothing, or an error."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


def each(stream: Iterable[T]) -> Iterator[T]:
    """Give what a stream gives. Whoever stops taking closes the stream."""
    items: Queue[_Item[T] | _End] = Queue(_AHEAD)

    def read() -> None:
        error: BaseException | None = None
        try:
            for item in stream:
                items.put(_Item(item))
        except BaseException as raised:
            error = raised
        items.put(_End(error))

    threading.Thread(target=read, name="execsvc-reader", daemon=True).start()
    while isinstance(item := items.get(), _Item):
        yield item.value
    if item.error is not None:
        raise item.error


def result(call: Callable[[], T]) -> T:
    """Give what a call gives."""

    def once() -> Iterator[T]:
        yield call()

    return next(each(once()))
