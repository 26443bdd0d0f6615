"""Wakes whoever waits for an execution to change, and hands followers what its log has just gained."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice, repeat
from typing import Any, Final, TypeVar

from execsvc.encoding.log_entries import encoded_as
from execsvc.model import ExecutionStatus, NewLogEntry, NodeRun
from execsvc.service.flag import Flag
from execsvc.store import Commit

#: Entries of one log kept for its followers, and bytes of their messages. Who is further behind reads the store.
RECENT_ENTRIES: Final = 1_000
RECENT_BYTES: Final = 1024 * 1024
#: Executions whose beginning is kept before anybody follows them, since most of those who do begin at once: at most,
#: and at least. Each that nobody came for makes it one fewer, since what is kept pushes what is used out of the
#: processor's caches; and each that somebody begins to follow makes it YOUNG_MORE more.
YOUNG: Final = 1024
YOUNG_LEAST: Final = 64
YOUNG_MORE: Final = 16
#: How much of each is kept, in entries of its log and in bytes of them and of its nodes' results.
YOUNG_ENTRIES: Final = 64
YOUNG_BYTES: Final = 16 * 1024
#: Answers kept of one state of an execution, for its other followers.
SHARED: Final = 16
#: What is kept of models' answers for one follower that does not take them: characters, and TOKEN_COST a piece.
TOKEN_BYTES: Final = 256 * 1024
TOKEN_COST: Final = 16

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of a model's answer."""

    node_id: str
    attempt: int
    text: str


class Subscriber:
    """One follower: a flag, and what it has not yet taken of what is joined for it."""

    def __init__(self, *, tokens: bool, nodes: bool) -> None:
        #: Set after each change.
        self.changed = Flag()
        #: Whether it takes journal rows.
        self.wants_nodes = nodes
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

    def miss_tokens(self) -> None:
        """Take note that pieces of answers may have been left out, if it wants any."""
        self.tokens_dropped = self.tokens_dropped or self._wants_tokens

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
        #: The last entries of the log, with their bytes; those at the end that nobody has asked for yet may lack them.
        self._recent: deque[tuple[NewLogEntry, bytes]] = deque()
        self._raw: list[tuple[NewLogEntry, bytes | None]] = []
        self._bytes = 0
        #: What was made of the present state for one of several followers, for the others; by what makes it differ.
        self._shared: dict[Hashable, Any] = {}

    def publish(self, commit: Commit) -> None:
        """Take note of a commit."""
        self._shared.clear()
        status, appended = commit.status, commit.entries
        first = status.last_sequence - len(appended) + 1
        known = self.status
        if commit.deleted or known is None or known.uid != status.uid or known.last_sequence + 1 != first:
            self._recent.clear()
            self._raw.clear()
            self._bytes = 0
        self.status = None if commit.deleted else status
        self._raw += zip(appended, commit.encoded, strict=True) if commit.encoded else zip(appended, repeat(None))
        self._bytes += sum(map(_size, appended))
        if len(self._recent) + len(self._raw) > RECENT_ENTRIES or self._bytes > RECENT_BYTES:
            recent = self._made()
            while len(recent) > RECENT_ENTRIES or self._bytes > RECENT_BYTES:
                self._bytes -= _size(recent.popleft()[0])
        if commit.nodes and self.wants_nodes:
            # Outputs are not watched, and must not be kept alive for who is slow to take the rest.
            runs = {run.node_id: run if run.output is None else replace(run, output=None) for run in commit.nodes}
            for subscriber in self.subscribers:
                if subscriber.wants_nodes:
                    subscriber.nodes.update(runs)
        for subscriber in self.subscribers:
            subscriber.changed.set()

    def after(self, cursor: int) -> Sequence[tuple[NewLogEntry, bytes]] | None:
        """Answer the entries after a sequence up to the end of the log, with the bytes of each.

        None if that has to be read from the store.
        """
        if self.status is None or cursor > self.status.last_sequence:
            return None
        missing = self.status.last_sequence - cursor
        recent = self._made()
        if missing > len(recent):
            return None
        return list(islice(recent, len(recent) - missing, None))

    def shared(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Answer what another follower has had made under the same key since the last change, or make it."""
        if len(self.subscribers) < 2:
            return make()
        made: _T | None = self._shared.get(key)
        if made is None:
            if len(self._shared) >= SHARED:
                self._shared.clear()
            made = self._shared[key] = make()
        return made

    @property
    def wants_nodes(self) -> bool:
        """Whether anybody takes journal rows."""
        return any(subscriber.wants_nodes for subscriber in self.subscribers)

    def gone(self) -> None:
        """Take note that the execution is not there any more."""
        self.status = None
        self._recent.clear()
        self._raw.clear()
        self._bytes = 0
        self._shared.clear()
        for subscriber in self.subscribers:
            subscriber.changed.set()

    def left(self, subscriber: Subscriber) -> None:
        """Forget a follower."""
        self.subscribers.discard(subscriber)
        if not self.subscribers:
            self._shared.clear()

    def _made(self) -> deque[tuple[NewLogEntry, bytes]]:
        if self._raw and self.status is not None:
            first = self.status.last_sequence - len(self._raw) + 1
            self._recent += [
                (entry, encoded_as(sequence, entry) if encoded is None else encoded)
                for sequence, (entry, encoded) in enumerate(self._raw, start=first)
            ]
            self._raw.clear()
        return self._recent


def _size(entry: NewLogEntry) -> int:
    return len(entry.message) + entry.metadata_size


class _Young:
    """What commits have told of an execution since it began."""

    __slots__ = ("bytes", "commits")

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.bytes = 0

    def add(self, commit: Commit) -> bool:
        """Keep a commit; answers whether all of it is still short enough to be kept."""
        self.commits.append(commit)
        self.bytes += sum(map(_size, commit.entries)) + sum(len(run.output or b"") for run in commit.nodes)
        return commit.status.last_sequence <= YOUNG_ENTRIES and self.bytes <= YOUNG_BYTES


class Changes:
    """Subscriptions by execution. A subscriber is one flag and a cursor of its own, so a slow one costs nothing."""

    def __init__(self) -> None:
        self._watched: dict[tuple[str, str], Watch] = {}
        #: Executions that somebody may soon follow, oldest first.
        self._young: OrderedDict[tuple[str, str], _Young] = OrderedDict()
        self._young_room = YOUNG
        self._closed = False
        self._on_follow: list[Callable[[str, str], None]] = []

    def publish(self, commit: Commit) -> None:
        """Wake the subscribers of an execution; a ``Listener`` of the store."""
        status = commit.status
        key = (commit.namespace, status.execution_id)
        watch = self._watched.get(key)
        if watch is not None:
            watch.publish(commit)
        young = self._young.get(key)
        if commit.entries and status.last_sequence == len(commit.entries):
            # It begins, perhaps anew under an id that was used before.
            young = self._young[key] = _Young()
            if len(self._young) > self._young_room:
                self._young_room = max(YOUNG_LEAST, self._young_room - 1)
                # Two at most, so that none has to wait for many to be let go of.
                for _ in range(min(2, len(self._young) - self._young_room)):
                    self._young.popitem(last=False)
        if young is not None and (commit.deleted or not young.add(commit)):
            del self._young[key]

    def gone(self, namespace: str, execution_id: str) -> None:
        """Wake the subscribers of an execution that is not there any more."""
        self._young.pop((namespace, execution_id), None)
        if (watch := self._watched.get((namespace, execution_id))) is not None:
            watch.gone()

    def watch(self, namespace: str, execution_id: str) -> Watch | None:
        """Answer what is known of an execution, if somebody follows it."""
        return self._watched.get((namespace, execution_id))

    def on_follow(self, listener: Callable[[str, str], None]) -> None:
        """Call ``listener`` with namespace and id of each execution that somebody begins to follow."""
        self._on_follow.append(listener)

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
        self, namespace: str, execution_id: str, *, tokens: bool = False, nodes: bool = False
    ) -> Iterator[tuple[Watch, Subscriber]]:
        """Subscribe for as long as the context lasts. Subscribe first and read then, to miss nothing."""
        key = (namespace, execution_id)
        watch = self._watched.get(key)
        if watch is None:
            watch = self._watched[key] = Watch()
            self._young_room = min(YOUNG, self._young_room + YOUNG_MORE)
            young = self._young.get(key)
            for commit in () if young is None else young.commits:
                watch.publish(commit)
        subscriber = Subscriber(tokens=tokens, nodes=nodes)
        watch.subscribers.add(subscriber)
        for listener in self._on_follow:
            listener(namespace, execution_id)
        try:
            yield watch, subscriber
        finally:
            watch.left(subscriber)
            if not watch.subscribers:
                del self._watched[key]
                if watch.status is not None and watch.status.state.terminal:
                    # Whoever follows at once has done so.
                    self._young.pop(key, None)
