"""What expressions and templates of an execution see, and what its output nodes make of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from execsvc.definition import InputConfig, Plan, Scope, fill_input
from execsvc.store import Claim


def scope_of(claim: Claim, plan: Plan, outputs: Mapping[str, Any]) -> Scope:
    """Give the scope of an execution.

    Args:
        outputs: results by node id; those that come later are seen as well.
    """
    given = orjson.loads(claim.input)
    for node in plan.nodes:
        if isinstance(node.config, InputConfig):
            given = fill_input(node.config, given)
    status = claim.status
    execution = {
        "id": status.execution_id,
        "workflow_id": status.workflow_id,
        "labels": dict(claim.labels),
        "create_time": datetime.fromtimestamp(status.create_time / 1e6, UTC).isoformat(),
    }
    return Scope(input=given, nodes=outputs, execution=execution)


def result_of(plan: Plan, outputs: Mapping[str, Any]) -> Any:
    """Give what the output nodes that ran computed: one's value as it is, several by node id."""
    nodes = plan.nodes
    results = {
        nodes[i].id: outputs[nodes[i].id]
        for i in plan.definition_order
        if nodes[i].type == "output" and nodes[i].id in outputs
    }
    return next(iter(results.values())) if len(results) == 1 else results or None
