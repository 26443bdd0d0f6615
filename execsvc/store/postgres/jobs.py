"""The Procrastinate job that each unfinished execution has: written along with it, fetched, given back and rescued."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from execsvc.model import ExecutionState, ExecutionStatus
from execsvc.store.draft import Draft
from execsvc.store.members import GONE, Beat, Fetched, KeyRoom, Place, Taken, mark_of
from execsvc.store.postgres.connections import Connection, Pool, over
from execsvc.store.postgres.jobs_schema import CHANGE_CHANNEL, QUEUE, TASK, WORK_CHANNEL
from execsvc.store.protocol import Unfinished
from execsvc.store.rows import STATUS_COLUMNS, status_of

logger = logging.getLogger(__name__)

#: A statement and its arguments.
Write = tuple[bytes, tuple[Any, ...]]

#: Beats between two looks for executions that have no job, as those have that were copied here.
ORPHANS: Final = 5
#: Seconds that changes are still told after the last other server was seen: it may only have been suspended.
TELLING: Final = 60.0
#: Seconds that nobody has been silent for: rescues what no server is named for.
NEVER: Final = 1e9
#: Marks in one notification: it may have 8,000 bytes.
MARKS: Final = 700

_JOBS: Final = "execsvc.procrastinate_jobs"
_ME: Final = "(SELECT w.id FROM execsvc.procrastinate_workers AS w WHERE w.id = %s)"
_DROP: Final = f"DELETE FROM {_JOBS} WHERE queueing_lock = ANY(%s)".encode()
_LOCK: Final = f"SELECT id FROM {_JOBS} WHERE queueing_lock = ANY(%s) ORDER BY id FOR UPDATE".encode()
_DEFER: Final = b"SELECT execsvc.defer_jobs(%s::bigint[])"
_HOLD: Final = f"""
INSERT INTO {_JOBS} (queue_name, task_name, priority, queueing_lock, args, status, worker_id)
SELECT '{QUEUE}', '{TASK}', e.priority, e.uid, execsvc.job_args(e), 'doing', {_ME}
FROM execsvc.executions AS e WHERE e.pk = ANY(%s)
""".encode()
_TAKE: Final = f"""
UPDATE {_JOBS} SET status = 'doing', worker_id = {_ME} WHERE queueing_lock = ANY(%s) AND status = 'todo'
""".encode()
_TELL: Final = b"SELECT pg_notify(%s, %s)"

_BEAT: Final = b"UPDATE execsvc.procrastinate_workers SET last_heartbeat = now() WHERE id = %s RETURNING id"
_REGISTER: Final = b"SELECT worker_id FROM execsvc.procrastinate_register_worker_v1()"
_UNREGISTER: Final = b"SELECT execsvc.procrastinate_unregister_worker_v1(%s)"
# What was taken from this server and nobody has come for goes on here.
_KEEP: Final = f"""
UPDATE {_JOBS} SET status = 'doing', worker_id = %s
WHERE queueing_lock = ANY(%s) AND (status = 'todo' OR (status = 'doing' AND worker_id IS NULL))
""".encode()
_STANDING: Final = f"""
SELECT (SELECT count(*) FROM {_JOBS} WHERE status = 'todo'),
       (SELECT count(*) FROM execsvc.procrastinate_workers WHERE id <> %s),
       (SELECT coalesce(array_agg(queueing_lock), '{{}}') FROM {_JOBS} WHERE status = 'doing' AND worker_id = %s)
""".encode()
_RESCUE: Final = b"SELECT gone, waiting FROM execsvc.rescue_jobs(%s, %s)"
# Whoever was suspended in the middle of sending a batch holds its locks, and all who need those wait: between the
# messages of a pipeline Postgres does not count a transaction as idle, so that no timeout of its own ends it.
_CUT_OFF: Final = b"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'execsvc %%'
  AND wait_event = 'ClientRead' AND xact_start < now() - make_interval(secs => %s) AND pid <> pg_backend_pid()
"""
_FETCH: Final = b"SELECT args, priority, uid FROM execsvc.take_jobs(%s, %s, %s, %s, %s, %s)"
_COUNT: Final = f"SELECT count(*) FROM {_JOBS} WHERE status = 'todo'".encode()
_COUNT_OF: Final = f"""
SELECT count(*) FROM (
    SELECT FROM {_JOBS} WHERE status = 'todo' AND args ->> 'namespace' = %s LIMIT %s
) AS waiting
""".encode()
_GIVE_BACK: Final = b"SELECT execsvc.give_back_jobs(%s, %s)"
_PLACE: Final = b"SELECT place, length, of_key FROM execsvc.place_in_line(%s, %s, %s, %s, %s)"
_HELD: Final = f"SELECT EXISTS (SELECT FROM {_JOBS} WHERE queueing_lock = %s AND status = 'doing')".encode()
_STATUSES: Final = f"""
SELECT e.namespace, {", ".join(f"e.{column}" for column in STATUS_COLUMNS.split(", "))}
FROM jsonb_array_elements(%s::jsonb) AS v
JOIN execsvc.executions AS e ON e.namespace = v ->> 0 AND e.execution_id = v ->> 1
""".encode()


class Jobs:
    """Implements ``Membership``: this server as one of Procrastinate's workers.

    ``beat`` is called each second over the connection that keeps its session, and hears the notifications that come in
    over it; all else goes over the pool.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        #: Number of this server among the workers; None until it has joined.
        self.worker: int | None = None
        #: Until when others are told of changes, on the loop's clock.
        self._telling_until = float("inf")
        #: See ``Membership.waiting``.
        self.waiting = 0
        self._beats = 0
        self._connected_at = 0.0
        #: When the last sign of life was given that the database has, on the loop's clock.
        self._alive_at = 0.0
        self._kept: Callable[[], Iterable[str]] = tuple
        self._on_work: list[Callable[[], None]] = []
        self._on_beat: list[Callable[[Beat], None]] = []
        self._on_heard: list[Callable[[int, int], None]] = []
        self._on_change: list[Callable[[frozenset[int]], None]] = []

    def keep(self, held: Callable[[], Iterable[str]]) -> None:
        """See ``Membership.keep``."""
        self._kept = held

    def on_work(self, listener: Callable[[], None]) -> None:
        """See ``Membership.on_work``."""
        self._on_work.append(listener)

    def on_beat(self, listener: Callable[[Beat], None]) -> None:
        """See ``Membership.on_beat``."""
        self._on_beat.append(listener)

    def on_change(self, listener: Callable[[frozenset[int]], None]) -> None:
        """See ``Membership.on_change``."""
        self._on_change.append(listener)

    def on_heard(self, listener: Callable[[int, int], None]) -> None:
        """See ``Membership.on_heard``."""
        self._on_heard.append(listener)

    @property
    def in_doubt(self) -> bool:
        """See ``Membership.in_doubt``."""
        return asyncio.get_running_loop().time() - self._alive_at >= GONE

    # What a batch writes along

    def writes(self, touched: Sequence[Draft], deleted: Sequence[Draft]) -> Iterator[Write]:
        """Say what is to be written about jobs in the transaction that changes these executions, after all else."""
        gone, waits, resumed, held, taken = _by_need(touched)
        gone += [row.status.uid for row in deleted if row.new is None and not row.was.state.terminal]
        if gone:
            yield _DROP, (gone,)
        if resumed:
            yield _LOCK, ([row.status.uid for row in resumed],)
        if waits or resumed:
            yield _DEFER, ([row.pk for row in (*waits, *resumed)],)
        if held:
            yield _HOLD, (self.worker, [row.pk for row in held])
        if taken:
            yield _TAKE, (self.worker, [row.status.uid for row in taken])
        if asyncio.get_running_loop().time() < self._telling_until:
            marks = [f"{mark_of(row.namespace, row.status.execution_id):x}" for row in (*touched, *deleted)]
            for first in range(0, len(marks), MARKS):
                yield _TELL, (CHANGE_CHANNEL, f"{self.worker or 0}:{','.join(marks[first : first + MARKS])}")

    # Signs of life

    async def beat(self, db: Connection, *, anew: bool) -> None:
        """Give a sign of life, and take over from those who give none. Raises psycopg.Error.

        Args:
            anew: the connection is a new one.
        """
        loop = asyncio.get_running_loop()
        given_at = loop.time()
        if anew:
            await db.execute(f'LISTEN "{WORK_CHANNEL}"'.encode())
            await db.execute(f'LISTEN "{CHANGE_CHANNEL}"'.encode())
            self._connected_at = loop.time()
        was_gone = False
        if self.worker is None or not await _all(db, _BEAT, (self.worker,)):
            was_gone = self.worker is not None
            await self._join(db)
        self._alive_at = given_at
        # After an outage everybody is silent: others get as long to be heard again as they may be silent at all.
        if loop.time() - self._connected_at >= GONE:
            await self._rescue(db)
        elif anew:
            await _all(db, _RESCUE, (NEVER, True))
        ((waiting, others, held),) = await _all(db, _STANDING, (self.worker, self.worker))
        if others or self._telling_until == float("inf"):
            self._telling_until = loop.time() + TELLING
        self.waiting = waiting
        self._beats += 1
        beat = Beat(waiting=waiting, held=frozenset(held), was_gone=was_gone)
        for listener in self._on_beat:
            listener(beat)

    async def _join(self, db: Connection) -> None:
        gone, kept = self.worker, list(self._kept())
        async with db.transaction():
            ((worker,),) = await _all(db, _REGISTER)
            if kept:
                await db.execute(_KEEP, (worker, kept))
            # Whoever was alone until now hears by this that it is not.
            await db.execute(_TELL, (CHANGE_CHANNEL, f"{worker}:"))
        self.worker = worker
        if gone is None:
            logger.info("joined the servers of this database as number %d", worker)
        else:
            logger.warning(
                "the other servers had given this one up, number %d, and may have taken its executions over; "
                "it goes on as number %d",
                gone,
                worker,
            )

    async def _rescue(self, db: Connection) -> None:
        silent = await _all(db, _CUT_OFF, (GONE,))
        if silent:
            logger.warning("%d transactions were silent for %g s and are cut off", len(silent), GONE)
        ((gone, waiting),) = await _all(db, _RESCUE, (GONE, self._beats % ORPHANS == 0))
        if gone:
            logger.warning("%d servers gave no sign of life for %g s; others go on with what they ran", gone, GONE)
        if waiting:
            logger.info("%d executions that nobody ran wait for a server again", waiting)

    def heard(self, channel: str, payload: str) -> None:
        """Take note of a notification."""
        if channel == WORK_CHANNEL:
            for wake in self._on_work:
                wake()
            return
        mark, is_heard, sequence = payload.partition("=")
        if is_heard:
            for hear in self._on_heard:
                hear(int(mark, 16), int(sequence))
            return
        sender, _, marks = payload.partition(":")
        if sender == str(self.worker):
            return
        self._telling_until = asyncio.get_running_loop().time() + TELLING
        changed = frozenset(int(mark, 16) for mark in marks.split(",") if mark)
        for listener in self._on_change if changed else ():
            listener(changed)

    # What waits

    async def fetch(self, most: int, room: KeyRoom) -> Fetched:
        """See ``Membership.fetch``."""
        rows = await self._rows(_FETCH, (self.worker, most, *_limits(room)))
        taken = [
            Taken(
                item=Unfinished(
                    namespace=args["namespace"],
                    execution_id=args["execution_id"],
                    uid=uid,
                    state=ExecutionState.PENDING,
                    priority=priority,
                    create_time=args["created"],
                    concurrency_key=args["key"],
                ),
                since=args["since"],
            )
            for args, priority, uid in rows
        ]
        left: int | None = None
        if len(taken) < most and not room.limits_namespaces:
            left = await self.count() if room.limits else 0
        return Fetched(taken=taken, left=left)

    async def count(self) -> int:
        """See ``Membership.count``."""
        ((waiting,),) = await self._rows(_COUNT, ())
        return int(waiting)

    async def count_of(self, namespace: str, most: int) -> int:
        """See ``Membership.count_of``."""
        ((waiting,),) = await self._rows(_COUNT_OF, (namespace, most))
        return int(waiting)

    async def give_back(self, uids: Sequence[str]) -> None:
        """See ``Membership.give_back``."""
        await self._rows(_GIVE_BACK, (self.worker, list(uids)))

    async def place(self, uid: str, room: KeyRoom) -> Place | None:
        """See ``Membership.place``."""
        rows = await self._rows(_PLACE, (uid, *_limits(room)))
        return Place(place=rows[0][0], length=rows[0][1], key=rows[0][2]) if rows else None

    async def is_held(self, uid: str) -> bool:
        """See ``Membership.is_held``."""
        ((held,),) = await self._rows(_HELD, (uid,))
        return bool(held)

    async def statuses(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, ExecutionStatus]]:
        """See ``Membership.statuses``."""
        rows = await self._rows(_STATUSES, (orjson.dumps(keys).decode(),))
        return [(namespace, status_of(columns)) for namespace, *columns in rows]

    async def tell_heard(self, namespace: str, execution_id: str, sequence: int) -> None:
        """See ``Membership.tell_heard``."""
        await self._rows(_TELL, (CHANGE_CHANNEL, f"{mark_of(namespace, execution_id):x}={sequence}"))

    async def leave(self) -> None:
        """See ``Membership.leave``."""
        worker, self.worker = self.worker, None
        await self._rows(_UNREGISTER, (worker,))
        # What it still held is nobody's now.
        await self._rows(_RESCUE, (NEVER, False))

    async def _rows(self, statement: bytes, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        # Where a connection broke and a fetch had gone through all the same, the next beat tells.
        return await over(self._pool, "used", lambda db: _all(db, statement, arguments))


def _by_need(touched: Sequence[Draft]) -> tuple[list[str], list[Draft], list[Draft], list[Draft], list[Draft]]:
    """Sort executions by what is to become of their jobs.

    Returns:
        Uids whose jobs go; executions that wait from now on; that were resumed, whose run may go on where it is; that
        were created and taken at once; and that were taken without a fetch.
    """
    gone: list[str] = []
    waits: list[Draft] = []
    resumed: list[Draft] = []
    held: list[Draft] = []
    taken: list[Draft] = []
    for row in touched:
        status, was = row.status, row.was
        claimed = status.epoch != was.epoch
        if row.new is not None:
            if status.state is ExecutionState.PENDING:
                waits.append(row)
            elif not status.state.terminal:
                held.append(row)
        elif status.state.terminal:
            if not was.state.terminal:
                gone.append(status.uid)
        elif status.state is ExecutionState.PENDING:
            if was.state is not ExecutionState.PENDING:
                gone.append(status.uid)
                waits.append(row)
        elif was.state is ExecutionState.PENDING:
            if claimed:
                taken.append(row)
        elif status.state is ExecutionState.RUNNING and was.state is not ExecutionState.RUNNING:
            resumed.append(row)
    return gone, waits, resumed, held, taken


def _limits(room: KeyRoom) -> tuple[int | None, str, int | None, str | None]:
    """Give limits as the functions of the queue take them: of keys, and of namespaces; no JSON: none at all."""
    namespaces = orjson.dumps(dict(room.namespaces)).decode() if room.limits_namespaces else None
    return room.default, orjson.dumps(dict(room.overrides)).decode(), room.slots, namespaces


async def _all(db: Connection, statement: bytes, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return await (await db.execute(statement, arguments)).fetchall()
