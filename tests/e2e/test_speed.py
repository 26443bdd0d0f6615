"""Speed as ratios to something measured beside it, with wide margins; the figures themselves are `make bench`'s."""

from __future__ import annotations

from pathlib import Path

from benchmarks.server import run
from tests.support.processes import ServerProcess

#: The goal is 1.5. Below this something is wrong, whatever else the machine does.
ENOUGH = 0.5


def test_durable_executions_over_grpc_keep_up_with_langgraph_in_memory(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "speed.db") as server:
        ratios = run("guard", server.address, "--enough", ENOUGH)
        assert max(ratios) >= ENOUGH, f"durable executions run at {ratios} of the speed of LangGraph in memory"
