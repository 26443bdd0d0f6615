"""Either client of Python behind awaitable calls, so that one runner tries both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from execsvc_client import AsyncExecutionClient, ExecutionClient


class AnyClient:
    """One client; ``kind`` is ``asyncio`` or ``blocking``, whose calls run in threads."""

    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        self._kind = kind
        self._settings = settings
        self._client: Any = (AsyncExecutionClient if kind == "asyncio" else ExecutionClient)(**settings)

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run one call."""
        bound = getattr(self._client, method)
        if self._kind == "asyncio":
            return await bound(*args, **kwargs)
        return await in_thread(lambda: bound(*args, **kwargs))

    def iterate(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Open a stream or a list."""
        return getattr(self._client, method)(*args, **kwargs)

    async def items(self, iterator: Any) -> AsyncGenerator[Any, None]:
        """Read an iterator of either kind; a stream is closed when the reader leaves or is cancelled."""
        try:
            while True:
                item = (
                    await anext(iterator, None)
                    if self._kind == "asyncio"
                    else await in_thread(lambda: next(iterator, None))
                )
                if item is None:
                    return
                yield item
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
            else:
                iterator.close()

    def alone(self) -> AnyClient:
        """Return another client with the same settings: closing it ends what a blocking client cannot cancel."""
        return AnyClient(self._kind, self._settings)

    async def close(self) -> None:
        """Close it."""
        if self._kind == "asyncio":
            await self._client.close()
        else:
            await asyncio.to_thread(self._client.close)


async def in_thread(call: Callable[[], Any]) -> Any:
    """Run a blocking call; a cancellation leaves the thread to whoever closes what it reads."""
    return await asyncio.to_thread(call)
