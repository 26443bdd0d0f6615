"""Large messages are made and read beside the event loop, one at a time: each holds the interpreter as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from execsvc.model import Execution

#: Bytes up to which a message is made, or read, in place: some milliseconds.
SMALL: Final = 32 * 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Beside:
    """Converts messages. Use within one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def converted(self, size: int, convert: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Convert a message: in a thread where it is large.

        Args:
            size: its bytes, as JSON text or on the wire.
        """
        if size <= SMALL:
            return convert(*args, **kwargs)
        async with self._turn:
            return await asyncio.to_thread(convert, *args, **kwargs)


def size_of(execution: Execution) -> int:
    """Give the bytes of JSON text in a record."""
    outputs = sum(len(run.output) for run in execution.nodes.values() if run.output is not None)
    return len(execution.definition) + len(execution.input or b"") + len(execution.output or b"") + outputs
