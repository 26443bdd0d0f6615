"""Lets calls in while there is room, in turn for each client, and sends away what would wait too long."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from execsvc.errors import Overloaded, TooManyStreams

#: Seconds that a call may wait for its turn, so that a burst is worked off; and once a queue has stood for as long as
#: ``STANDING`` seconds, since then it is no burst, and waiting would make everybody late and nobody served.
PATIENCE, BRIEF = 5.0, 0.25
STANDING: Final = 2.0
#: Seconds after somebody was sent away in which a new queue counts as standing.
REMEMBERED: Final = 5.0
#: Calls that may wait in a lane.
ROOM: Final = 4_096
#: Calls that are worked on at once at least, however slow they are: a client with so many is never sent away, on a
#: machine or a database that is merely busy.
LEAST: Final = 64
#: Seconds that calls may take on the average before fewer are worked on at once, and how many times the least average.
TARGET, TIMES = 0.25, 3.0
#: Calls after which the average is looked at.
WINDOW: Final = 32
#: By how much the least average grows at each look: what was quick once need not be so for ever.
FORGETS: Final = 1.01


class Limit:
    """How many calls are worked on at once: fewer where they slow each other down, more where they do not.

    Args:
        most: at most so many.
        adapts: whether it ever is less.
    """

    def __init__(self, most: int, *, adapts: bool) -> None:
        self._most = most
        self._least = min(LEAST, most) if adapts else most
        self.value = min(most, LEAST) if adapts else most
        self._best = float("inf")
        self._count, self._sum, self._full = 0, 0.0, False

    def took(self, seconds: float, *, full: bool) -> None:
        """Take note of a call; ``full``: as many as allowed were worked on."""
        self._count += 1
        self._sum += seconds
        self._full = self._full or full
        if self._count < WINDOW:
            return
        average = self._sum / self._count
        self._best = min(self._best * FORGETS, average)
        if average > max(TARGET, TIMES * self._best):
            self.value = max(self._least, self.value * 9 // 10)
        elif self._full:
            self.value = min(self._most, self.value + max(1, self.value // 16))
        self._count, self._sum, self._full = 0, 0.0, False


class Lane:
    """Calls of one kind. Use within one event loop.

    Args:
        limit: how many are worked on at once.
        clock: seconds that only grow.
    """

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._busy = 0
        #: By client, in the order of their turns: since when each of its calls waits.
        self._waiting: OrderedDict[str, deque[tuple[asyncio.Future[None], float]]] = OrderedDict()
        self._length = 0
        #: When the queue began, and when somebody was sent away last.
        self._since = self._refused = float("-inf")

    @property
    def busy(self) -> int:
        """Calls that are worked on."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return self._length

    def enter_at_once(self) -> bool:
        """Let a call in if nobody has to wait; answers whether it was."""
        if self._busy < self._limit.value and not self._length:
            self._busy += 1
            return True
        return False

    async def enter(self, client: str) -> None:
        """Wait for the turn of a call; whoever is let in has to ``leave``.

        Raises:
            Overloaded: it would wait too long.
        """
        if self.enter_at_once():
            return
        now = self._clock()
        if not self._length:
            self._since = now
        queue = self._waiting.get(client)
        if self._length >= ROOM or (0 if queue is None else len(queue)) >= self._share(client, now):
            self._refused = now
            raise Overloaded
        if queue is None:
            queue = self._waiting[client] = deque()
        turn = asyncio.get_running_loop().create_future()
        queue.append((turn, now))
        self._length += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self, seconds: float = 0.0) -> None:
        """Make room for the next.

        Args:
            seconds: that the call has taken since it was let in; 0: it says nothing of how busy we are.
        """
        if seconds:
            self._limit.took(seconds, full=self._busy >= self._limit.value)
        self._busy -= 1
        while self._busy < self._limit.value and self._length:
            self._next()

    def _next(self) -> None:
        client, queue = self._waiting.popitem(last=False)
        turn, since = queue.popleft()
        self._length -= 1
        if queue:
            self._waiting[client] = queue
        if turn.done():
            # Its client has given up.
            return
        now = self._clock()
        if now - since > self._patience(now):
            self._refused = now
            turn.set_exception(Overloaded())
        else:
            self._busy += 1
            turn.set_result(None)

    def _patience(self, now: float) -> float:
        return BRIEF if self._stands(now) else PATIENCE

    def _stands(self, now: float) -> bool:
        return now - self._since > STANDING or now - self._refused < REMEMBERED

    def _share(self, client: str, now: float) -> int:
        """Calls of one client that may wait."""
        clients = len(self._waiting) + (client not in self._waiting)
        return max(1, (self._limit.value if self._stands(now) else ROOM) // clients)


class Streams:
    """Counts streams, which last: whoever comes past the limit is sent away. Use within one event loop.

    Args:
        most: at most so many; once half of them are there, a client may have its share only.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_client: dict[str, int] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """Streams that are open."""
        return self._count

    def enter(self, client: str) -> None:
        """Count a stream; whoever is let in has to ``leave``.

        Raises:
            TooManyStreams: there are too many, or too many of this client.
        """
        mine = self._by_client.get(client, 0)
        clients = len(self._by_client) + (not mine)
        if self._count >= self._most or (2 * self._count >= self._most and mine >= max(1, self._most // clients)):
            raise TooManyStreams(self._most)
        self._by_client[client] = mine + 1
        self._count += 1

    def leave(self, client: str) -> None:
        """Forget a stream."""
        self._count -= 1
        left = self._by_client[client] - 1
        if left:
            self._by_client[client] = left
        else:
            del self._by_client[client]
