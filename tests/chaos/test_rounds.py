"""A few rounds of ``make chaos``: kill -9 at random moments with 200 executions in flight, then a look at it all."""

from __future__ import annotations

from pathlib import Path

import pytest

from execsvc.store import check_database
from tests.chaos.rounds import Chaos


@pytest.mark.nightly
@pytest.mark.timeout(300)
async def test_no_kill_loses_repeats_or_garbles_anything_and_few_slots_end_all_that_is_left(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, seed=20)
    await chaos.run(3)
    assert chaos.problems == []
    assert check_database(tmp_path / "execsvc.db") == []
    figures = chaos.figures()
    assert figures["kills"] == 3
    assert figures["in_flight_least"] >= 200
    assert figures["drained"] == 1
    # The kills did come in the middle of something, and the clients did get something done.
    assert figures["cut_off_and_run_again"] > 0
    assert figures["controls_done"] > 0
    assert figures["recorded_nodes"] > 0
