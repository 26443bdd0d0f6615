"""Who did what: actors, and the records of the audit trail."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from execsvc.model.identity import ActorKind
from execsvc.record import record

if TYPE_CHECKING:
    from execsvc.model.identity import Principal

#: Longest request id and address that are kept, in characters.
MAX_ORIGIN: Final = 256


class AuditAction(StrEnum):
    """What is recorded, besides the ``ControlAction``s."""

    EXECUTE = "execute"
    DELETE = "delete"
    CREATE_WORKFLOW = "create_workflow"
    CREATE_TOKEN = "create_token"
    REVOKE_TOKEN = "revoke_token"


@record(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who makes a change, as it is recorded with it."""

    kind: ActorKind
    #: Which credential or program it is: the first part of a token, the subject of a JWT, the name of a certificate,
    #: the user of a command; empty where nobody was asked.
    name: str = ""
    #: What people call it: the name of a token; may be empty.
    label: str = ""
    #: The role in which it acts; empty where it has none.
    role: str = ""
    #: Where it calls from: the peer of the call, the host of a command.
    address: str = ""
    #: What the caller calls the request; empty: nothing.
    request_id: str = ""

    @property
    def shown(self) -> str:
        """For logs; empty where nobody was asked."""
        return f"{self.label} ({self.name})" if self.label else self.name


#: Whoever it is.
SOMEBODY: Final = Actor(kind=ActorKind.ANONYMOUS)
#: The server itself, which removes what is past its retention.
RETENTION: Final = Actor(kind=ActorKind.RETENTION)


def actor_of(principal: Principal, *, address: str, request_id: str) -> Actor:
    """Give a caller as an actor.

    Args:
        address: of the peer, without its port.
        request_id: empty: it names none.
    """
    return Actor(
        kind=principal.kind,
        name=principal.name,
        label=principal.label,
        role=principal.role.value,
        address=address[:MAX_ORIGIN],
        request_id=request_id[:MAX_ORIGIN],
    )


@record(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A change that was made, and who made it."""

    #: Grows in the order of writing, with gaps.
    number: int
    #: Microseconds since the epoch.
    time: int
    namespace: str
    actor: Actor
    #: An ``AuditAction`` or a ``ControlAction``.
    action: str
    #: The execution's id, the workflow's, or the first part of the token.
    target: str
    #: What tells it from others of the same name: the execution's uid, the workflow's version; empty for tokens.
    uid: str
    #: What it led to: the state of the execution, ``DELETED``, ``CREATED`` or ``REVOKED``.
    outcome: str


@record(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which records; what is empty or None asks for nothing."""

    namespace: str = ""
    #: The ``name`` of an actor, or its ``label``.
    actor: str = ""
    action: str = ""
    target: str = ""
    #: Not before, microseconds.
    since: int | None = None
    #: Before, microseconds.
    until: int | None = None
