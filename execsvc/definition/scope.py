"""What expressions and templates of one execution can see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execsvc.record import record

#: The names an expression or a template may start from.
ROOTS = ("input", "nodes", "execution")


@record(frozen=True, slots=True, kw_only=True)
class Scope:
    """The values of one execution. One per execution: ``nodes`` grows as nodes finish, the rest stays."""

    #: The execution's input, any JSON value.
    input: Any
    #: Results by node id. A node that was skipped or has not finished is absent. Values are never changed in place.
    nodes: Mapping[str, Any]
    #: Facts of the execution: id, workflow_id, labels, create_time.
    execution: Mapping[str, Any]
