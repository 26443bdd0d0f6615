"""Plans of definitions that were compiled before, so that they need not be compiled again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from execsvc.definition.plan import Plan

#: Plans that are kept at most, and bytes of their definitions: a plan may take two hundred times as much memory.
COUNT: Final = 256
BYTES: Final = 4 * 1024 * 1024
#: Bytes of a definition from which it is compiled beside the event loop.
LARGE: Final = 8 * 1024


class Plans:
    """Keeps plans by key, least recently used first out. Use within one event loop.

    Args:
        count: plans that are kept at most.
        size: bytes that their definitions may have together; the newest one always stays.
    """

    def __init__(self, *, count: int = COUNT, size: int = BYTES) -> None:
        self._count = count
        self._most = size
        self._size = 0
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._compiling: dict[Hashable, asyncio.Future[Plan]] = {}

    def get(self, key: Hashable) -> Plan | None:
        """Give a plan that is kept."""
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def keep(self, key: Hashable, plan: Plan) -> None:
        """Keep a plan, and let go of others where these are too many or too large."""
        replaced = self._plans.pop(key, None)
        self._plans[key] = plan
        self._size += len(plan.canonical) - (0 if replaced is None else len(replaced.canonical))
        while len(self._plans) > 1 and (len(self._plans) > self._count or self._size > self._most):
            _, gone = self._plans.popitem(last=False)
            self._size -= len(gone.canonical)

    async def compiled(self, key: Hashable, size: int, compile: Callable[[], Plan]) -> Plan:
        """Compile a definition whose plan is not kept, and keep it.

        A large one is compiled beside the event loop, once for all who ask for it meanwhile.

        Args:
            size: bytes of the definition.
            compile: what it raises is raised here.
        """
        if size <= LARGE:
            plan = compile()
        else:
            compiling = self._compiling.get(key)
            if compiling is None:
                compiling = self._compiling[key] = asyncio.ensure_future(asyncio.to_thread(compile))
                compiling.add_done_callback(lambda done: self._compiled(key, done))
            plan = await asyncio.shield(compiling)
        self.keep(key, plan)
        return plan

    def _compiled(self, key: Hashable, done: asyncio.Future[Plan]) -> None:
        del self._compiling[key]
        # Whoever asked may have given up; what went wrong is then nobody's.
        if not done.cancelled():
            done.exception()
