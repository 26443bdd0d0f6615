"""One trace of an execution that goes from server to server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from execsvc.tracing import tracing_settings
from tests.integration.cluster.conftest import Replicas, Sql
from tests.integration.cluster.test_leases import Muted, muted, server_that_holds
from tests.servers import OtlpCollector
from tests.support.nodes import Gates
from tests.support.traces import children, links_to, named, only
from tests.support.workflows import chain

__all__ = ["muted"]


@pytest.mark.usefixtures("quick")
async def test_a_run_that_another_server_took_over_is_told_by_that_one_alone(
    replicas: Replicas, gates: Gates, sql: Sql, muted: Muted, tmp_path: Path
) -> None:
    with OtlpCollector(tmp_path / "spans.jsonl") as collector:
        tracing = tracing_settings(collector.http_url, {})
        async with replicas(tracing=tracing) as a:
            await a.execute(chain("g", "h"), execution_id="e")
            await gates.entered("g")
            muted.numbers.add(await server_that_holds(sql, "e"))
            async with replicas(tracing=tracing) as b:
                async with asyncio.timeout(20):
                    while not gates.cancelled["g"]:
                        await b.status("e")
                gates.open("g", "h")
                assert (await b.wait("e")).state == "COMPLETED"
                muted.numbers.clear()
        spans = collector.spans()

    first, second = named(spans, "execution")
    assert (first.attributes["execsvc.run.number"], first.attributes["execsvc.interrupted"]) == (1, True)
    assert second.attributes["execsvc.execution.state"] == "COMPLETED"
    assert links_to(second) == [("run_before", first.span_id)]
    assert [span.name for span in children(spans, first)] == ["gate g"]
    assert [span.name for span in children(spans, second)] == ["gate g", "gate h", "output out"]
    # Stored on one server, run on both, and one trace: where it was submitted is known to all.
    assert {span.parent_id for span in (first, second)} == {only(spans, "execsvc.v1.ExecutionService/Execute").span_id}
    ids = [span.span_id for span in spans]
    assert len(ids) == len(set(ids))
