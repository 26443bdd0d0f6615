"""Wakes whoever waits for an execution to change, and hands followers what its log has just gained."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Final

from execsvc.model import ExecutionStatus, LogEntry, NodeRun
from execsvc.store import Commit

#: Entries of one log kept for its followers, and bytes of their messages. Who is further behind reads the store.
RECENT_ENTRIES: Final = 1_000
RECENT_BYTES: Final = 1024 * 1024
#: What is kept of models' answers for one follower that does not take them: characters, and TOKEN_COST a piece.
TOKEN_BYTES: Final = 256 * 1024
TOKEN_COST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of a model's answer."""

    node_id: str
    attempt: int
    text: str


class Subscriber:
    """One follower: a flag, and what it has not yet taken of what is joined for it."""

    def __init__(self, *, tokens: bool) -> None:
        #: Set after each change.
        self.changed = asyncio.Event()
        #: Journal rows that changed, the newest of each node, without outputs.
        self.nodes: dict[str, NodeRun] = {}
        self._wants_tokens = tokens
        self._tokens: list[Token] = []
        self._token_bytes = 0
        #: Whether tokens were left out since they were last taken.
        self.tokens_dropped = False

    def token(self, token: Token) -> None:
        """Keep a piece of an answer. Once one was left out, so are all until the next take: no gap within the text."""
        if not self._wants_tokens or not token.text:
            return
        self.changed.set()
        cost = len(token.text) + TOKEN_COST
        if self.tokens_dropped or self._token_bytes + cost > TOKEN_BYTES:
            self.tokens_dropped = True
            return
        self._token_bytes += cost
        self._tokens.append(token)

    def take_nodes(self) -> Sequence[NodeRun]:
        """Answer the rows that changed since the last call."""
        taken, self.nodes = self.nodes, {}
        return list(taken.values())

    def take_tokens(self) -> tuple[Sequence[Token], bool]:
        """Answer the pieces since the last call, joined where they can be, and whether some were left out."""
        taken, dropped = self._tokens, self.tokens_dropped
        self._tokens, self._token_bytes, self.tokens_dropped = [], 0, False
        joined = [
            Token(node_id=node_id, attempt=attempt, text="".join(token.text for token in tokens))
            for (node_id, attempt), tokens in groupby(taken, key=lambda token: (token.node_id, token.attempt))
        ]
        return joined, dropped


class Watch:
    """What is known of one execution while somebody follows it; shared by all its followers."""

    def __init__(self) -> None:
        self.status: ExecutionStatus | None = None
        self.subscribers: set[Subscriber] = set()
        self._recent: deque[LogEntry] = deque()
        self._bytes = 0

    def publish(self, commit: Commit) -> None:
        """Take note of a commit."""
        status, appended = commit.status, commit.entries
        first = status.last_sequence - len(appended) + 1
        known = self.status
        if commit.deleted or known is None or known.uid != status.uid or known.last_sequence + 1 != first:
            self._recent.clear()
            self._bytes = 0
        self.status = None if commit.deleted else status
        for sequence, entry in enumerate(appended, start=first):
            self._recent.append(
                LogEntry(
                    sequence=sequence,
                    time=entry.time,
                    level=entry.level,
                    message=entry.message,
                    node_id=entry.node_id,
                    attempt=entry.attempt,
                    metadata=entry.metadata,
                )
            )
            self._bytes += len(entry.message)
        while len(self._recent) > RECENT_ENTRIES or self._bytes > RECENT_BYTES:
            self._bytes -= len(self._recent.popleft().message)
        # Outputs are not watched, and must not be kept alive for who is slow to take the rest.
        runs = [run if run.output is None else replace(run, output=None) for run in commit.nodes]
        for subscriber in self.subscribers:
            for run in runs:
                subscriber.nodes[run.node_id] = run
            subscriber.changed.set()

    def after(self, cursor: int) -> Sequence[LogEntry] | None:
        """Answer the entries after a sequence up to the end of the log; None if that has to be read from the store."""
        if self.status is None or cursor > self.status.last_sequence:
            return None
        missing = self.status.last_sequence - cursor
        if missing > len(self._recent):
            return None
        return list(islice(self._recent, len(self._recent) - missing, None))


class Changes:
    """Subscriptions by execution. A subscriber is one flag and a cursor of its own, so a slow one costs nothing."""

    def __init__(self) -> None:
        self._watched: dict[tuple[str, str], Watch] = {}
        self._closed = False

    def publish(self, commit: Commit) -> None:
        """Wake the subscribers of an execution; a ``Listener`` of the store."""
        watch = self._watched.get((commit.namespace, commit.status.execution_id))
        if watch is not None:
            watch.publish(commit)

    def token(self, namespace: str, execution_id: str, node_id: str, attempt: int, text: str) -> None:
        """Hand a piece of an answer to the subscribers of an execution; a ``TokenListener`` of the engine."""
        watch = self._watched.get((namespace, execution_id))
        if watch is not None:
            token = Token(node_id=node_id, attempt=attempt, text=text)
            for subscriber in watch.subscribers:
                subscriber.token(token)

    @property
    def subscribers(self) -> int:
        """Subscriptions there are."""
        return sum(len(watch.subscribers) for watch in self._watched.values())

    @property
    def closed(self) -> bool:
        """Whether streams should end because the server goes down."""
        return self._closed

    def close(self) -> None:
        """Wake everyone for the last time."""
        self._closed = True
        for watch in self._watched.values():
            for subscriber in watch.subscribers:
                subscriber.changed.set()

    @contextmanager
    def subscribe(
        self, namespace: str, execution_id: str, *, tokens: bool = False
    ) -> Iterator[tuple[Watch, Subscriber]]:
        """Subscribe for as long as the context lasts. Subscribe first and read then, to miss nothing."""
        key = (namespace, execution_id)
        watch = self._watched.setdefault(key, Watch())
        subscriber = Subscriber(tokens=tokens)
        watch.subscribers.add(subscriber)
        try:
            yield watch, subscriber
        finally:
            watch.subscribers.discard(subscriber)
            if not watch.subscribers:
                del self._watched[key]


async def changed_within(seconds: float, changed: asyncio.Event) -> bool:
    """Wait for a change; answers False if there was none for so long."""
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return False
    return True
