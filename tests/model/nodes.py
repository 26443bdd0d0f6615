"""A node type whose every attempt waits until the test says how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from execsvc.definition import BUILTIN, Builder, NodeType, NodeTypes
from execsvc.engine import Executors, NodeContext, NodeError, NodeResult, builtin_executors

#: (execution id, node id).
Place = tuple[str, str]


class Told:
    """The attempts that wait, and how often each was begun. Survives servers."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self) -> None:
        self._waiting: dict[Place, tuple[int, asyncio.Future[Any]]] = {}
        #: By idempotency key.
        self.begun: Counter[str] = Counter()
        #: Keys of attempts that gave a result.
        self.done: set[str] = set()

    @property
    def waiting(self) -> dict[Place, int]:
        """Numbers of the attempts that wait, by place."""
        return {place: attempt for place, (attempt, _) in self._waiting.items()}

    def end(self, place: Place, outcome: Any) -> None:
        """End an attempt, with a value or an exception; does nothing if it has ended or was cut off."""
        _, future = self._waiting.get(place, (0, None))
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    async def run(self, config: None, context: NodeContext) -> NodeResult:
        """See ``EffectNode``."""
        place, key = (context.execution_id, context.node_id), context.idempotency_key
        assert place not in self._waiting, f"{place} has two attempts at once"
        assert key not in self.done, f"{key} gave a result and is begun again"
        self.begun[key] += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[place] = (context.attempt, future)
        try:
            value = await future
        finally:
            del self._waiting[place]
        self.done.add(key)
        return NodeResult(output=value)


def refusal(*, retryable: bool) -> NodeError:
    """How an attempt fails."""
    return NodeError("TOLD_TO_FAIL", "the test said so", retryable=retryable)


def types_and_executors(told: Told) -> tuple[NodeTypes, Callable[[], Executors]]:
    """The built-in node types and ``told``, and what runs them."""

    def build(config: Mapping[str, Any], builder: Builder) -> None:
        return None

    kind = NodeType(name="told", description="for tests", config_schema={"type": "object"}, effect=True, compile=build)
    return BUILTIN.extended([kind]), lambda: {**builtin_executors(), "told": told}
