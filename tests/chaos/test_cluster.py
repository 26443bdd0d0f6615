"""A few rounds of ``make chaos-cluster``: what each fault leaves on three servers of what is in flight."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.cluster import IN_FLIGHT, STANDING, ClusterChaos

#: Executions kept under way, and those that a fault waits for; fewer where other tests run beside this one.
SIZES = (STANDING, IN_FLIGHT) if os.environ.get("EXECSVC_NIGHTLY") else (90, 75)


@pytest.mark.timeout(300)
async def test_no_fault_of_a_server_or_the_database_loses_repeats_or_garbles_anything(tmp_path: Path) -> None:
    standing, in_flight = SIZES
    chaos = ClusterChaos(tmp_path, seed=8, standing=standing, in_flight=in_flight)
    await chaos.run(["kill", "restart", "suspend"])
    assert chaos.problems == []
