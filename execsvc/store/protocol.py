"""What every store offers, and the four kinds of write that all changes are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from execsvc.model import (
    Actor,
    ApiToken,
    AuditFilter,
    AuditRecord,
    EncodedEntries,
    ErrorInfo,
    Execution,
    ExecutionRequest,
    ExecutionState,
    ExecutionStatus,
    LogLevel,
    NewLogEntry,
    NodeRun,
    StoredWorkflow,
)
from execsvc.model.filters import Condition, Order
from execsvc.record import record

if TYPE_CHECKING:
    from execsvc.store.members import Membership


@record(frozen=True, slots=True, kw_only=True)
class CreateExecution:
    """Store an execution in PENDING, unless its id is taken."""

    namespace: str
    request: ExecutionRequest
    #: Unique for ever, unlike the client's id.
    uid: str
    time: int
    message: str
    entries: tuple[NewLogEntry, ...]
    #: Who does it, for the audit trail, which gains a record in the same transaction; None: it gains none.
    by: Actor | None = None


@record(frozen=True, slots=True, kw_only=True)
class Created:
    """What CreateExecution found or made."""

    status: ExecutionStatus
    #: False: the same request had been stored before, and ``status`` is where it stands.
    created: bool


@record(frozen=True, slots=True, kw_only=True)
class UpdateExecution:
    """Change an execution, its journal and its log in one transaction, if its conditions hold; otherwise nothing.

    Conditions are checked in this order: it exists (and is the one with ``uid``), a repeated ``request_id`` answers
    as before, ``epoch``, ``expected_state``, ``from_states``.
    """

    namespace: str
    execution_id: str
    time: int
    #: What is being done, for the error text: "pause", "run", …
    action: str
    from_states: tuple[ExecutionState, ...]
    to_state: ExecutionState | None = None
    #: Engine writes: the execution's uid; None: whichever has the id.
    uid: str | None = None
    #: Engine writes: the lease epoch held; None: a client's write.
    epoch: int | None = None
    expected_state: ExecutionState | None = None
    #: Take the lease: epoch + 1 and this owner.
    claim_owner: str | None = None
    request_id: str = ""
    #: None in any of these leaves what is there.
    message: str | None = None
    current_node: str | None = None
    running_nodes: tuple[str, ...] | None = None
    nodes_done: int | None = None
    #: Microseconds spent RUNNING so far.
    ran_for: int | None = None
    output: bytes | None = None
    error: ErrorInfo | None = None
    nodes: Sequence[NodeRun] = ()
    entries: Sequence[NewLogEntry] = ()
    #: Begin anew after an end: forget error, end and time spent RUNNING, and make nodes that failed or were cut off
    #: PENDING without an error, which says that their attempts are counted afresh.
    restart: bool = False
    #: With ``restart``: JSON text that replaces the input.
    input: bytes | None = None
    #: As of ``CreateExecution``.
    by: Actor | None = None


@record(frozen=True, slots=True, kw_only=True)
class DeleteExecution:
    """Remove an execution that has ended, and all it owns."""

    namespace: str
    execution_id: str
    #: Remove only the one with this uid; None: whichever has the id.
    uid: str | None = None
    #: For the audit trail.
    time: int = 0
    #: As of ``CreateExecution``.
    by: Actor | None = None


@record(frozen=True, slots=True, kw_only=True)
class PutWorkflow:
    """Store a version of a workflow, unless it is there."""

    namespace: str
    workflow_id: str
    #: Content hash of the definition.
    version: str
    #: Canonical JSON text.
    definition: bytes
    time: int
    #: As of ``CreateExecution``.
    by: Actor | None = None


@record(frozen=True, slots=True, kw_only=True)
class WorkflowPut:
    """What PutWorkflow found or made."""

    workflow: StoredWorkflow
    #: False: it had this version before.
    created: bool


@record(frozen=True, slots=True, kw_only=True)
class Updated:
    """What UpdateExecution did."""

    #: The execution after the change; for a repeated request, after the first one.
    status: ExecutionStatus
    #: Whether ``request_id`` had been carried out before, and nothing was done now.
    repeated: bool


@record(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an engine needs to run an execution it holds the lease of."""

    status: ExecutionStatus
    labels: Mapping[str, str]
    #: Canonical JSON text.
    definition: bytes
    definition_digest: str
    #: JSON text.
    input: bytes
    #: Microseconds; None: no limit.
    timeout: int | None
    #: Microseconds spent RUNNING before this claim.
    ran_for: int
    #: The journal, by node id.
    nodes: Mapping[str, NodeRun]
    #: Canonical JSON text of the retry policy of nodes with effects that have none.
    retry: bytes | None = None


@record(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An execution that waits for a slot, or was running when the server went down."""

    namespace: str
    execution_id: str
    uid: str
    state: ExecutionState
    priority: int
    create_time: int
    concurrency_key: str


@record(frozen=True, slots=True, kw_only=True)
class Listed:
    """An execution in a list, and its position there."""

    #: Without nodes, definition, input and output.
    execution: Execution
    #: Value it is ordered by, and what tells it apart from others with the same.
    position: tuple[int, int]


@record(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Part of a log, read in one snapshot."""

    entries: EncodedEntries
    #: Everything up to here is in ``entries`` or was left out by the filter.
    cursor: int
    #: The execution as of the same snapshot; ``last_sequence`` is the end of its log.
    status: ExecutionStatus


@record(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a commit did to one execution."""

    namespace: str
    #: Where the execution stands now; as it was, where it was deleted.
    status: ExecutionStatus
    #: Entries its log gained, the last of which has the status's ``last_sequence``. Where another process wrote them
    #: they may be missing; the sequence says so.
    entries: Sequence[NewLogEntry] = ()
    #: The bytes of each of them, as ``encoding.log_entries`` makes them; none, where the store had no use for them.
    encoded: Sequence[bytes] = ()
    #: Journal rows that changed.
    nodes: Sequence[NodeRun] = ()
    deleted: bool = False


#: Called on the event loop after each commit, once for every execution it changed.
Listener = Callable[[Commit], None]


class Tokens(Protocol):
    """Keeps API tokens. Beside a running server another process may hold one on the same database.

    Every method raises StorageUnavailable (or StorageFull) when the database fails, and may be repeated then.
    """

    async def find(self, token_id: str) -> ApiToken | None:
        """Answer the token with this id; None: there is none. What it says was so at most a second ago."""
        ...

    async def all(self) -> Sequence[ApiToken]:
        """Answer every token, newest first."""
        ...

    async def add(self, token: ApiToken, by: Actor) -> None:
        """Store a token, with a record of who made it; one that is there already stays as it is."""
        ...

    async def revoke(self, token_id: str, time: int, by: Actor) -> ApiToken | None:
        """Revoke a token for ever, with a record of who did; answers it, with the time of the first call.

        None: there is none.
        """
        ...


class AuditTrail(Protocol):
    """Reads who did what, and removes what is past its retention. Nothing in it is ever changed.

    Every method raises StorageUnavailable (or StorageFull) when the database fails, and may be repeated then.
    """

    async def page(self, wanted: AuditFilter, *, after: tuple[int, int] | None, limit: int) -> Sequence[AuditRecord]:
        """Answer up to ``limit`` records, newest first.

        Args:
            after: time and number of the last one of the page before.
        """
        ...

    async def remove(self, before: int, *, limit: int) -> int:
        """Remove up to ``limit`` records from before a time, oldest first; answers how many they were."""
        ...


#: With more changes than this waiting for the disk a server is busy: what nobody waits for is better joined with what
#: comes next than handed on by itself.
BUSY: Final = 8


class Store(Protocol):
    """Durable storage. Every method raises StorageUnavailable (or StorageFull) when the database fails."""

    #: Short name for capabilities and logs.
    name: str
    #: The API tokens in the same database.
    tokens: Tokens
    #: Who did what, in the same database.
    audit: AuditTrail
    #: Where the data are, for people; holds nothing secret.
    place: str
    #: This server as one of those that share the store; None: it serves one alone.
    members: Membership | None

    def create(self, change: CreateExecution) -> asyncio.Future[Created]:
        """Store an execution; the future is done once it is on disk.

        Creates and updates are handed in by the call itself and carried out in that order.

        Raises:
            ExecutionExists: the id is taken by another request.
        """
        ...

    def update(self, change: UpdateExecution) -> asyncio.Future[Updated]:
        """Carry out a change; the future is done once it is on disk. Cancelling the future takes nothing back.

        Raises:
            ExecutionNotFound: there is none, or another one, under this id.
            LeaseLost: ``epoch`` is no longer the current one.
            StateChanged: ``expected_state`` is not the state.
            IllegalTransition: the state is not among ``from_states``.
            RequestIdReused: ``request_id`` was used before for another action.
        """
        ...

    def delete(self, change: DeleteExecution) -> asyncio.Future[ExecutionStatus]:
        """Remove an execution; the future is done once that is on disk, with where it stood.

        Raises:
            ExecutionNotFound: there is none, or another one, under this id.
            IllegalTransition: it has not ended.
        """
        ...

    def put_workflow(self, change: PutWorkflow) -> asyncio.Future[WorkflowPut]:
        """Store a version of a workflow; the future is done once it is on disk."""
        ...

    async def list_executions(
        self, namespace: str, *, condition: Condition, order: Order, after: tuple[int, int] | None, limit: int
    ) -> Sequence[Listed]:
        """Answer up to ``limit`` executions in order, beginning after a position that an earlier answer gave."""
        ...

    async def expired(self, before: int, *, limit: int, namespace: str | None = None) -> Sequence[tuple[str, str, str]]:
        """Answer (namespace, execution_id, uid) of executions that ended before a time, oldest end first.

        Args:
            namespace: of this one alone; None: of all.
        """
        ...

    async def namespaces(self) -> Sequence[str]:
        """Answer the namespaces that have executions on record."""
        ...

    async def count(self, namespace: str, *, most: int) -> int:
        """Count the executions of a namespace, up to ``most``."""
        ...

    async def workflow(self, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
        """Answer a version of a workflow, the newest if ``version`` is empty. Raises WorkflowNotFound."""
        ...

    async def list_workflows(
        self, namespace: str, *, workflow_id: str, after: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredWorkflow]:
        """Answer workflows, newest first: the versions of one, or, with an empty id, the newest version of each.

        Args:
            after: create_time of the last one of the page before, with its version or, for an empty id, workflow id.
        """
        ...

    @property
    def backlog(self) -> int:
        """Changes that were handed in and are not on disk yet."""
        ...

    async def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """Answer where an execution stands: one indexed read. Raises ExecutionNotFound."""
        ...

    async def request_digest(self, namespace: str, execution_id: str) -> str:
        """Answer the digest of the request an execution was made from. Raises ExecutionNotFound."""
        ...

    async def execution(self, namespace: str, execution_id: str, *, full: bool) -> Execution:
        """Answer the record; without ``full`` neither input nor outputs. Raises ExecutionNotFound."""
        ...

    async def claimed(self, namespace: str, status: ExecutionStatus) -> Claim:
        """Read what is needed to run an execution whose lease was taken. Raises ExecutionNotFound."""
        ...

    async def log_page(
        self,
        namespace: str,
        execution_id: str,
        *,
        after: int,
        limit: int,
        max_bytes: int | None = None,
        min_level: LogLevel = LogLevel.DEBUG,
        node_id: str = "",
    ) -> LogPage:
        """Read up to ``limit`` entries after the sequence ``after``. Raises ExecutionNotFound.

        Args:
            max_bytes: end with the entry that brings them to so many bytes; None: no such end.
        """
        ...

    async def log_tail(
        self, namespace: str, execution_id: str, *, count: int, min_level: LogLevel, node_id: str
    ) -> int:
        """Answer the sequence after which the last ``count`` matching entries lie. Raises ExecutionNotFound."""
        ...

    async def unfinished(self) -> Sequence[Unfinished]:
        """List what is PENDING or RUNNING, highest priority first, then oldest."""
        ...

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` after every commit, once for each execution it changed."""
        ...

    async def close(self) -> None:
        """Finish what was handed in, then let go of the database."""
        ...
