"""What each namespace may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLimits:
    """What one namespace may use; None: what the server allows all of them together."""

    #: Executions that run at once, on all servers together.
    slots: int | None = None
    #: Executions that may wait.
    queued: int | None = None
    #: Executions on record, whether they have ended or not.
    stored: int | None = None
    #: Calls a second, on each server.
    rate: float | None = None
    #: Microseconds that executions are kept after their end.
    retention: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """What namespaces may use."""

    #: Those without limits of their own.
    default: NamespaceLimits = field(default_factory=NamespaceLimits)
    #: By name. What one of them does not say is not what the default says: whoever makes this fills that in.
    overrides: Mapping[str, NamespaceLimits] = field(default_factory=dict)

    def of(self, namespace: str) -> NamespaceLimits:
        """Answer the limits of a namespace."""
        return self.overrides.get(namespace, self.default)

    @property
    def have_retention(self) -> bool:
        """Whether any namespace says how long executions are kept."""
        return any(limits.retention is not None for limits in (self.default, *self.overrides.values()))


#: Every namespace may use all there is.
UNLIMITED = Namespaces()
