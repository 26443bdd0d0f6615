"""What the database says after a kill, and what it must not say. Read while nobody serves."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import MOVES, ExecutionState
from tests.chaos.load import ATTEMPTS, Ledger, reachable
from tests.chaos.load import expected_output as _expected

#: The state that each event of the log says the execution is in from there on.
STATE_OF: Final = {
    "execution_queued": {ExecutionState.PENDING},
    "execution_running": {ExecutionState.RUNNING},
    "execution_paused": {ExecutionState.PAUSED},
    "execution_resumed": {ExecutionState.PENDING, ExecutionState.RUNNING},
    "execution_stopped": {ExecutionState.STOPPED},
    "execution_retried": {ExecutionState.PENDING},
    "execution_completed": {ExecutionState.COMPLETED},
    "execution_failed": {ExecutionState.FAILED},
}


@dataclass(slots=True)
class _Read:
    """How far the log of an execution was read."""

    last: int = 0
    checksum: int = 0
    #: States it may be in, as far as the log says.
    states: frozenset[ExecutionState] = frozenset()


@dataclass(slots=True)
class Evidence:
    """Reads the database after each kill and collects what is wrong with it."""

    database: Path
    ledger: Ledger
    problems: list[str] = field(default_factory=list)
    #: How often a prompt was asked, by the time its node was first found recorded.
    recorded: dict[str, int] = field(default_factory=dict)
    #: Kills that found a node without a result.
    excused: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    entries: int = 0
    _read: dict[str, _Read] = field(default_factory=dict)

    def collect(self, asked: Counter[str], *, whole: bool = False) -> None:
        """Look at the database.

        Args:
            asked: how often each prompt was asked so far.
            whole: read every log from its start again, to see that what was read before has not changed.
        """
        db = sqlite3.connect(f"{self.database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            self._integrity(db)
            states = self._executions(db)
            self._logs(db, states)
            if whole:
                self._unchanged(db)
            self._nodes(db, states, asked)
        finally:
            db.close()

    def _integrity(self, db: sqlite3.Connection) -> None:
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            self.problems.append(f"integrity_check: {verdict}")

    def _executions(self, db: sqlite3.Connection) -> dict[str, ExecutionState]:
        ledger = self.ledger
        states: dict[str, ExecutionState] = {}
        for execution_id, state, running, end_time, done, total, output, error in db.execute(
            "SELECT execution_id, state, running_nodes, end_time, nodes_done, nodes_total, output, error"
            " FROM executions LEFT JOIN execution_data ON execution = pk"
        ):
            state = states[execution_id] = ExecutionState(state)
            completed = state is ExecutionState.COMPLETED
            for wrong, what in (
                (state.terminal == (end_time is None), f"has end time {end_time}"),
                (state.terminal and running != "[]", f"still has running nodes {running}"),
                (not 0 <= done <= total or (completed and done != total), f"has {done} of {total} nodes done"),
                (state is ExecutionState.FAILED and error is None, "has no error"),
                (completed and json.loads(output or "null") != _expected(execution_id), f"answers {output}"),
            ):
                if wrong:
                    self.problems.append(f"{execution_id} is {state} and {what}")
        self.in_flight = sum(not state.terminal for state in states.values())
        self.problems += [f"lost: {execution_id}" for execution_id in sorted(ledger.acknowledged - set(states))]
        for execution_id, action in ledger.settled.items():
            if execution_id in states and states[execution_id] not in reachable(action):
                self.problems.append(f"{execution_id} is {states[execution_id]} after an answered {action}")
        return states

    def _logs(self, db: sqlite3.Connection, states: dict[str, ExecutionState]) -> None:
        self.entries = 0
        for pk, execution_id, last in db.execute("SELECT pk, execution_id, last_sequence FROM executions"):
            read = self._read.setdefault(execution_id, _Read())
            self.entries += last
            if read.last != last:
                self._follow(db, pk, execution_id, read)
            if read.last != last:
                self.problems.append(f"{execution_id}: the log ends at {read.last}, not at {last}")
            if states[execution_id] not in read.states:
                self.problems.append(f"{execution_id} is {states[execution_id]}, its log says {set(read.states)}")

    def _unchanged(self, db: sqlite3.Connection) -> None:
        for pk, execution_id in db.execute("SELECT pk, execution_id FROM executions"):
            again = _Read()
            self._follow(db, pk, execution_id, again)
            if again != self._read[execution_id]:
                self.problems.append(f"{execution_id}: the log has changed since it was read")

    def _follow(self, db: sqlite3.Connection, pk: int, execution_id: str, read: _Read) -> None:
        for sequence, node_id, encoded in db.execute(
            "SELECT sequence, node_id, entry FROM log_entries WHERE execution = ? AND sequence > ? ORDER BY sequence",
            (pk, read.last),
        ):
            (entry,) = decoded_entries(encoded)
            if (entry.sequence, entry.node_id) != (sequence, node_id):
                self.problems.append(f"{execution_id}: entry {sequence} of {node_id} says {entry}")
            if sequence != read.last + 1:
                self.problems.append(f"{execution_id}: entry {sequence} follows entry {read.last}")
            read.last = sequence
            read.checksum = zlib.crc32(encoded, read.checksum)
            event = entry.metadata.get("event", "")
            if event == "node_started" and not read.states & {ExecutionState.RUNNING}:
                self.problems.append(f"{execution_id}: {node_id} started (entry {sequence}) while {set(read.states)}")
            if event in STATE_OF:
                now = STATE_OF[event]
                moves = {to for state in read.states for to in (*MOVES[state], state)} if read.states else now
                # A lease that is taken anew says so in the log, without a move.
                if not (now & moves) or (read.states == now and event != "execution_running"):
                    self.problems.append(f"{execution_id}: {event} (entry {sequence}) after {set(read.states)}")
                read.states = frozenset(now)

    def _nodes(self, db: sqlite3.Connection, states: dict[str, ExecutionState], asked: Counter[str]) -> None:
        journal: dict[str, tuple[str, int]] = {}
        for execution_id, node_id, state, attempt in db.execute(
            "SELECT execution_id, node_id, node_runs.state, attempt FROM node_runs JOIN executions ON pk = execution"
        ):
            journal[f"{execution_id}/{node_id}"] = (state, attempt)
            ended = states[execution_id].terminal
            if (ended and state == "RUNNING") or (
                states[execution_id] is ExecutionState.COMPLETED and state not in ("COMPLETED", "SKIPPED")
            ):
                self.problems.append(f"{execution_id} is {states[execution_id]}, its node {node_id} is {state}")
        for prompt, times in asked.items():
            state, attempt = journal.get(prompt, ("", 0))
            if state == "COMPLETED":
                known = self.recorded.setdefault(prompt, times)
                if times != known:
                    self.problems.append(f"{prompt} was recorded after {known} calls, and {times} were made")
                # Attempts that failed shortly before a kill need not be on record either.
                if times > attempt + self.excused[prompt] * ATTEMPTS:
                    self.problems.append(
                        f"{prompt}: {times} calls for {attempt} attempts and {self.excused[prompt]} kills in between"
                    )
            elif prompt in self.recorded:
                self.problems.append(f"{prompt} was recorded and is now {state or 'unknown'}")
            elif state != "FAILED":
                self.excused[prompt] += 1


def unfinished(database: Path) -> Iterator[tuple[str, Any]]:
    """Executions that have not ended, with their state."""
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        yield from db.execute(
            "SELECT execution_id, state FROM executions WHERE state IN ('PENDING', 'RUNNING', 'PAUSED')"
        ).fetchall()
    finally:
        db.close()
