"""What there is to say of a node of an execution, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execsvc.cli.text import elapsed

if TYPE_CHECKING:
    from execsvc_client import NodeRun


def remark(node: NodeRun) -> str:
    """Tell how long its last attempt took, which attempt, branch, tokens and error; empty if there is nothing."""
    parts = [] if node.start_time is None or node.end_time is None else [elapsed(node.end_time - node.start_time)]
    parts += [f"attempt {node.attempt}"] if node.attempt > 1 else []
    parts += [f"branch {node.branch}"] if node.branch else []
    parts += [f"{node.usage.total_tokens} tokens"] if node.usage else []
    parts += [f"{node.error.message} [{node.error.type}]"] if node.error else []
    return ", ".join(parts)
