"""Draw a plan as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Mapping

from execsvc.definition.plan import Plan, PlanNode
from execsvc.model import NodeState

_SHAPES = {
    "input": ('(["', '"])'),
    "output": ('(["', '"])'),
    "condition": ('{"', '"}'),
    "llm": ('[["', '"]]'),
    "http": ('[/"', '"/]'),
}
_STYLES = {
    NodeState.RUNNING: "fill:#dbeafe,stroke:#1d4ed8",
    NodeState.COMPLETED: "fill:#dcfce7,stroke:#15803d",
    NodeState.FAILED: "fill:#fee2e2,stroke:#b91c1c",
    NodeState.SKIPPED: "fill:#f3f4f6,stroke:#9ca3af,stroke-dasharray:4",
    NodeState.CANCELLED: "fill:#fef3c7,stroke:#b45309",
}


def to_mermaid(plan: Plan, states: Mapping[str, NodeState] | None = None) -> str:
    """Give a flowchart of the nodes in the order of the definition; with ``states`` (by node id) they are coloured."""
    nodes = [plan.nodes[index] for index in plan.definition_order]
    lines = ["flowchart TD"]
    lines += [f"    {_node(node)}" for node in nodes]
    for node in nodes:
        for link in node.outgoing:
            label = f'|"{_escape(link.branch)}"|' if link.branch is not None else ""
            lines.append(f"    n{node.index} -->{label} n{link.node}")
    for state, style in _STYLES.items():
        members = [f"n{node.index}" for node in nodes if states and states.get(node.id) is state]
        if members:
            lines.append(f"    classDef {state.lower()} {style}")
            lines.append(f"    class {','.join(members)} {state.lower()}")
    return "\n".join(lines) + "\n"


def _node(node: PlanNode) -> str:
    before, after = _SHAPES.get(node.type, ('["', '"]'))
    kind = "" if node.name == node.type else f"<br/><small>{_escape(node.type)}</small>"
    return f"n{node.index}{before}{_escape(node.name)}{kind}{after}"


def _escape(text: str) -> str:
    """Write characters that Mermaid or HTML would read as their own as entities."""
    return "".join(c if c.isalnum() or c in " _.:,/()-+!?" else f"#{ord(c)};" for c in text)
